"""What several verbs are tried on."""

from __future__ import annotations

import pytest


@pytest.fixture
def wages(install):
    """A dataset whose file ships with no package and has to be downloaded."""
    source = """
        from fairbench.dataset import Card, DatasetSource, File, ProtectedColumn, Roles
        from fairbench.plugins import DatasetDescription, hookimpl

        class Wages(DatasetSource):
            card = Card(title="Wages", source="nowhere", licence="CC0")
            roles = Roles(targets=("wage",), protected={"sex": ProtectedColumn("binary")})
            files = (File("wages.csv", sha256="0" * 64, url="https://example.invalid/wages.csv"),)

            def table(self, locate):
                return locate(self.files[0])

        @hookimpl
        def fairbench_datasets():
            yield DatasetDescription(name="wages", summary="x", target="acme_data:Wages")
    """
    install("acme-data", {"acme_data": source})
