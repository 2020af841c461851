from __future__ import annotations

import math
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.data.expressions import reading, text_of
from headrace.data.grammar import decimal_text, number_text
from headrace.data.problems import Refused
from headrace.data.schema import Column

if TYPE_CHECKING:
    from decimal import Decimal


def texts(series: pl.Series) -> list[str | None]:
    expression = text_of(pl.col(series.name), series.dtype)
    assert expression is not None
    return series.to_frame().select(expression).to_series().to_list()


@settings(deadline=None)
@given(st.lists(st.floats(allow_infinity=False) | st.none(), min_size=1, max_size=30))
def test_floats_are_written_as_one_by_one(values: list[float | None]) -> None:
    expected = [None if v is None or math.isnan(v) else number_text(v) for v in values]
    assert texts(pl.Series("x", values, dtype=pl.Float64)) == expected


@settings(deadline=None)
@given(st.lists(st.decimals(-(10**15), 10**15, places=6), min_size=1, max_size=30))
def test_decimals_are_written_as_one_by_one(values: list[Decimal]) -> None:
    assert texts(pl.Series("x", values, dtype=pl.Decimal(38, 6))) == list(map(decimal_text, values))


def test_what_has_no_text() -> None:
    for dtype in (pl.Duration("us"), pl.Time(), pl.Binary(), pl.List(pl.Int8), pl.Object()):
        assert text_of(pl.col("x"), dtype) is None


def test_clean_dtypes_need_no_check() -> None:
    assert reading(Column("x", "number"), pl.Int64()).certain
    assert reading(Column("x", "category"), pl.String()).certain
    assert not reading(Column("x", "number"), pl.Float64()).certain
    assert not reading(Column("x", "number"), pl.String()).certain


def test_a_dtype_that_cannot_be() -> None:
    with pytest.raises(Refused, match=r"expected a number; the column is of dtype Date"):
        reading(Column("x", "number"), pl.Date())
