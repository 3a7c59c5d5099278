"""Conformance kit: the properties every component must have, as tests to inherit.

A plugin author writes one class per component and pytest finds the tests in it::

    from fairbench.plugins.conformance import MetricConformance

    class TestMedianGap(MetricConformance):
        component = "median-gap"  # or a function without arguments that makes one

Every test is an ordinary method that asserts, so any other test runner does as well.
"""

from fairbench.plugins.conformance._base import Conformance
from fairbench.plugins.conformance._dataset import DatasetConformance
from fairbench.plugins.conformance._method import MethodConformance
from fairbench.plugins.conformance._metric import MetricConformance
from fairbench.plugins.conformance._model import ModelConformance
from fairbench.plugins.conformance._weighting import WeightingConformance

__all__ = [
    "Conformance",
    "DatasetConformance",
    "MethodConformance",
    "MetricConformance",
    "ModelConformance",
    "WeightingConformance",
]
