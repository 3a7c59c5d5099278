"""Tables that several tests of methods are about."""

import numpy as np
import pytest

from tests.plugins_builtin.methods.drawn import binary, table


@pytest.fixture
def biased():
    """300 rows: the group moves a feature and the target."""
    rng = np.random.default_rng(3)
    g = (rng.uniform(size=300) < 0.35).astype(int)
    x = rng.normal(size=(300, 4)) + np.outer(g, [1.0, 0.0, -0.5, 0.0])
    y = 10 + x @ [2.0, -1.0, 0.5, 0.0] + 1.5 * g + rng.normal(size=300)
    return table(x, y, binary(g))
