"""What methods share that are built on groups, on rank maps, or around another method.

`PreProcessor` and `PostProcessor` are the base classes of methods that wrap another, their `base`.
"""

from fairbench.wrap.draws import uniforms
from fairbench.wrap.groups import Grouping, attributes_of, grouping, sensitive, target_bins
from fairbench.wrap.post import Adjustment, PostProcessor, Rows, Sample
from fairbench.wrap.pre import PreProcessor
from fairbench.wrap.ranks import Ranks
from fairbench.wrap.wrapper import Wrapper

__all__ = [
    "Adjustment",
    "Grouping",
    "PostProcessor",
    "PreProcessor",
    "Ranks",
    "Rows",
    "Sample",
    "Wrapper",
    "attributes_of",
    "grouping",
    "sensitive",
    "target_bins",
    "uniforms",
]
