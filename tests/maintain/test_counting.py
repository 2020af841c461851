from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.data.profile import profile
from headrace.data.schema import MISSING_TIME, Column, Schema
from headrace.maintain.counting import REST, count

SCHEMA = Schema(
    (
        Column("x", "number"),
        Column("flag", "boolean"),
        Column("city", "category"),
        Column("when", "datetime"),
    )
)
FLOATS = st.one_of(st.sampled_from([0.0, -0.0, 1.0, 1.5, float("nan")]), st.floats(-1e300, 1e300))
ROWS = st.lists(
    st.tuples(
        FLOATS,
        st.sampled_from([0.0, 1.0, float("nan")]),
        st.sampled_from(["", "a", "b", "ñ"]),
        st.one_of(st.just(MISSING_TIME), st.integers(-(10**15), 10**16)),
    ),
    min_size=1,
    max_size=60,
)


def table(rows: list[tuple[float, float, str, int]]) -> pl.LazyFrame:
    types = {"x": pl.Float64, "flag": pl.Float64, "city": pl.String, "when": pl.Int64}
    return pl.LazyFrame(rows, schema=types, orient="row")


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_the_rows_of_the_reference_are_counted_as_the_reference_is(
    rows: list[tuple[float, float, str, int]],
) -> None:
    for column in count(table(rows), profile(table(rows), SCHEMA), SCHEMA):
        assert column.current.tolist() == column.reference.tolist()
        assert column.missing == column.profile.missing
        assert (column.below, column.above) == (0, 0)
        assert column.unseen in (0, None)
        if len(column.current):
            assert column.current.sum() == column.present


@settings(max_examples=40, deadline=None)
@given(ROWS, ROWS)
def test_every_new_value_has_one_cell(
    before: list[tuple[float, float, str, int]], after: list[tuple[float, float, str, int]]
) -> None:
    for column in count(table(after), profile(table(before), SCHEMA), SCHEMA):
        assert len(column.reference) == len(column.current)
        if len(column.current):
            assert column.current.sum() == column.present
            assert column.reference.sum() == column.reference_present


def counted(before: list[str], after: list[str]) -> dict[str, tuple[float, float]]:
    schema = SCHEMA.select(["city"])
    known = profile(pl.LazyFrame({"city": before}), schema)
    (column,) = count(pl.LazyFrame({"city": after}), known, schema)
    pairs = zip(column.reference.tolist(), column.current.tolist(), strict=True)
    return dict(zip(map(str, column.cells), pairs, strict=True))


def test_values_beyond_the_list_share_a_cell() -> None:
    before = ["often"] * 5_000 + [f"rare {n}" for n in range(2_000)]
    after = ["often"] * 500 + [f"rare {n}" for n in range(100, 300)]
    assert counted(before, after) == {"often": (5_000, 500), REST: (2_000, 200)}


def test_a_new_frequent_value_beyond_the_list_has_its_own_cell() -> None:
    before = ["often"] * 5_000 + [f"rare {n}" for n in range(2_000)]
    found = counted(before, ["often"] * 500 + ["new"] * 200)
    assert found["new"] == (0, 200)


@pytest.mark.parametrize("column", SCHEMA.names)
def test_a_column_that_is_gone_is_missing_in_every_row(column: str) -> None:
    rows = table([(1.0, 1.0, "a", 5)] * 9)
    known = profile(rows, SCHEMA)
    by_name = {c.name: c for c in count(rows.drop(column), known, SCHEMA)}
    assert by_name[column].missing == 9
    assert by_name[column].present == 0
    assert len(by_name[column].current) == 0


def test_moments_and_extremes_leave_out_what_is_not_finite() -> None:
    schema = SCHEMA.select(["x"])
    known = profile(pl.LazyFrame({"x": [0.0, 10.0]}), schema)
    (column,) = count(pl.LazyFrame({"x": [1.0, 3.0, np.inf, np.nan, -1.0]}), known, schema)
    assert column.mean == 1.0
    assert column.deviation == pytest.approx(np.std([1.0, 3.0, -1.0]))
    assert column.extremes == (-1.0, np.inf)
    assert (column.below, column.above, column.missing) == (1, 1, 1)
