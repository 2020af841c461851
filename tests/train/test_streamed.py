from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.errors import DataError, SettingError
from headrace.train import contents, training

if TYPE_CHECKING:
    from pathlib import Path

NETWORK: dict[str, Any] = {"hidden": [8], "epochs": 2, "batch_size": 64}


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every table as larger than memory."""
    monkeypatch.setattr(training, "fits_in_memory", lambda source, engine: False)


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    random = np.random.default_rng(0)
    count = 6_000
    x, city = random.normal(0, 1, count), random.integers(0, 4, count)
    signal = 1.5 * x + (city == 1) + random.normal(0, 0.5, count)
    return pl.DataFrame(
        {
            "x": np.where(random.random(count) < 0.1, np.nan, x),
            "z": random.gamma(2.0, 3.0, count),
            "city": [f"city {c}" for c in city],
            "day": pl.Series(np.datetime64("2021-01-01") + random.integers(0, 900, count)),
            "price": 100 + 20 * signal,
            "sold": np.where(signal > 0.5, "yes", "no"),
        }
    ).with_columns(pl.col("x").fill_nan(None))


@pytest.fixture(scope="module")
def folder(rows: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("rows")
    for at in range(0, rows.height, 2_500):
        rows.slice(at, 2_500).write_parquet(place / f"{at:05}.parquet", row_group_size=1_000)
    return place


def steps() -> list[Any]:
    return [
        hr.transform.Drop("price"),
        hr.transform.Encode(),
        hr.clean.Impute("mean"),
        hr.transform.Dates(),
        hr.normalize.Standardize(),
        hr.Network(**NETWORK),
    ]


def weights(pipe: hr.Pipeline) -> list[Any]:
    return pipe.fitted.network.weights()


def test_steps_learn_the_same_as_in_memory(
    rows: pl.DataFrame, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, learn = rows.head(500), [folder / "02500.parquet", folder / "05000.parquet"]
    inside = hr.Pipeline(steps(), target="sold")
    inside.train(pl.read_parquet(learn), held)
    monkeypatch.setattr(training, "fits_in_memory", lambda source, engine: False)
    outside = hr.Pipeline(steps(), target="sold")
    result = outside.train(learn, held)
    assert (result.rows, result.validation_rows) == (3_500, 500)
    assert outside.fitted.target == inside.fitted.target
    new = rows.tail(300)
    expected, found = inside.transform(new), outside.transform(new)
    assert found.columns == expected.columns
    for name in expected.columns:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-9)
    for column in inside.fitted.profile.columns:
        other = outside.fitted.profile[column.name]
        assert (other.rows, other.missing, other.values) == (3_500, column.missing, column.values)
        assert other.mean == pytest.approx(column.mean)


@pytest.mark.usefixtures("streams")
def test_files_change_no_weight_and_held_rows_are_predicted_as_well(
    rows: pl.DataFrame, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.write_parquet(tmp_path / "one.parquet")
    pipes = [hr.Pipeline(steps(), target="sold", seed=3) for _ in range(3)]
    pipes[0].train(folder)
    pipes[1].train(tmp_path / "one.parquet")
    for left, right in zip(weights(pipes[0]), weights(pipes[1]), strict=True):
        np.testing.assert_array_equal(left, right)
    monkeypatch.undo()
    pipes[2].train(rows)
    scores = [
        pipe.evaluate(rows.tail(1_500), compare=(), importance=False).metrics["roc_auc"].value
        for pipe in (pipes[0], pipes[2])
    ]
    assert scores[0] > 0.9
    assert scores[0] == pytest.approx(scores[1], abs=0.02)


@pytest.mark.usefixtures("streams")
@pytest.mark.parametrize("suffix", ["csv", "ndjson"])
def test_texts_are_read_as_in_memory(rows: pl.DataFrame, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows.{suffix}"
    numbers = rows.select("x", "z", grade=(pl.col("price") > 100).cast(pl.Int64))
    {"csv": numbers.write_csv, "ndjson": numbers.write_ndjson}[suffix](path)
    scan = pl.scan_csv(path, infer_schema=False) if suffix == "csv" else pl.scan_ndjson(path)
    pipe = hr.Pipeline(
        [hr.clean.Impute(), hr.normalize.Standardize(), hr.Network(**NETWORK)], target="grade"
    )
    pipe.train(scan)
    assert pipe.classes == (0, 1)


@pytest.mark.usefixtures("streams")
def test_target_means_see_no_own_label_and_gaps_and_weights_count(
    rows: pl.DataFrame, tmp_path: Path
) -> None:
    some = rows.with_columns(
        pl.when(pl.int_range(pl.len()) % 4 > 0).then("price").alias("price"),
        heavy=pl.lit(2.0),
    ).drop("sold")
    some.write_parquet(tmp_path / "rows.parquet")
    chosen = [
        hr.transform.TargetMean(),
        hr.clean.Impute("mean"),
        hr.transform.Dates(),
        hr.normalize.Standardize(),
        hr.Network(**NETWORK),
    ]
    pipe = hr.Pipeline(chosen, target="price")
    result = pipe.train(pl.scan_parquet(tmp_path / "rows.parquet"), weight="heavy")
    assert result.rows + result.validation_rows == 4_500
    assert "1,500 of 6,000 rows have no 'price' and were left out" in result.notes
    known = some["price"].drop_nulls()
    assert pipe.fitted.target is not None
    assert pipe.fitted.target.mean == pytest.approx(known.mean())
    assert pipe.fitted.target.scale == pytest.approx(known.std(ddof=0))
    assert "heavy" not in pipe.schema


@pytest.mark.usefixtures("streams")
def test_a_kept_store_is_not_written_again(folder: Path, tmp_path: Path) -> None:
    pipe = hr.Pipeline(steps(), target="sold")
    pipe.train(folder, checkpoint=tmp_path / "kept")
    stores = {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").rglob("numbers")}
    assert len(stores) == 2
    again = hr.Pipeline(steps(), target="sold")
    again.train(folder, checkpoint=tmp_path / "kept")
    assert {path: path.stat().st_mtime_ns for path in stores} == stores
    for left, right in zip(weights(pipe), weights(again), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.slow
@pytest.mark.usefixtures("streams")
def test_workers_write_the_same_store(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "partition_rows", lambda *_: 700)
    scan = pl.scan_parquet(folder / "*.parquet")
    stores = []
    with ThreadPoolExecutor(2) as pool:
        for name, executor in (("here", None), ("there", pool)):
            line = [hr.transform.TargetMean(), *steps()]
            pipe = hr.Pipeline(line, target="sold", executor=executor)
            pipe.train(scan, checkpoint=tmp_path / name)
            kept = tmp_path / name / "features"
            stores.append({path.relative_to(kept): path.read_bytes() for path in kept.glob("*/*")})
    assert [path.name for path in stores[0]].count("numbers") == 2
    assert stores[1] == stores[0]


@pytest.mark.usefixtures("streams")
def test_the_newest_rows_can_be_held_out(folder: Path) -> None:
    pipe = hr.Pipeline(steps(), target="sold")
    result = pipe.train(folder, hr.Split(share=0.25, time="day"))
    assert result.validation_rows == pytest.approx(1_500, rel=0.1)
    assert "there is no second training on all rows out of core" in result.notes


@pytest.mark.usefixtures("streams")
@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"target": ["price", "sold"]}, "several targets need the whole table"),
        (
            {"target": "sold", "steps": [hr.clean.DropDuplicates()]},
            r"steps that remove rows \(clean.DropDuplicates\(\)\) need the whole",
        ),
        (
            {"target": "sold", "network": hr.Network(refit=True)},
            re.escape("a second training on all rows (refit=True) need the whole table"),
        ),
    ],
)
def test_what_needs_the_whole_table_is_refused(
    folder: Path, settings: dict[str, Any], text: str
) -> None:
    with pytest.raises(SettingError, match=text):
        hr.Pipeline(**settings).train(folder)


class Doubled(hr.PythonTransformer):
    """Double a number and add another."""

    def transform(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(pl.col("z") * 2, root=pl.col("z").sqrt())


class Ranked(hr.PythonTransformer):
    """Learn something of all rows."""

    def fit(self, frame: pl.DataFrame) -> None:
        self.rows = frame.height

    def transform(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame


@pytest.mark.usefixtures("streams")
def test_free_python_sees_batches_unless_it_learns(rows: pl.DataFrame, folder: Path) -> None:
    pipe = hr.Pipeline([Doubled(), *steps()], target="sold")
    pipe.train(folder)
    behind = pipe.transform(rows)
    assert abs(np.corrcoef(behind["root"], rows["z"].sqrt())[0, 1]) == pytest.approx(1)
    with pytest.raises(SettingError, match="Ranked is free Python that learns .*whole table"):
        hr.Pipeline([Ranked(), *steps()], target="sold").train(folder)


@pytest.mark.usefixtures("streams")
def test_a_bad_weight_names_its_row(rows: pl.DataFrame, tmp_path: Path) -> None:
    bad = rows.with_columns(w=pl.when(pl.int_range(pl.len()) == 4_321).then(-1.0).otherwise(1.0))
    bad.write_parquet(tmp_path / "rows.parquet")
    with pytest.raises(DataError, match=r"(?s)'w'.*4,?321.*a weight must be a number, 0 or more"):
        hr.Pipeline(steps(), target="sold").train(tmp_path / "rows.parquet", weight="w")
