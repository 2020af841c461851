from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from headrace.engine import Engine
from headrace.errors import SettingError
from headrace.plan.features import FeatureSpec
from headrace.sizes import bytes_of
from headrace.train.budget import Budget, available_memory, fits_in_memory, table_bytes

SOURCE = Path(__file__).resolve().parents[2] / "src"
SPEC = FeatureSpec(tuple(f"x{place}" for place in range(20)))


def test_the_window_takes_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)  # its memory is still to come
    small = Budget.of(bytes_of("1.6GB"), 100_000_000, SPEC, held=10_000, rows=10_000_000)
    large = Budget.of(bytes_of("3GB"), 100_000_000, SPEC, held=10_000, rows=10_000_000)
    assert small.window.rows < large.window.rows
    assert small.window.rows % small.window.block == 0
    assert small.estimate <= bytes_of("1.6GB")
    assert large.report() == {"promised": 3e9, "estimate": float(large.estimate)}


def test_the_window_is_no_larger_than_the_rows() -> None:
    budget = Budget.of(bytes_of("3GB"), 100_000_000, SPEC, held=0, rows=10_000)
    assert 10_000 <= budget.window.rows < 10_000 + budget.window.block


def test_a_promise_that_cannot_be_kept_is_refused_with_figures() -> None:
    text = "memory='300 MB' cannot be kept: the process holds 100 MB already, .*about .*Promise"
    with pytest.raises(SettingError, match=text):
        Budget.of(bytes_of("300MB"), 100_000_000, SPEC, held=10, rows=1_000_000)
    with pytest.raises(SettingError, match=text):
        Budget.most_held(bytes_of("300MB"), 100_000_000, 20)


def test_validation_rows_shrink_with_the_memory() -> None:
    few = Budget.most_held(bytes_of("1.6GB"), 100_000_000, 200)
    assert 10_000 <= few < Budget.most_held(bytes_of("2.5GB"), 100_000_000, 200)
    assert Budget.most_held(None, 100_000_000, 200) == 500_000


def test_tables_in_memory_and_small_files_stay_as_they_are(tmp_path: Path) -> None:
    table = pl.DataFrame({"x": np.arange(50_000.0)})
    table.write_parquet(tmp_path / "x.parquet")
    scan = pl.scan_parquet(tmp_path / "x.parquet")
    assert table_bytes(scan) == table.estimated_size()
    assert fits_in_memory(scan, Engine())
    assert not fits_in_memory(scan, Engine(memory=1_000_000))
    assert fits_in_memory(table.lazy(), Engine(memory=1_000_000))
    assert available_memory() > 100_000_000


_TRAIN = """
import json, sys
import headrace as hr
from headrace.model.footprint import most_resident
pipe = hr.Pipeline(target="y", memory="1.7GB", network=hr.Network([8], epochs=1))
result = pipe.train(sys.argv[1])
print(json.dumps({"memory": dict(result.memory), "peak": most_resident(), "summary": result.summary()}))
"""


def test_what_the_parent_held_is_not_counted() -> None:
    held = b"x" * 500_000_000
    asked = "from headrace.model.footprint import most_resident as most; print(most())"
    told = subprocess.check_output(
        [sys.executable, "-c", asked], env=os.environ | {"PYTHONPATH": str(SOURCE)}
    )
    assert 1_000_000 < int(told) < len(held)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="macOS counts compressed pages otherwise")
def test_the_promise_is_kept_by_a_process(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for part in range(4):
        columns = {f"x{place}": random.normal(0, 1, 150_000) for place in range(12)}
        columns["y"] = columns["x0"] + random.normal(0, 1, 150_000)
        pl.DataFrame(columns).write_parquet(tmp_path / f"{part}.parquet", row_group_size=50_000)
    ran = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", _TRAIN, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(SOURCE), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2_000:]
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["memory"]["promised"] == 1.7e9
    assert found["memory"]["estimate"] <= 1.7e9
    assert found["peak"] <= 1.7e9
    assert found["memory"]["peak"] == pytest.approx(found["peak"], rel=0.1)
    assert "memory      promised 1.70 GB, expected at most" in found["summary"]
