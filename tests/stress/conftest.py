"""The plugin that misbehaves on demand, as tests of executors have it."""

from tests.execute.conftest import site, study, trouble

__all__ = ["site", "study", "trouble"]
