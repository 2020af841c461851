from __future__ import annotations

import json
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from headrace.errors import SettingError
from headrace.train.interval_frames import score_intervals
from headrace.train.scoring import batch_outputs

if TYPE_CHECKING:
    from pathlib import Path

    import headrace as hr


def test_the_answer_comes_in_the_kind_of_table_that_was_given(
    ranged: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    found = ranged.predict(fresh, interval=0.9)
    assert found.schema == dict.fromkeys(["prediction", "low", "high"], pl.Float64)
    assert (found["low"] < found["prediction"]).all()
    assert np.allclose(found["prediction"], ranged.predict(fresh))
    frame = fresh.to_pandas().set_index(np.arange(300) + 1000)
    given = ranged.predict(frame, interval=0.9)
    assert given.index.tolist() == frame.index.tolist()
    assert np.array_equal(given["high"].to_numpy(), found["high"].to_numpy())
    assert ranged.predict(fresh.to_dicts(), interval=0.9).equals(found)


def test_sets_are_lists_of_labels_in_their_own_type(
    grouped: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    found = grouped.predict(fresh, interval=0.9)
    assert found.schema["set"] == pl.List(pl.Int64)
    assert all(p in labels for p, labels in zip(found["prediction"], found["set"], strict=True))
    given = grouped.predict(fresh.to_pandas(), interval=0.9)
    assert given["set"].tolist() == found["set"].to_list()


def test_lazy_tables_stay_lazy_and_answer_the_same(
    ranged: hr.Pipeline, grouped: hr.Pipeline, fresh: pl.DataFrame, tmp_path: Path
) -> None:
    fresh.write_parquet(tmp_path / "fresh.parquet")
    scan = pl.scan_parquet(tmp_path / "fresh.parquet")
    for pipe in (ranged, grouped):
        lazy = pipe.predict(scan, interval=0.9)
        assert isinstance(lazy, pl.LazyFrame)
        assert lazy.collect().equals(pipe.predict(fresh, interval=0.9))
        assert lazy.head(3).collect().height == 3


def test_an_answer_does_not_depend_on_the_rows_beside_it(
    grouped: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    whole = grouped.predict(fresh, interval=0.8)
    some = grouped.predict(fresh[100:110], interval=0.8)
    assert whole[100:110].equals(some)


def test_workers_answer_the_same(
    ranged: hr.Pipeline, grouped: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    for pipe in (ranged, grouped):
        alone = pipe.predict(fresh.lazy(), interval=0.9).collect()
        with ThreadPoolExecutor(2) as threads:
            pipe.set_params(executor=threads)
            try:
                assert pipe.predict(fresh.lazy(), interval=0.9).collect().equals(alone)
            finally:
                pipe.set_params(executor=None)


def test_a_table_without_rows_has_an_answer_without_rows(
    ranged: hr.Pipeline, grouped: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    assert ranged.predict(fresh.head(0), interval=0.9).height == 0
    assert grouped.predict(fresh.head(0), interval=0.9).schema["set"] == pl.List(pl.Int64)
    assert ranged.predict(fresh.head(0).lazy(), interval=0.9).collect().height == 0


def test_one_row_has_an_interval(ranged: hr.Pipeline, fresh: pl.DataFrame) -> None:
    assert ranged.predict(fresh.head(1), interval=0.9).row(0) == pytest.approx(
        ranged.predict(fresh, interval=0.9).row(0)
    )


def test_a_level_for_which_too_few_rows_calibrated_is_warned_of(
    ranged: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    with pytest.warns(UserWarning, match="the 700 calibration rows of 'wage' are too few for the"):
        found = ranged.predict(fresh, interval=0.999)
    assert found["low"].is_infinite().all()


def test_nothing_calibrated_is_an_error_that_says_what_to_do(
    trained: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    with pytest.raises(SettingError, match=r"call pipe.calibrate\(data\) with labelled rows"):
        trained.predict(fresh, interval=0.9)


@pytest.mark.parametrize("level", [90, 0, "0.9"])
def test_a_level_is_checked(ranged: hr.Pipeline, fresh: pl.DataFrame, level: object) -> None:
    with pytest.raises(SettingError, match="interval must be a number between 0 and 1"):
        ranged.predict(fresh, interval=level)


@pytest.mark.parametrize("suffix", ["parquet", "ndjson", "csv"])
def test_files_are_answered_in_files(
    grouped: hr.Pipeline, fresh: pl.DataFrame, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"answers.{suffix}"
    assert score_intervals(grouped.fitted, fresh, out, 0.9, batch_outputs) == 300
    expected = grouped.predict(fresh, interval=0.9)
    if suffix == "csv":
        sets = [json.loads(text) for text in pl.read_csv(out)["set"]]
    else:
        read = pl.read_parquet if suffix == "parquet" else pl.read_ndjson
        sets = read(out)["set"].to_list()
    assert sets == expected["set"].to_list()


def test_predictions_without_intervals_are_as_before(
    ranged: hr.Pipeline, regression: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ranged.predict(fresh).equals(regression.predict(fresh))
