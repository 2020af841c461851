"""Training on tables that are not as one would like them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import headrace as hr


def small(**settings: object) -> hr.Network:
    return hr.Network([4], **{"epochs": 2, "patience": None} | settings)


STEPS = [hr.transform.Encode(), hr.clean.Impute()]


def test_the_target_may_be_missing_in_some_rows(table: pl.DataFrame) -> None:
    gaps = table.with_columns(
        pl.when(pl.int_range(pl.len()) < 100).then(None).otherwise("rich").alias("rich")
    ).select("age", "rich")
    result = hr.Pipeline([*STEPS, small()], target="rich").train(gaps)
    assert "100 of 600 rows have no 'rich' and were left out" in result.summary()


def test_a_target_missing_everywhere_is_an_error(table: pl.DataFrame) -> None:
    gone = table.with_columns(pl.lit(None, dtype=pl.String).alias("rich"))
    with pytest.raises(hr.DataError, match="column 'rich': the target is missing in every row"):
        hr.Pipeline([*STEPS, small()], target="rich").train(gone)


def test_an_unknown_target_is_an_error_with_the_nearest_name(table: pl.DataFrame) -> None:
    with pytest.raises(hr.DataError, match=r"column 'richh'.*Did you mean 'rich'"):
        hr.Pipeline(target="richh").train(table)


def test_one_class_only_is_an_error(table: pl.DataFrame) -> None:
    with pytest.raises(hr.DataError, match=r"column 'rich'.*at least two different values"):
        hr.Pipeline([*STEPS, small()], target="rich").train(
            table.filter(pl.col("rich") == "yes").select("age", "rich")
        )


def test_an_empty_table_is_an_error(table: pl.DataFrame) -> None:
    with pytest.raises(hr.DataError, match="the table is empty"):
        hr.Pipeline(target="rich").train(table.clear())


def test_all_missing_and_constant_columns_do_no_harm(table: pl.DataFrame) -> None:
    odd = table.select(
        "age", "rich", pl.lit(None, dtype=pl.Float64).alias("gone"), pl.lit(3.0).alias("same")
    )
    pipe = hr.Pipeline(target="rich")
    pipe.train(odd)
    assert np.isfinite(pipe.predict_proba(odd)).all()


def test_unseen_and_strange_categories_are_answered(table: pl.DataFrame) -> None:
    pipe = hr.Pipeline([*STEPS, small()], target="rich")
    pipe.train(table.select("job", "rich"))
    strange = pl.DataFrame({"job": ["", None, "никогда", "\x00", "a" * 10_000]})
    assert np.isfinite(pipe.predict_proba(strange)).all()


def test_numbers_that_are_infinite_are_named(table: pl.DataFrame) -> None:
    infinite = table.select(
        "rich", pl.when(pl.int_range(pl.len()) == 7).then(np.inf).otherwise(1.0).alias("x")
    )
    with pytest.raises(hr.DataError, match="column 'x', row 7"):
        hr.Pipeline([*STEPS, small()], target="rich").train(infinite)


def test_a_missing_column_at_prediction_is_named(trained: hr.Pipeline, fresh: pl.DataFrame) -> None:
    with pytest.raises(hr.DataError, match="column 'age'"):
        trained.predict(fresh.drop("age").rename({"hours": "hour"}))


def test_the_weight_of_a_row_counts(table: pl.DataFrame) -> None:
    """Rows of weight 0 might as well not be there."""
    weighted = table.select(
        "hours", "rich", (pl.int_range(pl.len()) < 300).cast(pl.Float64).alias("w")
    )
    pipe = hr.Pipeline([hr.normalize.Standardize(), small(epochs=30)], target="rich")
    flipped = weighted.with_columns(
        pl.when(pl.col("w") == 0).then(pl.lit("yes")).otherwise("rich").alias("rich")
    )
    pipe.train(flipped, weight="w")
    share = (table.head(300)["rich"] == "yes").mean()
    assert abs(pipe.predict_proba(weighted)[:, 1].mean() - share) < 0.15
    with pytest.raises(hr.DataError, match="column 'w', row 0: a weight must be a number"):
        pipe.train(weighted.with_columns(pl.lit(-1.0).alias("w")), weight="w")


def test_validation_by_group_and_time_keeps_them_apart(table: pl.DataFrame) -> None:
    pipe = hr.Pipeline([hr.transform.Dates(), *STEPS, small(patience=3, epochs=4)], target="rich")
    rows = table.select("age", "job", "joined", "rich")
    result = pipe.train(rows, validation=hr.Split(share=0.3, time="joined"))
    assert result.validation_rows >= 180
    with pytest.raises(hr.DataError, match="column 'joint'"):
        pipe.train(rows, validation=hr.Split(time="joint"))


def test_duplicates_are_removed_from_the_training_rows_only(table: pl.DataFrame) -> None:
    twice = pl.concat([table.select("hours", "rich")] * 2)
    pipe = hr.Pipeline([hr.clean.DropDuplicates(), *STEPS, small()], target="rich")
    result = pipe.train(twice)
    assert "removed 600 of 1,200 training rows" in result.summary()
    assert len(pipe.predict(twice)) == 1200


def test_one_row_and_one_column(trained: hr.Pipeline, fresh: pl.DataFrame) -> None:
    assert len(trained.predict(fresh.head(1))) == 1
    assert len(trained.predict(fresh.head(0))) == 0
    pipe = hr.Pipeline([small()], target="y")
    pipe.train(pl.DataFrame({"x": [0.0, 1.0], "y": [0, 1]}))
    assert len(pipe.predict({"x": [0.5]})) == 1
