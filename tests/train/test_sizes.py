"""Tables of unusual sizes: each is learnt from, or refused with what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.errors import DataError


def numbers(rows: int, columns: int = 3) -> dict[str, Any]:
    random = np.random.default_rng(rows)
    return {f"x{place}": random.normal(size=rows) for place in range(columns)}


def table(rows: int, columns: int = 3) -> pl.DataFrame:
    """A target `y` that is nearly the first column."""
    made = pl.DataFrame(numbers(rows, columns))
    return made.with_columns(y=pl.col("x0") + 0.1 * pl.col("x0").shuffle(seed=0))


def quick(**settings: Any) -> hr.Network:
    return hr.Network([8], **{"epochs": 2, "embedding": None} | settings)


def trained(rows: pl.DataFrame, *steps: Any, **settings: Any) -> hr.Pipeline:
    chosen = [*steps, hr.normalize.Standardize(), quick()]
    pipe = hr.Pipeline(chosen, target="y", **settings)
    pipe.train(rows)
    return pipe


@pytest.mark.parametrize(("rows", "held"), [(3, 1), (10, 2), (50, 10)])
def test_few_rows(rows: int, held: int) -> None:
    pipe = trained(table(rows))
    result = pipe.fitted.result
    assert result is not None
    assert (result.rows, result.validation_rows) == (rows - held, held)
    assert np.isfinite(pipe.predict(table(rows)).to_numpy()).all()


def test_few_rows_of_two_classes() -> None:
    labelled = table(10).with_columns(
        y=pl.when(pl.col("x0") > 0).then(pl.lit("a")).otherwise(pl.lit("b"))
    )
    assert set(trained(labelled).predict(labelled)) <= {"a", "b"}


def test_one_column() -> None:
    assert [info.name for info in trained(table(40, 1)).fitted.plan.inputs] == ["x0"]


def test_a_class_with_one_row_stays_to_learn_from() -> None:
    rare = pl.Series("y", ["usual", "other"] * 20 + ["rare"])
    pipe = trained(table(41).with_columns(rare))
    assert pipe.classes == ("other", "rare", "usual")
    assert pipe.fitted.result.validation_rows == 8  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (table(1), "at least two different values in the target"),
        (table(20).with_columns(y=pl.lit("a")), "column 'y': expected at least two different"),
        (table(20).with_columns(y=pl.lit(2.5)), "column 'y': expected at least two different"),
        (table(20).select("y"), "the table has no columns"),
        (table(20).select("y", x=pl.lit(1.0)), "no column is left: each is constant, an id"),
        (table(20).clear(), "the table is empty: it has no rows"),
    ],
)
def test_too_little_is_refused(rows: pl.DataFrame, text: str) -> None:
    with pytest.raises(DataError, match=text):
        hr.Pipeline(target="y").train(rows)


def test_many_columns() -> None:
    wide = table(60, 1_500)
    pipe = trained(wide, hr.clean.DropConstant(), hr.clean.Impute())
    assert len(pipe.fitted.plan.inputs) == 1_500
    assert pipe.predict(wide).len() == 60


@pytest.mark.slow
def test_5000_columns() -> None:
    wide = table(500, 5_000)
    pipe = trained(wide, hr.clean.DropConstant(), hr.clean.Impute())
    assert pipe.fitted.result.numbers == 5_000  # type: ignore[union-attr]


@pytest.mark.slow
def test_as_many_classes_as_half_the_rows() -> None:
    pairs = table(4_000).with_columns(y=pl.Series([f"c{row // 2}" for row in range(4_000)]))
    pipe = trained(pairs)
    assert len(pipe.classes) == 2_000
    assert pipe.fitted.result.validation_rows == 800  # type: ignore[union-attr]
    assert pipe.predict_proba(pairs.head(3)).shape == (3, 2_000)


@pytest.mark.slow
@pytest.mark.parametrize("repeats", [1, 2])
def test_a_category_with_very_many_levels(repeats: int) -> None:
    rows = 200_000
    levels = pl.Series([f"v{row // repeats}" for row in range(rows)])
    many = table(rows, 1).with_columns(level=levels)
    pipe = trained(many, hr.transform.Encode(), kinds={"level": "category"})
    assert pipe.fitted.plan.spec.cardinalities[0] <= 100_003
    assert np.isfinite(pipe.predict(many.head(5)).to_numpy()).all()
