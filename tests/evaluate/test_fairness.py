from __future__ import annotations

import json
import math

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.data.levels import Levels
from headrace.errors import DataError, SettingError
from headrace.evaluate.fairness import OVERALL, group_figures


def test_intervals_of_differences_hold_the_truth() -> None:
    """Of shares in groups of 40 and 80 rows, and of means with unequal spreads."""
    codes = np.repeat([0, 1], [80, 40])
    groups, every = Levels("g", codes, ("g = a", "g = b")), np.ones(120, dtype=bool)
    held = np.zeros(2)
    for seed in range(400):
        random = np.random.default_rng(seed)
        shares = random.random(120) < np.where(codes, 0.1, 0.3)
        means = random.normal(size=120) * np.where(codes, 3, 1) + codes
        found = group_figures({"s": (shares, every), "m": (means, every)}, groups)
        for place, (one, truth) in enumerate(((found[1], -0.2), (found[3], 1.0))):
            held[place] += one.difference_low <= truth <= one.difference_high
    assert (held / 400 >= 0.925).all()
    assert (held / 400 <= 0.985).all()


def test_a_difference_is_found(trained: hr.Pipeline, fresh: pl.DataFrame) -> None:
    found = hr.fairness(trained, fresh, by="job")
    names = {one.group for one in found.figures}
    assert "job = smith" in names
    assert "job missing" in names
    rates = {one.group: one for one in found.figures if one.measure == "selection rate"}
    assert rates["job = smith"].value > rates["job = baker"].value
    assert rates[found.reference].difference == 0
    assert found.differences
    assert found.sentence().startswith(f"The largest difference to {found.reference}: ")
    json.dumps(found.to_dict(), allow_nan=False)
    other = hr.fairness(trained, fresh, by="job", reference="smith")
    assert other.reference == "job = smith"


def test_the_column_need_not_be_one_that_the_pipeline_reads(
    trained: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    houses = fresh.with_columns(house=pl.Series(["north", "south", "größer"] * 100))
    found = hr.fairness(trained, houses, by="house")
    assert {one.group for one in found.figures} == {
        "house = north",
        "house = south",
        "house = größer",
    }


def test_errors_of_numbers_by_group(regression: hr.Pipeline, fresh: pl.DataFrame) -> None:
    found = hr.fairness(regression, fresh, by="member")
    assert {one.measure for one in found.figures} == {"mean error", "mean absolute error"}
    assert all(math.isnan(one.ratio) for one in found.figures)


def test_one_of_several_classes(graded: hr.Pipeline, fresh: pl.DataFrame) -> None:
    with pytest.raises(SettingError, match="of several classes one must be named: positive="):
        hr.fairness(graded, fresh, by="member")
    label = graded.classes[2]
    found = hr.fairness(graded, fresh, by="member", positive=label)
    assert len(found.figures) == 12
    with pytest.raises(SettingError, match="positive must be one of"):
        hr.fairness(graded, fresh, by="member", positive="top")


def test_a_group_of_one_row_is_wide_and_said_to_be_small(
    trained: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    alone = fresh.with_columns(house=pl.Series(["lone"] + ["all"] * 299))
    found = hr.fairness(trained, alone, by="house")
    assert found.notes[-1] == "few rows: house = lone"
    lone = [one for one in found.figures if one.group == "house = lone"]
    assert all(one.rows <= 1 for one in lone)
    rate = next(one for one in lone if one.measure == "selection rate")
    assert rate.high - rate.low > 0.7
    gap = next(one for one in lone if one.measure == "calibration gap")
    assert (gap.low, gap.high) == (-math.inf, math.inf)
    assert not gap.differs
    json.dumps(found.to_dict(), allow_nan=False)


def test_bad_input_is_named(trained: hr.Pipeline, fresh: pl.DataFrame) -> None:
    with pytest.raises(DataError, match="the column of the groups is not among the columns"):
        hr.fairness(trained, fresh, by="sex")
    with pytest.raises(SettingError, match="'one' makes one group only"):
        hr.fairness(trained, fresh.with_columns(one=pl.lit("same")), by="one")
    with pytest.raises(SettingError, match="the reference must be one of 'job = .*received 'king'"):
        hr.fairness(trained, fresh, by="job", reference="king")


def test_intervals_of_ratios_hold_the_truth() -> None:
    """To a reference group, and to all rows; the latter are a third of them and two thirds."""
    codes = np.repeat([0, 1], [100, 50])
    groups, every = Levels("g", codes, ("g = a", "g = b")), np.ones(150, dtype=bool)
    held = np.zeros(2)
    for seed in range(400):
        shares = np.random.default_rng([seed, 1]).random(150) < np.where(codes, 0.2, 0.4)
        for place, (reference, truth) in enumerate(((None, 0.5), (OVERALL, 0.6))):
            one = group_figures({"s": (shares, every)}, groups, reference=reference)[1]
            held[place] += one.ratio_low <= truth <= one.ratio_high
    assert (held / 400 >= 0.925).all()
    assert (held / 400 <= 0.985).all()


def test_all_rows_are_a_reference() -> None:
    codes = np.repeat([0, 1, 2], [50, 49, 1])
    groups = Levels("g", codes, ("g = a", "g = b", "g = c"))
    shares = np.arange(100) % 50 < np.where(codes, 10, 30)
    found = group_figures({"s": (shares, np.ones(100, bool))}, groups, reference=OVERALL)
    assert [one.group for one in found] == [*groups.names, OVERALL]
    overall = shares.mean()
    for one in found:
        assert one.difference == pytest.approx(one.value - overall)
        assert one.ratio == pytest.approx(one.value / overall)
        assert one.difference_low <= one.difference <= one.difference_high
        assert one.ratio_low <= one.ratio <= one.ratio_high
    assert not found[2].differs


def test_no_row_and_no_share_make_no_ratio() -> None:
    groups = Levels("g", np.repeat([0, 1], 5), ("g = a", "g = b"))
    none = group_figures({"s": (np.zeros(10, bool), np.ones(10, bool))}, groups)
    assert all(math.isnan(one.ratio) for one in none)
    first = np.arange(10) < 5
    for reference in ("a", OVERALL):
        empty = group_figures({"s": (first, first)}, groups, reference=reference)[1]
        assert (empty.rows, empty.low, empty.high) == (0, 0.0, 1.0)
        assert empty.difference_high == math.inf


def test_the_table_with_all_rows(trained: hr.Pipeline, fresh: pl.DataFrame) -> None:
    found = hr.fairness(trained, fresh, by="job", reference="all rows")
    assert found.reference == OVERALL
    assert "all rows" in found.summary()
    assert found.plot().figure.axes


@pytest.mark.parametrize("values", [["a", None, "b"], [True, None, False], [1.5, None, 2.5]])
def test_missing_groups_of_a_column_of_ones_own_are_a_group(
    trained: hr.Pipeline, fresh: pl.DataFrame, values: list[object]
) -> None:
    found = hr.fairness(trained, fresh.with_columns(own=pl.Series(values * 100)), by="own")
    assert len({one.group for one in found.figures}) == 3
    assert "own missing" in {one.group for one in found.figures}
