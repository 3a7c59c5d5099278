"""Plugins: what they are made of, and the registry of those installed.

A plugin's own module needs `hookimpl` and the descriptions only; importing them imports no
package heavier than pluggy.
"""

from fairbench.plugins._code import Code, analysis_code, code_of, code_of_class, core_code
from fairbench.plugins._component import Component, Part
from fairbench.plugins._discover import Plugin, Problem
from fairbench.plugins._options import REQUIRED, Option
from fairbench.plugins._parts import digest_of_parts, made_declared, parts_of, trains_networks
from fairbench.plugins._short_form import WEIGHTED
from fairbench.plugins.descriptions import (
    API_VERSION,
    DatasetDescription,
    Description,
    ExecutorDescription,
    Kind,
    MethodDescription,
    MetricDescription,
    ModelDescription,
    ProtocolDescription,
    ReporterDescription,
    ReproductionDescription,
    WeightingDescription,
    is_individual,
)
from fairbench.plugins.hookspecs import hookimpl
from fairbench.plugins.registry import Registry, added, load

__all__ = [
    "API_VERSION",
    "REQUIRED",
    "WEIGHTED",
    "Code",
    "Component",
    "DatasetDescription",
    "Description",
    "ExecutorDescription",
    "Kind",
    "MethodDescription",
    "MetricDescription",
    "ModelDescription",
    "Option",
    "Part",
    "Plugin",
    "Problem",
    "ProtocolDescription",
    "Registry",
    "ReporterDescription",
    "ReproductionDescription",
    "WeightingDescription",
    "added",
    "analysis_code",
    "code_of",
    "code_of_class",
    "core_code",
    "digest_of_parts",
    "hookimpl",
    "is_individual",
    "load",
    "made_declared",
    "parts_of",
    "trains_networks",
]
