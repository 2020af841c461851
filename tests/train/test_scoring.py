from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import headrace as hr
from headrace.cli import app
from headrace.errors import DataError, SettingError
from headrace.train import scoring

if TYPE_CHECKING:
    from pathlib import Path


class Doubled(hr.PythonTransformer):
    """Double a number."""

    def transform(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(pl.col("x") * 2)


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    random = np.random.default_rng(0)
    x = random.normal(0, 1, 1_000)
    return pl.DataFrame({"x": x, "city": random.choice(["a", "b"], 1_000), "y": x > 0.2})


@pytest.fixture(scope="module")
def pipe(rows: pl.DataFrame) -> hr.Pipeline:
    steps = [
        Doubled(),
        hr.transform.Encode(),
        hr.normalize.Standardize(),
        hr.Network([4], epochs=2, patience=None),
    ]
    pipe = hr.Pipeline(steps, target="y")
    pipe.train(rows)
    return pipe


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "_ROWS", 300)


@pytest.fixture
def folder(rows: pl.DataFrame, tmp_path: Path) -> Path:
    for at in range(0, 1_000, 400):
        rows.slice(at, 400).drop("y").write_parquet(tmp_path / f"in-{at:04}.parquet")
    return tmp_path


def test_lazy_rows_give_lazy_answers(pipe: hr.Pipeline, rows: pl.DataFrame, folder: Path) -> None:
    scan = pl.scan_parquet(folder / "in-*.parquet")
    answers = pipe.predict(scan)
    assert isinstance(answers, pl.LazyFrame)
    expected = pipe.predict(rows)
    assert answers.collect()["y"].to_list() == expected.to_list()
    answers.sink_parquet(folder / "answers.parquet")
    assert pl.read_parquet(folder / "answers.parquet")["y"].to_list() == expected.to_list()
    assert answers.head(5).collect()["y"].to_list() == expected.head(5).to_list()
    assert answers.filter(pl.col("y")).collect().height == expected.sum()
    assert answers.select(pl.len()).collect().item() == 1_000


def test_distributions_and_steps_are_lazy_too(
    pipe: hr.Pipeline, rows: pl.DataFrame, folder: Path
) -> None:
    scan = pl.scan_parquet(folder / "in-*.parquet")
    chances = pipe.predict_distribution(scan)
    assert isinstance(chances, pl.LazyFrame)
    np.testing.assert_array_equal(chances.collect().to_numpy(), pipe.predict_proba(rows))
    behind = pipe.transform(scan)
    assert isinstance(behind, pl.LazyFrame)
    assert behind.collect().equals(pipe.transform(rows))


def test_no_rows_give_no_answers(pipe: hr.Pipeline, folder: Path) -> None:
    scan = pl.scan_parquet(folder / "in-*.parquet").filter(pl.col("x") > 100)
    assert pipe.predict(scan).collect().height == 0


def test_files_of_any_size_are_scored(pipe: hr.Pipeline, rows: pl.DataFrame, folder: Path) -> None:
    out = folder / "out.parquet"
    assert scoring.score_file(pipe.fitted, folder / "in-*.parquet", out) == 1_000
    table = pl.read_parquet(out)
    assert table.columns == ["y", "probability_False", "probability_True"]
    assert table["y"].to_list() == pipe.predict(rows).to_list()
    np.testing.assert_array_equal(table[:, 1:].to_numpy(), pipe.predict_proba(rows))
    for suffix in ("csv", "ndjson"):
        assert scoring.score_file(pipe.fitted, folder / "in-*.parquet", folder / f"o.{suffix}")
    assert pl.read_csv(folder / "o.csv").height == pl.read_ndjson(folder / "o.ndjson").height
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_what_cannot_be_scored_leaves_no_file(pipe: hr.Pipeline, folder: Path) -> None:
    with pytest.raises(SettingError, match="can be written to .parquet, .csv, .ndjson, .jsonl"):
        scoring.score_file(pipe.fitted, folder / "in-*.parquet", folder / "out.xlsx")
    with pytest.raises(DataError, match="there is no folder .*nowhere"):
        scoring.score_file(pipe.fitted, folder / "in-*.parquet", folder / "nowhere" / "o.csv")
    pl.DataFrame({"x": ["many"], "city": ["a"]}).write_parquet(folder / "bad.parquet")
    with pytest.raises(DataError, match="'x'.*many"):
        scoring.score_file(pipe.fitted, folder / "bad.parquet", folder / "o.csv")
    assert not (folder / "o.csv").exists()


def test_the_command_line_scores_files(pipe: hr.Pipeline, folder: Path) -> None:
    model = pipe.save(folder / "model")
    asked = ["score", str(model), str(folder / "in-*.parquet")]
    ran = CliRunner().invoke(app, [*asked, str(folder / "out.ndjson")])
    assert ran.exit_code == 0, ran.output
    assert "1,000 rows answered in" in ran.output
    assert pl.read_ndjson(folder / "out.ndjson").height == 1_000
    assert "say where to write the answers" in CliRunner().invoke(app, asked).output


def test_scans_are_evaluated_and_maintained(
    pipe: hr.Pipeline, rows: pl.DataFrame, tmp_path: Path
) -> None:
    gaps = rows.with_columns(pl.when(pl.int_range(pl.len()) % 10 > 0).then("y").alias("y"))
    gaps.write_parquet(tmp_path / "rows.parquet")
    scan = pl.scan_parquet(tmp_path / "rows.parquet")
    whole = pipe.evaluate(gaps, importance=False)
    found = pipe.evaluate(scan, importance=False)
    assert found.metrics["roc_auc"].value == pytest.approx(whole.metrics["roc_auc"].value)
    assert found.rows == 900
    some = pipe.evaluate(scan, most_rows=300, importance=False)
    assert 240 < some.rows < 360
    assert any("of 900 labelled rows is measured" in note for note in some.notes)
    seen, expected = pipe.maintain(scan), pipe.maintain(gaps)
    assert (seen.drift.rows, seen.labels) == (expected.drift.rows, expected.labels) == (1_000, 900)
    assert seen.action == expected.action
