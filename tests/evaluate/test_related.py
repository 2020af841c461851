from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from headrace.data.infer import infer_schema
from headrace.errors import SettingError
from headrace.evaluate.related import related_columns


def table(rows: int = 500) -> pl.DataFrame:
    random = np.random.default_rng(0)
    years = random.integers(5, 18, rows)
    return pl.DataFrame(
        {
            "years": years.astype(float),
            "school": np.where(years > 12, "high", np.where(years > 9, "middle", "low")),
            "town": random.choice(["Oslo", "Bern"], rows),
            "size": random.normal(170, 9, rows),
            "weight": random.normal(70, 9, rows),
        }
    ).with_columns(inches=pl.col("size") / 2.54)


def test_numbers_and_words_that_say_the_same_are_one_group() -> None:
    frame = table()
    schema = infer_schema(frame.lazy())
    assert set(related_columns(frame, schema)) == {("years", "school"), ("size", "inches")}


def test_no_group_is_found_in_noise() -> None:
    random = np.random.default_rng(1)
    frame = pl.DataFrame({f"x{n}": random.normal(size=300) for n in range(12)})
    assert related_columns(frame, infer_schema(frame.lazy())) == ()


def test_gaps_constants_and_one_column_are_in_no_group() -> None:
    frame = pl.DataFrame({"a": [None] * 20, "b": [1.0] * 20, "c": list(range(20))})
    schema = infer_schema(frame.cast({"a": pl.Float64}).lazy())
    assert related_columns(frame.cast({"a": pl.Float64, "c": pl.Float64}), schema) == ()
    assert related_columns(frame.select("b"), schema, ["b"]) == ()


def test_a_stricter_relation_makes_fewer_groups() -> None:
    frame = table()
    schema = infer_schema(frame.lazy())
    assert related_columns(frame, schema, least=1.0) in {(("size", "inches"),), ()}
    with pytest.raises(SettingError, match="least is a relation above 0 and up to 1, received 0"):
        related_columns(frame, schema, least=0)
