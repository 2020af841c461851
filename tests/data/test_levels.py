from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.data.levels import levels_of
from headrace.data.schema import MISSING_TIME


@given(
    st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=60),
    st.integers(2, 6),
)
def test_numbers_are_cut_so_that_every_row_has_a_level(
    values: list[float | None], bins: int
) -> None:
    numbers = pl.Series("x", [np.nan if one is None else one for one in values], dtype=pl.Float64)
    found = levels_of(numbers, "number", bins=bins)
    assert len(found.codes) == len(values)
    assert found.rows.min() >= 1
    assert len(found.names) <= bins + 1
    assert len(set(found.names)) == len(found.names)
    missing = np.array([one is None for one in values])
    if missing.any():
        assert set(np.flatnonzero(missing)) == set(
            np.flatnonzero(found.codes == found.names.index("x missing"))
        )
    known = ~missing
    order = np.argsort(numbers.to_numpy()[known], kind="stable")
    assert (np.diff(found.codes[known][order]) >= 0).all()


def test_rare_words_are_joined_and_missing_ones_stand_alone() -> None:
    words = pl.Series("rows", ["a"] * 5 + ["b"] * 3 + ["größer", "中文", ""])
    found = levels_of(words, "category", fewest=3)
    assert found.names == ("rows = a", "rows = b", "rows: other values", "rows missing")
    assert found.rows.tolist() == [5, 3, 2, 1]
    assert levels_of(words, "category", most=1).names[1] == "rows: other values"


def test_dates_and_truth_values_are_named_for_people() -> None:
    days = pl.Series("day", [0, 86_400_000_000, MISSING_TIME])
    assert levels_of(days, "datetime", bins=2).names == (
        "day = 1970-01-01 00:00:00",
        "day above 1970-01-01 00:00:00",
        "day missing",
    )
    flags = pl.Series("flag", [1.0, 0.0, np.nan])
    assert levels_of(flags, "boolean").names == ("flag = no", "flag = yes", "flag missing")


@pytest.mark.parametrize("values", [[np.nan, np.nan], [3.0, 3.0]])
def test_a_column_of_one_value_is_one_level(values: list[float]) -> None:
    assert len(levels_of(pl.Series("x", values), "number").names) == 1


def test_quantiles_are_learnt_from_some_rows_only() -> None:
    numbers = pl.Series("x", [1.0, 2.0, 3.0, 4.0, 100.0, -50.0])
    learn = np.array([True] * 4 + [False] * 2)
    found = levels_of(numbers, "number", bins=2, learn=learn)
    assert found.names == ("x to 2", "x above 2")
    assert found.codes.tolist() == [0, 0, 1, 1, 1, 0]
