"""What is the dask executor's own: a scheduler that runs already, versions, the extra."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import fairbench
from fairbench.errors import StudyError
from fairbench.execute import Limits
from fairbench.execute.dask import Dask
from tests.execute.commands import children


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(StudyError, match="needs the package distributed") as caught:
        Dask().width(Limits(), 1)
    assert caught.value.hint == "pip install 'fairbench-mtl[dask]'"


def test_a_scheduler_that_does_not_answer(monkeypatch):
    from fairbench.execute import cluster

    monkeypatch.setitem(cluster.SETTINGS, "distributed.comm.timeouts.connect", "300ms")
    with pytest.raises(StudyError, match="no Dask scheduler answers") as caught:
        Dask("tcp://127.0.0.1:9").width(Limits(), 1)
    assert caught.value.where == "--scheduler tcp://127.0.0.1:9"


def listening() -> list[tuple[str, int]]:
    """Addresses at which this process or one that it started listens for TCP."""
    inodes = set()
    for pid in (os.getpid(), *children()):
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = str(fd.readlink())
            except OSError:
                continue
            inodes |= {target[8:-1]} if target.startswith("socket:") else set()
    found = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and fields[9] in inodes:
            host, port = fields[1].split(":")
            found.append((socket.inet_ntoa(bytes.fromhex(host)[::-1]), int(port, 16)))
    return found


def answer(address: tuple[str, int], context: ssl.SSLContext | None) -> bytes:
    """What a stranger on this machine hears there who asks for a page."""
    with socket.create_connection(address, timeout=20) as plain:
        wrapped = context.wrap_socket(plain) if context else plain
        try:
            wrapped.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return wrapped.recv(100)
        finally:
            wrapped.close()


def test_a_cluster_of_this_machine_talks_to_nobody_else():
    from distributed import Client

    from fairbench.execute.cluster import connected

    before = set(listening())
    stranger = ssl.create_default_context()
    stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE
    with connected("", 1, {}, 100.0) as client:
        assert client.scheduler.address.startswith("tls://127.0.0.1:")
        ours = [address for address in listening() if address not in before]
        assert len(ours) >= 3  # scheduler, nanny and worker
        for address in ours:
            assert address[0] == "127.0.0.1"
            with pytest.raises(OSError):  # noqa: PT011  # no certificate, or no encryption at all
                answer(address, stranger)
            with suppress(ConnectionError):
                assert not answer(address, None).startswith(b"HTTP")
        plain = client.scheduler.address.replace("tls://", "tcp://")
        with pytest.raises(OSError):  # noqa: PT011
            Client(plain, timeout="500ms", set_as_default=False)
    assert os.environ.get("PYTHONSAFEPATH") is None
    assert not children()


@pytest.fixture
def certificates(tmp_path):
    """PEM files of an authority and of a certificate that it signed, as options of the executor."""
    from distributed import Security

    made = Security.temporary()
    texts = {"ca": made.tls_ca_file, "cert": made.tls_client_cert, "key": made.tls_client_key}
    for name, text in texts.items():
        (tmp_path / f"{name}.pem").write_text(text)
    return {name: str(tmp_path / f"{name}.pem") for name in texts}


def test_a_scheduler_with_tls(study, trouble, tmp_path, certificates):
    from distributed import LocalCluster, Security

    files = {"tls_ca_file": certificates["ca"], "require_encryption": True}
    for role in ("scheduler", "worker", "client"):
        files |= {f"tls_{role}_{part}": certificates[part] for part in ("cert", "key")}
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tls", host="127.0.0.1",
        security=Security(**files), dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL,
    ) as running:  # fmt: skip
        address = running.scheduler_address
        assert address.startswith("tls://")
        executor = Dask(address, **certificates)
        run = fairbench.run(study(trouble("fine")), out=tmp_path / "run", executor=executor)
        assert list(run.trials()["status"]) == ["ok"]
        with pytest.raises(StudyError, match="no Dask scheduler answers") as caught:
            Dask(address).width(Limits(), 1)
        assert "executor.ca" in caught.value.hint


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"key": ""}, "ca, cert and key are needed together"),
        ({"cert": "nowhere.pem"}, "'nowhere.pem' is no file"),
        ({"scheduler": "tcp://127.0.0.1:9"}, "certificates are for a scheduler with TLS"),
    ],
)
def test_certificates_that_do_not_fit(given, complaint, certificates):
    asked = {"scheduler": "tls://127.0.0.1:9", **certificates, **given}
    with pytest.raises(StudyError, match=complaint):
        Dask(**asked).width(Limits(), 1)


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


@pytest.mark.parametrize("theirs", ["g++ 99, sha256 0", "none (no C++ compiler)"])
def test_a_worker_with_another_kernel_trains_nothing(theirs, monkeypatch):
    """Also one that comes late: what it would give are other numbers under one identity."""
    from fairbench.execute import cluster

    ours = cluster._versions(cluster.get_versions(cluster.PACKAGES))
    monkeypatch.setattr(cluster, "_kernel", lambda: theirs)
    monkeypatch.setattr(cluster, "limit_threads", lambda: None)
    for kernel, differences in ((theirs, ""), ("g++ 12", f"kernel g++ 12 here, {theirs} there")):
        kit = cluster.Kit(None, {**ours, "kernel": kernel})
        asyncio.run(kit.setup(None))
        assert kit.differences == differences


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
