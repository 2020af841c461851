"""One seed gives one network, in every process with as many threads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"
TRAINING = """
import hashlib, sys
import numpy as np
from headrace.model.network import Network
from headrace.model.target import TargetSpec
from headrace.plan.features import Features, FeatureSpec

random = np.random.default_rng(0)
numbers = random.normal(size=(3000, 6)).astype(np.float32)
codes = random.integers(0, 9, size=(3000, 2)).astype(np.int32)
target = (numbers[:, 0] * numbers[:, 1] + codes[:, 0] > 4).astype(np.int32)
features = Features(numbers, codes)
fitted = Network(sys.argv[1], epochs=2).fit(
    features, target, feature_spec=FeatureSpec(tuple("abcdef"), ("g", "h"), (9, 9)),
    target_spec=TargetSpec("y", "binary", classes=(0, 1)),
    validation=(features.take(slice(0, 500)), target[:500]),
)
digest = hashlib.sha256()
for array in fitted.weights():
    digest.update(np.ascontiguousarray(array).tobytes())
print(digest.hexdigest())
"""


def digest(architecture: str, threads: int) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", TRAINING, architecture],
        env=os.environ
        | {"PYTHONPATH": str(SOURCE), "TF_NUM_INTRAOP_THREADS": str(threads)}
        | {"HEADRACE_PROGRESS": "0"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout.split()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["tabm", "realmlp"])
def test_weights_do_not_depend_on_the_process(architecture: str) -> None:
    # More threads add long sums up in another order, so only as many give the same bits.
    assert digest(architecture, 2) == digest(architecture, 2)
