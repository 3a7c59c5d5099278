"""Every method that ships passes the kit for authors of methods."""

from typing import ClassVar

import pytest

from fairbench.plugins.conformance import MethodConformance
from fairbench.training import Training

# Name, the plain method that it begins from, and options that make the test short.
METHODS = [
    ("ridge", "", {}),
    ("random-forest", "", {"trees": 10}),
    ("mean-gap-ridge", "ridge", {}),
    ("equal-means", "ridge", {}),
    ("frrm", "", {}),
    ("nclm", "", {}),
    ("multi-task-fair-linear", "", {"trees": 30}),
    ("moment-matching", "ridge", {}),
    ("barycenter", "ridge", {}),
    ("eo-postprocess", "", {"levels": 6, "bins": 2}),
    ("unaware-post", "", {"levels": 6}),
    ("reweighing", "ridge", {}),
    ("biased-sampling", "", {}),
    ("correlation-remover", "ridge", {}),
    ("fair-gbm", "", {"trees": 5}),
    ("fair-forest", "", {"trees": 5}),
    ("dp-reduction", "", {"rounds": 5, "levels": 10}),
]


@pytest.mark.parametrize(("name", "plain", "options"), METHODS, ids=[m[0] for m in METHODS])
@pytest.mark.parametrize("check", [c for c in dir(MethodConformance) if c.startswith("test_")])
def test_method(name, plain, options, check):
    class Case(MethodConformance):
        component: ClassVar = name
        training: ClassVar = Training(epochs=2)

    Case.options, Case.plain = options, plain
    Case.scales = name != "fair-gbm"  # rounding decides between cuts of a tree that are as good
    getattr(Case(), check)()
