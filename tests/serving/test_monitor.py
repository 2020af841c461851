"""New rows are judged beside the server, and seldom for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.serving.app import create_app
from headrace.serving.monitor import Monitor
from tests.serving.client import ask

if TYPE_CHECKING:
    from pathlib import Path


def made(rows: int, seed: int, moved: float = 0.0) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "size": random.normal(moved, 1, rows),
            "größe": random.choice(["klein", "groß"], rows),
            "when": np.datetime64("2024-01-01", "us")
            + random.integers(0, 10**6, rows).astype("timedelta64[s]"),
        }
    )
    return frame.with_columns(pl.col("when").dt.to_string("iso")).to_dicts()


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = pl.DataFrame(made(1_500, 0)).with_columns(
        bought=pl.when(pl.col("size") > 0).then(pl.lit("yes")).otherwise(pl.lit("no"))
    )
    pipe = hr.Pipeline(
        [
            hr.transform.Dates(),
            hr.transform.Encode(),
            hr.normalize.Standardize(),
            hr.Network([4], epochs=1),
        ],
        target="bought",
    )
    pipe.train(rows)
    folder: Path = tmp_path_factory.mktemp("monitored") / "models"
    pipe.deploy(folder)
    return folder


def test_moved_rows_raise_an_alarm_and_equal_ones_do_not(registry: Path) -> None:
    app = create_app(registry)
    service = app.state.service
    service.monitor = Monitor(1e-9, fewest=300, false_alarms=1.0)
    service.monitor.rate = 0.001
    ask(app, "POST", "/predict", json={"rows": made(400, 1)}).raise_for_status()
    service.judge()
    report = service.monitor.report
    assert report["rows"] == 400
    assert not any(one["alarm"] for one in report["columns"].values())
    ask(app, "POST", "/predict", json={"rows": made(200, 2, moved=2.0)}).raise_for_status()
    service.judge()
    assert service.monitor.report is report  # too few new rows
    gaps = [row | {"größe": None} for row in made(400, 3, moved=2.0)]
    ask(app, "POST", "/predict", json={"rows": gaps}).raise_for_status()
    service.judge()
    report = service.monitor.report
    assert report["rows"] == 600
    assert report["columns"]["size"]["alarm"]
    assert report["columns"]["größe"]["missing"] == pytest.approx(2 / 3)
    text = ask(app, "GET", "/metrics").text
    assert 'headrace_column_drift_alarm{column="size"} 1.0' in text
    assert 'headrace_column_missing_ratio{column="größe"}' in text
    says = ask(app, "GET", "/admin/dashboard").json()
    assert says["monitor"]["columns"]["size"]["words"]


def test_the_rate_is_that_of_a_month() -> None:
    assert Monitor(60.0).rate == pytest.approx(0.05 / 43_200)
    assert Monitor(0.0).rate == 0.0


def test_a_failure_is_told_and_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = Monitor(0.0)
    assert monitor.look(tmp_path, [{"a": 1}]) is None
    assert "monitoring failed" in caplog.text
