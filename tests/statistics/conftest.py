"""How much the referee looks at."""

import os

import pytest


@pytest.fixture(scope="session")
def times():
    """Multiplies a number of studies: FAIRBENCH_REFEREE is 1 unless it says otherwise."""
    factor = float(os.environ.get("FAIRBENCH_REFEREE", "1"))
    return lambda studies: max(1, round(studies * factor))
