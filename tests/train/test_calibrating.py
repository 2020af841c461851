from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.conformal.settings import Conformal
from headrace.data.split import Split
from headrace.errors import DataError, NotTrainedError, SettingError
from headrace.train.calibrating import calibrated, hold_out
from headrace.train.training import continue_training

if TYPE_CHECKING:
    from pathlib import Path

ROWS = pl.DataFrame({"day": range(100), "who": [i // 10 for i in range(100)]})


def test_rows_are_held_out_at_random() -> None:
    learn, held = hold_out(ROWS, Conformal(share=0.3), None, seed=0)
    assert (learn.height, held.height) == (70, 30)
    assert sorted([*learn["day"], *held["day"]]) == list(range(100))
    assert held["day"].to_list() != list(range(70, 100))


def test_the_newest_rows_are_held_out_where_the_newest_decide_when_to_stop() -> None:
    learn, held = hold_out(ROWS, Conformal(share=0.3), Split(share=0.1, time="day"), seed=0)
    assert learn["day"].max() < held["day"].min()
    assert held.height == 30


def test_whole_groups_are_held_out() -> None:
    learn, held = hold_out(ROWS, Conformal(share=0.3), Split(group="who"), seed=0)
    assert not set(learn["who"]) & set(held["who"])


def test_rows_of_files_are_held_out_lazily(tmp_path: Path) -> None:
    ROWS.write_parquet(tmp_path / "rows.parquet")
    scan = pl.scan_parquet(tmp_path / "rows.parquet")
    learn, held = hold_out(scan, Conformal(share=0.3), None, seed=0)
    assert isinstance(learn, pl.LazyFrame)
    both = pl.concat([learn, held]).collect()
    assert sorted(both["day"]) == list(range(100))


def test_a_network_with_conformal_comes_with_intervals(
    table: pl.DataFrame, fresh: pl.DataFrame
) -> None:
    network = hr.Network(
        "linear", epochs=3, conformal=hr.Conformal(share=0.4, by="member"), patience=2
    )
    pipe = hr.Pipeline(target="wage", network=network)
    result = pipe.train(table.drop("rich", "grade"))
    conformal = pipe.fitted.conformal["wage"]
    assert conformal.rows == 240
    assert result.rows + result.validation_rows == 360
    assert "240 more rows were held out of all this and calibrated" in result.summary()
    assert conformal.names(pipe.fitted.network.target_spec) == ["member false", "member true"]
    assert pipe.predict(fresh.drop("rich", "grade"), interval=0.8).columns == [
        "prediction",
        "low",
        "high",
    ]


def test_unlabelled_rows_do_not_calibrate(regression: hr.Pipeline, spare: pl.DataFrame) -> None:
    gaps = spare.with_columns(pl.when(pl.int_range(pl.len()) % 2 == 0).then("wage").alias("wage"))
    fitted = calibrated(regression.fitted, gaps, Conformal())
    assert fitted.conformal["wage"].rows == 350


def test_files_calibrate_as_tables_do(
    regression: hr.Pipeline, spare: pl.DataFrame, tmp_path: Path
) -> None:
    spare.write_parquet(tmp_path / "spare.parquet")
    spec = regression.fitted.network.target_spec
    held = calibrated(regression.fitted, spare, Conformal(by="job"))
    scan = calibrated(regression.fitted, tmp_path / "spare.parquet", Conformal(by="job"))
    reaches = [one.conformal["wage"].reach(spec, 0.9) for one in (held, scan)]
    assert np.array_equal(*reaches)


def test_the_column_of_groups_may_not_be_absent(
    regression: hr.Pipeline, spare: pl.DataFrame
) -> None:
    optional = tuple(replace(column, optional=True) for column in regression.schema)
    loose = replace(regression.fitted, schema=hr.Schema(optional))
    fitted = calibrated(loose, spare, Conformal(by="job"))
    needed = [column.name for column in fitted.schema if not column.optional]
    assert needed == ["job"]


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"by": "jobb"}, SettingError, "by='jobb' is none of the columns .*perhaps 'job' is meant"),
        ({"by": "joined"}, SettingError, "'joined' of by holds dates"),
        ({"by": "wage"}, SettingError, "'wage' is a number: divide by another column"),
        ({"method": "lac"}, SettingError, "method='lac' does not suit 'wage'"),
        ({"time": "when", "half_life": "3d"}, SettingError, "time='when' is none of the columns"),
        ({"time": "joined", "half_life": 3}, SettingError, "half_life must be a duration such as"),
        ({"time": "age", "half_life": "3d"}, SettingError, "half_life must be a number in units"),
        ({"time": "age", "half_life": 3}, DataError, "calibration rows have no time"),
    ],
)
def test_settings_that_do_not_fit_the_rows_are_refused(
    regression: hr.Pipeline, spare: pl.DataFrame, given: dict[str, Any], error: type, text: str
) -> None:
    with pytest.raises(error, match=text):
        calibrated(regression.fitted, spare, Conformal(**given))


def test_rows_that_cannot_calibrate_are_refused(
    regression: hr.Pipeline, trained: hr.Pipeline, spare: pl.DataFrame
) -> None:
    with pytest.raises(DataError, match="the target is not among the columns"):
        calibrated(regression.fitted, spare.drop("wage"), Conformal())
    none = spare.with_columns(pl.lit(None, pl.Float64).alias("wage"))
    with pytest.raises(DataError, match="column 'wage': no row to calibrate with has a label"):
        calibrated(regression.fitted, none, Conformal())
    other = spare.with_columns(pl.lit("perhaps").alias("rich"))
    with pytest.raises(DataError, match="expected one of the 2 labels seen in training"):
        calibrated(trained.fitted, other, Conformal())


def test_a_calibrated_pipeline_is_no_longer_the_release_that_it_was(
    regression: hr.Pipeline, spare: pl.DataFrame
) -> None:
    pipe = regression.copy()
    pipe.adopt(regression.fitted, "0123456789abcdef")
    pipe.calibrate(spare)
    assert pipe.version is None


def test_clusters_have_no_intervals(spare: pl.DataFrame) -> None:
    pipe = hr.Pipeline([hr.KMeans(2)])
    pipe.train(spare.select("hours"))
    with pytest.raises(NotTrainedError, match="intervals need a network"):
        pipe.calibrate(spare)
    with pytest.raises(SettingError, match="clusters have no intervals"):
        pipe.predict(spare.select("hours"), interval=0.9)


def test_a_network_that_is_trained_further_is_calibrated_anew(
    ranged: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    fitted = ranged.fitted
    canonical = fitted.conform(fresh)
    after = continue_training(
        fitted, canonical, fresh["wage"], network=hr.Network([16], epochs=1, batch_size=64)
    )
    assert after.conformal["wage"].rows == 60
    spec = after.network.target_spec
    assert not np.array_equal(
        after.conformal["wage"].reach(spec, 0.9), fitted.conformal["wage"].reach(spec, 0.9)
    )


def test_several_targets_have_intervals_and_sets_of_their_own(
    table: pl.DataFrame, spare: pl.DataFrame, fresh: pl.DataFrame, tmp_path: Path
) -> None:
    pipe = hr.Pipeline(
        target=["wage", "rich"], network=hr.Network("linear", epochs=2, patience=None)
    )
    pipe.train(table.drop("grade"))
    result = pipe.calibrate(spare.drop("grade"))
    assert result.methods == {"wage": "absolute", "rich": "lac"}
    fresh = fresh.drop("grade")
    found = pipe.predict(fresh, interval=0.9)
    assert found.columns == ["wage", "wage_low", "wage_high", "rich", "rich_set"]
    pipe.save(tmp_path / "saved")
    assert hr.load(tmp_path / "saved").predict(fresh, interval=0.9).equals(found)
    measured = hr.coverage(pipe, fresh, 0.9, target="rich")
    assert measured.whole.rows == 300
    with pytest.raises(SettingError, match="say which of several targets is meant, target="):
        hr.coverage(pipe, fresh)
