"""All stages in order, and one of the user's own among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import headrace as hr

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl


class Count(hr.Stage):
    """Count the rows held out."""

    def __init__(self) -> None:
        self.seen = 0

    def run(self, pipeline: hr.Pipeline, context: hr.Context) -> None:
        assert pipeline.is_trained
        assert "train" in context.results
        self.seen = context.test.height


STEPS = [
    hr.transform.Select(["age", "hours"]),
    hr.clean.Impute(),
    hr.normalize.Standardize(),
    hr.Network([8], epochs=5, batch_size=32),
]


@pytest.mark.slow
def test_the_five_stages_and_ones_own(table: pl.DataFrame, tmp_path: Path) -> None:
    count = Count()
    stages = [
        hr.Train(),
        count,
        hr.Evaluate(importance=False, resamples=200),
        hr.Tune(trials=1),
        hr.Deploy(),
        hr.Maintain(),
    ]
    pipe = hr.Pipeline(STEPS, target="rich", stages=stages)
    result = pipe.run(table, to=tmp_path / "registry")
    assert list(result.results) == ["train", "evaluate", "tune", "deploy", "maintain"]
    assert count.seen == 120
    assert hr.load(tmp_path / "registry").is_trained
    page = result.report(tmp_path / "report.html").read_text()
    assert "roc_auc" in page
    assert result["deploy"].version in page  # type: ignore[attr-defined]


def test_clusters_run_without_tuning(table: pl.DataFrame, tmp_path: Path) -> None:
    pipe = hr.Pipeline([hr.clean.Impute(), hr.KMeans(2, columns=["age", "hours"])])
    result = pipe.run(table, to=tmp_path)
    assert list(result.results) == ["train", "evaluate", "deploy", "maintain"]


def test_too_few_rows_are_refused(table: pl.DataFrame) -> None:
    with pytest.raises(hr.DataError, match="at least 10; received 5"):
        hr.Pipeline(STEPS, target="rich").run(table.head(5))


def test_a_stage_that_is_none_is_refused() -> None:
    with pytest.raises(hr.SettingError, match="is no stage"):
        hr.Pipeline(target="rich", stages=["train"])  # type: ignore[list-item]


def test_a_table_larger_than_memory_is_not_held(
    table: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headrace import run
    from headrace.train import training

    for module in (run, training):
        monkeypatch.setattr(module, "fits_in_memory", lambda source, engine: False)
    table.select("age", "hours", "rich").write_parquet(tmp_path / "rows.parquet")
    stages = [hr.Train(), hr.Evaluate(importance=False, resamples=200), hr.Maintain()]
    pipe = hr.Pipeline(STEPS, target="rich", stages=stages)
    result = pipe.run(tmp_path / "rows.parquet", to=tmp_path / "registry")
    assert list(result.results) == ["train", "evaluate", "maintain"]
    trained = result["train"]
    assert trained.rows + trained.validation_rows + result["evaluate"].rows == 600
    again = hr.Pipeline(STEPS, target="rich", stages=stages).run(
        tmp_path / "rows.parquet", to=tmp_path / "registry"
    )
    assert again["train"].history == trained.history
