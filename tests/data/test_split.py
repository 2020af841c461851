from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.data.schema import MISSING_TIME
from headrace.data.split import Split, split
from headrace.errors import DataError, SettingError

labels = st.lists(st.sampled_from(["a", "b", "c", "d", None]), min_size=2, max_size=60)
shares = st.floats(0.05, 0.95)


def parts(values: Any, **ways: Any) -> tuple[list[Any], list[Any]]:
    train, validation = split(pl.DataFrame({"x": values}), **ways)
    return train["x"].to_list(), validation["x"].to_list()


@settings(deadline=None, max_examples=60)
@given(rows=st.integers(2, 200), share=shares, seed=st.integers(0, 2**32 - 1))
def test_a_random_split_divides_all_rows_in_their_order(rows: int, share: float, seed: int) -> None:
    train, validation = parts(range(rows), share=share, seed=seed)
    assert sorted(train + validation) == list(range(rows))
    assert train == sorted(train)
    assert validation == sorted(validation)
    assert len(validation) == min(max(round(rows * share), 1), rows - 1)
    assert parts(range(rows), share=share, seed=seed) == (train, validation)


def test_another_seed_is_another_split() -> None:
    assert parts(range(100), seed=1) != parts(range(100), seed=2)


@settings(deadline=None, max_examples=60)
@given(values=labels, share=shares, seed=st.integers(0, 5))
def test_a_group_is_never_on_both_sides(values: list[Any], share: float, seed: int) -> None:
    frame = pl.DataFrame({"g": values}, schema={"g": pl.String})
    if None in values or len(set(values)) < 2:
        with pytest.raises(DataError, match="no group|all rows are of one group"):
            split(frame, group="g", share=share, seed=seed)
        return
    train, validation = split(frame, group="g", share=share, seed=seed)
    assert train.height
    assert validation.height
    assert not set(train["g"]) & set(validation["g"])
    assert train.height + validation.height == len(values)


def test_groups_come_near_the_share() -> None:
    groups = np.random.default_rng(0).integers(0, 500, 10_000)
    _, validation = split(pl.DataFrame({"g": groups}), group="g", share=0.2)
    assert abs(validation.height - 2000) <= 20


@settings(deadline=None, max_examples=60)
@given(values=st.lists(st.integers(0, 20), min_size=2, max_size=60), share=shares)
def test_validation_is_strictly_later(values: list[int], share: float) -> None:
    if len(set(values)) < 2:
        with pytest.raises(DataError, match="all rows are of the same instant"):
            parts(values, time="x", share=share)
        return
    train, validation = parts(values, time="x", share=share)
    assert train
    assert validation
    assert max(train) < min(validation)
    # no other place between instants comes nearer to the share
    wanted = min(max(round(len(values) * share), 1), len(values) - 1)
    sizes = [sum(v >= cut for v in values) for cut in set(values) - {min(values)}]
    assert abs(len(validation) - wanted) == min(abs(size - wanted) for size in sizes)


@pytest.mark.parametrize(
    "values",
    [
        [date(2024, 1, 1), date(2023, 1, 1), date(2025, 1, 1)],
        ["2024-01-01", "2023-12-31T23:00:00Z", "2025-01-01"],
        ["01/02/2024", "31/12/2023", "01/01/2025"],
        [2.5, 1.5, 3.5],
        pl.Series(["2024-01-01", "2023-01-01", "2025-01-01"], dtype=pl.Categorical),
    ],
)
def test_times_of_any_dtype(values: Any) -> None:
    assert parts(values, time="x", share=0.3)[1] == [list(values)[2]]


@settings(deadline=None, max_examples=60)
@given(values=labels, share=shares, seed=st.integers(0, 5))
def test_strata_keep_their_shares(values: list[Any], share: float, seed: int) -> None:
    frame = pl.DataFrame({"y": values}, schema={"y": pl.String})
    counts = {value: values.count(value) for value in set(values)}
    if max(counts.values()) == 1:
        with pytest.raises(DataError, match=r"different values in .* rows: none is there twice"):
            split(frame, stratify="y", share=share, seed=seed)
        return
    train, validation = split(frame, stratify="y", share=share, seed=seed)
    assert train.height + validation.height == len(values)
    divided = sum(count > 1 for count in counts.values())
    wanted = min(max(round(len(values) * share), 1), len(values) - 1)
    if divided > wanted:
        assert validation.height == wanted
    for value, count in counts.items():
        held = validation["y"].to_list().count(value)
        if count == 1:
            assert held == 0
        else:
            assert held <= count - 1
            assert abs(held - count * share) <= 1
            assert held or divided > wanted


def test_more_strata_than_rows_to_hold_out_keep_the_share() -> None:
    pairs = pl.DataFrame({"y": [str(i // 2) for i in range(200)]})
    train, validation = split(pairs, stratify="y", share=0.2)
    assert validation.height == 40
    assert validation["y"].n_unique() == 40
    assert train["y"].n_unique() == 100


@pytest.mark.parametrize("rows", [2, 3, 10, 15, 25, 50])
def test_few_different_numbers_are_stratified(rows: int) -> None:
    frame = pl.DataFrame({"y": np.random.default_rng(rows).normal(size=rows)})
    train, validation = split(frame, stratify="y", share=0.2)
    assert validation.height == max(1, round(rows * 0.2))
    assert train.height == rows - validation.height


def test_numbers_are_stratified_by_tenths() -> None:
    values = np.r_[np.random.default_rng(0).exponential(size=999), np.nan]
    frame = pl.DataFrame({"y": values})
    train, validation = split(frame, stratify="y", share=0.2)
    for q in (0.1, 0.5, 0.9):
        cut = np.nanquantile(values, q)
        assert abs((validation["y"] < cut).mean() - (train["y"] < cut).mean()) < 0.02  # type: ignore[operator]


def test_given_rows_validate() -> None:
    assert parts([1, 2, 3], given=[True, False, True]) == ([2], [1, 3])
    assert parts([1, 2], given=pl.Series([False, True])) == ([1], [2])


@pytest.mark.parametrize(
    ("values", "ways", "text"),
    [
        ([1], {}, "a split needs at least two rows, received 1"),
        ([], {"group": "x"}, "a split needs at least two rows, received 0"),
        ([1, 2], {"group": "y"}, "column 'y': the column is missing"),
        (["a", "a"], {"group": "x"}, "column 'x': all rows are of one group.*received 'a'"),
        (
            ["a", None, ""],
            {"group": "x"},
            "column 'x', row 1: 2 rows have no group.*Drop them or fill",
        ),
        ([1.0, float("nan")], {"group": "x"}, "1 rows have no group"),
        ([1, 1, 1], {"time": "x"}, "column 'x': all rows are of the same instant"),
        ([1, None], {"time": "x"}, "column 'x', row 1: 1 rows have no time"),
        ([1, MISSING_TIME], {"time": "x"}, "1 rows have no time"),
        (["soon", "later"], {"time": "x"}, "column 'x', row 0: expected a date"),
        (
            [[1], [2]],
            {"time": "x"},
            r"dtype List\(Int64\) has no order in time. Give a column of dates",
        ),
        (
            ["a", "b", "c"],
            {"stratify": "x"},
            "column 'x': 3 different values in 3 rows: none is there twice",
        ),
        ([1, 2], {"given": [True, True]}, "given leaves no row for training"),
        ([1, 2], {"given": [False, False]}, "given leaves no row for validation"),
        ([1, 2], {"given": [True]}, "given must hold one truth value for each of the 2 rows"),
        ([1, 2], {"given": [1, 0]}, "given must hold one truth value"),
    ],
)
def test_what_cannot_be_split(values: list[Any], ways: dict[str, Any], text: str) -> None:
    with pytest.raises(DataError, match=text):
        parts(values, **ways)


@pytest.mark.parametrize("share", [0, 1, -0.1, 2, float("nan")])
def test_the_share_lies_between(share: float) -> None:
    with pytest.raises(SettingError, match="share must be between 0 and 1"):
        parts([1, 2], share=share)
    with pytest.raises(SettingError, match="share must be between 0 and 1"):
        Split(share=share)


def test_a_split_goes_one_way() -> None:
    with pytest.raises(SettingError, match="received group and time: choose one"):
        parts([1, 2], group="x", time="x")
    with pytest.raises(SettingError, match="received group and time: choose one"):
        Split(group="a", time="b")
    assert Split().random
    assert not Split(time="day").random
