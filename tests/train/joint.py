"""The network of target and protected attribute under a weighting by its name."""

from functools import partial

from fairbench.plugins import load
from fairbench_baselines.weighted import Joint


def joint(name):
    """A method to be called with its options, as the class of one is."""
    return partial(Joint, rule=load().find("weighting", name).build({}))
