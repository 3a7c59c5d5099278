"""Trains many cases with a kernel that is compiled under sanitizers: run as a process of its own.

    LD_PRELOAD=libasan.so python -m tests.fuzz.child SOURCE EXAMPLES

An access out of bounds or undefined behaviour ends the process; numbers that differ from torch's
in double precision are an error of Python's.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import torch
from hypothesis import HealthCheck, Phase, Verbosity, given, settings

from fairbench.kernel import build
from tests.fuzz.cases import REVERSED, Case, cases, method_of, work_of
from tests.train.conftest import begun
from tests.train.plain import plain_fit, plain_predict

SANITIZED = (
    *(flag for flag in build.SHARED if flag != "-s"),  # reports name functions
    "-O1",
    "-g",
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-ffp-contract=fast",
)
COMPARED = 3
"""Trials of a case that are held against torch: the first, the last, and one in between."""


def train(case: Case) -> None:
    """Train it in both precisions, and hold double precision against a plain loop of torch."""
    method, work = method_of(case), work_of(case, "float64")
    assert type(begun(method, work).steps._learner).__name__ == "KernelLearner"
    method.train(work_of(case, "float32"))
    predictions = method.train(work).predictions
    adversarial = (lambda _value, _progress: REVERSED) if case.weighting == "reversed" else None
    for at in sorted({0, len(work.trials) // 2, len(work.trials) - 1}):
        trial, prediction = work.trials[at], predictions[at]
        module, epochs = plain_fit(method, work, trial, adversarial=adversarial)
        assert (prediction.status, prediction.record["epochs"]) == ("ok", epochs), trial
        for part in ("validation", "test"):
            expected = plain_predict(method, work, module, part)
            np.testing.assert_allclose(getattr(prediction, part), expected, rtol=1e-7, atol=1e-7)


def main(source: str, examples: str) -> None:
    os.environ.pop("LD_PRELOAD")  # the compiler is called without it
    torch.set_num_threads(1)
    build.SOURCE = Path(source).resolve()
    build.FLAGS = build.RULE_FLAGS = SANITIZED
    count = 0

    @settings(
        max_examples=int(examples),
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],  # a process that was ended shrinks nothing
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    @given(cases())
    def all_agree(case: Case) -> None:
        nonlocal count
        count += 1
        print(f"case {count}: {case}", flush=True)  # the last one printed is the one that failed
        train(case)

    all_agree()
    print(f"{count} cases agree")


if __name__ == "__main__":
    main(*sys.argv[1:])
