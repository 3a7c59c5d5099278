"""What is the dask executor's own: a scheduler that runs already, versions, the extra."""

from __future__ import annotations

import logging
import sys

import pytest

import fairbench
from fairbench.errors import StudyError
from fairbench.execute import Limits
from fairbench.execute.dask import Dask


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(StudyError, match="needs the package distributed") as caught:
        Dask().width(Limits(), 1)
    assert caught.value.mend == "pip install 'fairbench-mtl[dask]'"


def test_a_scheduler_that_does_not_answer(monkeypatch):
    from fairbench.execute import cluster

    monkeypatch.setitem(cluster.SETTINGS, "distributed.comm.timeouts.connect", "300ms")
    with pytest.raises(StudyError, match="no Dask scheduler answers") as caught:
        Dask("tcp://127.0.0.1:9").width(Limits(), 1)
    assert caught.value.where == "--scheduler tcp://127.0.0.1:9"


def versions(**packages: str) -> dict:
    return {"packages": {"python": "3.11.7", "torch": "2.13.0", **packages}}


class Workers:
    def __init__(self, **workers: dict) -> None:
        self.workers = workers

    def get_versions(self, packages):
        return {"client": versions(), "workers": self.workers}


def test_workers_with_other_versions_are_refused():
    from fairbench.execute.cluster import _check

    _check(Workers(a=versions(), b=versions()))
    with pytest.raises(StudyError) as caught:
        _check(Workers(a=versions(), b=versions(torch="2.12.0", python="3.12.1")))
    assert caught.value.what.endswith(
        "python 3.11.7 here, 3.12.1 there; torch 2.13.0 here, 2.12.0 there"
    )
    assert caught.value.where == "Dask worker b"


def test_a_scheduler_that_runs_already(study, trouble, tmp_path):
    from distributed import Client, LocalCluster

    quiet = {"dashboard_address": None, "silence_logs": logging.CRITICAL}
    with LocalCluster(n_workers=1, threads_per_worker=1, **quiet) as running:
        executor = Dask(running.scheduler_address)
        assert executor.width(Limits(), 50) == 1
        asked = study(trouble("fine"), trouble("once", marked=True))
        run = fairbench.run(asked, out=tmp_path / "run", executor=executor)
        assert list(run.trials()["status"]) == ["ok", "ok"]
        with Client(running, set_as_default=False) as client:  # it is still there, and clean
            plugins = client.run(lambda dask_worker: list(dask_worker.plugins))
            assert not [n for names in plugins.values() for n in names if "fairbench" in n]
