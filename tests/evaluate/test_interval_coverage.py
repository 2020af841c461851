from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import headrace as hr
from headrace.errors import DataError, SettingError

if TYPE_CHECKING:
    import polars as pl


def test_the_share_is_counted_from_the_intervals_that_are_answered(
    ranged: hr.Pipeline, many: pl.DataFrame
) -> None:
    result = hr.coverage(ranged, many, 0.9)
    found = ranged.predict(many, interval=0.9)
    inside = (found["low"] <= many["wage"]) & (many["wage"] <= found["high"])
    assert (result.whole.rows, result.whole.inside) == (3000, inside.sum())
    assert result.whole.size == pytest.approx((found["high"] - found["low"]).mean())
    assert result.whole.low < result.whole.share < result.whole.high
    assert result.whole.verdict == "as promised"
    assert result.kind == "interval"
    assert [level for level, _ in result.curve] == [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99]


def test_the_interval_of_the_share_is_exact(ranged: hr.Pipeline, many: pl.DataFrame) -> None:
    from scipy.stats import beta

    whole = hr.coverage(ranged, many, 0.8).whole
    held, missed = whole.inside, whole.rows - whole.inside
    assert whole.low == pytest.approx(beta.ppf(0.025, held, missed + 1))
    assert whole.high == pytest.approx(beta.ppf(0.975, held + 1, missed))


def test_sets_are_counted_by_group_and_by_size(grouped: hr.Pipeline, many: pl.DataFrame) -> None:
    result = hr.coverage(grouped, many, 0.9)
    names = [one.group for one in result.groups]
    assert "job nurse" in names
    assert sum(one.rows for one in result.groups) == 3000
    assert sum(result.sizes) == 3000
    mean = sum((place + 1) * count for place, count in enumerate(result.sizes)) / 3000
    assert result.whole.size == pytest.approx(mean)
    assert result.whole.promised is None  # some rows fall back
    assert all(one.promised is not None for one in result.groups if one.group == "job nurse")


def test_other_groups_can_be_looked_at(ranged: hr.Pipeline, many: pl.DataFrame) -> None:
    result = hr.coverage(ranged, many, 0.9, by="job")
    assert len(result.groups) == 6
    assert all(one.promised is None for one in result.groups)


def test_classes_can_be_looked_at(grouped: hr.Pipeline, many: pl.DataFrame) -> None:
    result = hr.coverage(grouped, many, 0.9, by=["member", "grade"])
    assert [one.group for one in result.groups][:2] == [
        "member false, grade 0",
        "member false, grade 1",
    ]


def test_rows_of_another_kind_are_found_out(ranged: hr.Pipeline, many: pl.DataFrame) -> None:
    import polars as pl

    other = many.with_columns(pl.col("wage") + 150)
    result = hr.coverage(ranged, other, 0.9)
    assert result.whole.verdict == "too few"
    assert "too few" in result.summary()


def test_an_evaluation_of_a_calibrated_pipeline_measures_the_coverage(
    ranged: hr.Pipeline, regression: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    settings = {"importance": False, "resamples": 50, "compare": ()}
    pipe = ranged.copy()
    pipe.adopt(ranged.fitted, None)
    result = pipe.evaluate(fresh, interval=0.8, **settings)
    assert result.coverage.level == 0.8
    assert result.coverage.whole.rows == 300
    assert "intervals of 'wage' at the level 0.8" in result.summary()
    assert result.to_dict()["coverage"]["whole"]["rows"] == 300
    assert "mean width" in result._repr_html_()
    assert pipe.evaluate(fresh, interval=None, **settings).coverage is None
    pipe.adopt(regression.fitted, None)
    assert pipe.evaluate(fresh, **settings).coverage is None


def test_the_result_is_plain_values(grouped: hr.Pipeline, fresh: pl.DataFrame) -> None:
    import json

    result = hr.coverage(grouped, fresh, 0.9)
    assert json.loads(json.dumps(result.to_dict()))["kind"] == "set"
    assert "<table" in result._repr_html_()


def test_what_cannot_be_measured_is_refused(
    ranged: hr.Pipeline, trained: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    import polars as pl

    with pytest.raises(SettingError, match="no rows have calibrated intervals yet"):
        hr.coverage(trained, fresh)
    with pytest.raises(SettingError, match="interval must be a number"):
        hr.coverage(ranged, fresh, 95)
    with pytest.raises(SettingError, match="confidence must be"):
        hr.coverage(ranged, fresh, confidence=2)
    with pytest.raises(DataError, match="the target is not among the columns"):
        hr.coverage(ranged, fresh.drop("wage"))
    with pytest.raises(DataError, match="no row has a label"):
        hr.coverage(ranged, fresh.with_columns(pl.lit(None, pl.Float64).alias("wage")))
    with pytest.raises(DataError, match="jobb"):
        hr.coverage(ranged, fresh, by="jobb")


def test_one_row_is_enough(ranged: hr.Pipeline, fresh: pl.DataFrame) -> None:
    whole = hr.coverage(ranged, fresh.head(1)).whole
    assert whole.rows == 1
    assert whole.high - whole.low > 0.9
    assert np.isfinite(whole.size)
