"""A stranger's plugin whose one method misbehaves in the way its option `act` says."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from fairbench.method import Method, Prediction, Trained, Work
from fairbench.plugins import MethodDescription, hookimpl


@dataclass(frozen=True)
class Trouble(Method):
    act: Literal[
        "fine",
        "raise",
        "die",
        "once",
        "sleep",
        "stubborn",
        "shape",
        "exit",
        "print",
        "nan",
        "late",
        "stop",
        "busy",
    ] = "fine"
    marker: str = ""
    low_level: bool = False
    """Whether to print behind Python's back too, as code in C does."""

    def train(self, work: Work, /) -> Trained:
        again = bool(self.marker) and Path(self.marker).exists()
        if self.marker:
            Path(self.marker).touch()
        match self.act:
            case "raise" if not again:
                raise RuntimeError("out of order")
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "once" if not again:
                os.kill(os.getpid(), signal.SIGKILL)
            case "sleep":
                time.sleep(600)
            case "stop" if not again:
                os.kill(os.getpid(), signal.SIGSTOP)
            case "busy":
                end = time.monotonic() + 2
                while time.monotonic() < end:
                    pass
            case "late":
                time.sleep(0.5)
            case "exit":
                raise SystemExit(3)
            case "print":
                print("noise on standard output")
                os.write(1, b"noise on the descriptor\n" * self.low_level)
            case "shape":
                return Trained([Prediction(np.zeros(3), np.zeros(3)) for _ in work.trials])
        split = work.fold.split
        value = np.nan if self.act == "nan" else 1.0
        test = np.full((split.test.size, 1), value)
        record = {"epochs": np.array(1)}
        if self.act == "stubborn":
            record = {"model": np.array(lambda: None)}  # an object, which no file could hold
        made = Prediction(np.zeros((split.validation.size, 1)), test, record)
        return Trained([made for _ in work.trials], 7)


@hookimpl
def fairbench_methods():
    yield MethodDescription(name="trouble", summary="Misbehaves", target="trouble:Trouble")
