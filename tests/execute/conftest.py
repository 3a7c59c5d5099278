"""A plugin that misbehaves on demand, installed so that worker processes find it too."""

from __future__ import annotations

from pathlib import Path

import pytest

TROUBLE = (Path(__file__).parent / "trouble.py").read_text()


@pytest.fixture
def site(install) -> Path:
    """The folder that the distribution ``trouble-maker`` is installed in."""
    return install("trouble-maker", {"trouble": TROUBLE})


@pytest.fixture
def trouble(site, tmp_path):
    """Makes the table of a method that acts like this; one chunk per split."""

    def made(act: str, label: str = "", *, marked: bool = False) -> dict:
        options = {"act": act}
        if marked:
            options["marker"] = str(tmp_path / f"marker-{act}")
        return {"name": "trouble", "label": label or act, "options": options}

    return made


@pytest.fixture
def study():
    """Makes a study of these methods, with one seed, no baseline and few metrics."""
    from fairbench.study import Study

    def made(*methods, **more) -> Study:
        settings = {"datasets": ["synthetic"], "seeds": 1, "baseline": None}
        view = {"metrics": ["rmse", "rmse-disparity"], "training": {"epochs": 1}}
        return Study(**{**settings, **view, "methods": list(methods), **more})

    return made
