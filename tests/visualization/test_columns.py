from __future__ import annotations

from io import BytesIO
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from headrace.errors import SettingError
from headrace.visualization import before_after, distributions


def inner(ax: Any) -> list[Any]:
    return [other for other in ax.figure.axes if other is not ax]


def test_one_panel_for_each_column_that_has_a_shape(profile: Any) -> None:
    ax = distributions(profile)
    assert [panel.get_title(loc="left") for panel in inner(ax)] == ["price", "word"]
    assert [panel.get_xlabel() for panel in inner(ax)] == ["10.0% missing"] * 2
    ax.figure.savefig(BytesIO())


def test_bars_of_equal_width_hold_the_shares_of_unequal_bins() -> None:
    column = SimpleNamespace(
        name="x",
        kind="number",
        rows=100,
        missing=0,
        edges=(0.0, 1.0, 5.0, 7.0),
        counts=(50, 30, 20),
    )
    [panel] = inner(distributions(SimpleNamespace(columns=[column])))
    [steps] = panel.patches
    heights, edges, _ = steps.get_data()
    np.testing.assert_allclose(np.diff(edges), 7 / 30)
    np.testing.assert_allclose(heights.sum(), 1)
    np.testing.assert_allclose(heights[edges[:-1] < 1].sum(), 0.5, atol=0.02)


def test_the_end_of_a_long_tail_is_left_out() -> None:
    edges, counts = (0.0, 1.0, 2.0, 3.0, 1e6), (100, 100, 100, 3)
    column = SimpleNamespace(
        name="tail", kind="number", rows=303, missing=0, edges=edges, counts=counts
    )
    [panel] = inner(distributions(SimpleNamespace(columns=[column])))
    assert panel.get_xlim()[1] < 10


def test_dates_are_written_as_days() -> None:
    second = 1_000_000
    edges = tuple(float(day * 86_400 * second) for day in range(18_000, 18_011))
    column = SimpleNamespace(
        name="when", kind="datetime", rows=10, missing=0, edges=edges, counts=(1,) * 10
    )
    ax = distributions(SimpleNamespace(columns=[column]))
    ax.figure.savefig(BytesIO())
    [panel] = inner(ax)
    shown = [tick.get_text() for tick in panel.get_xticklabels()]
    assert all(text.startswith("2019-04-") for text in shown)


def test_further_columns_are_counted(profile: Any) -> None:
    many = SimpleNamespace(columns=profile.columns[:1] * 20)
    assert distributions(many).get_title(loc="left") == "Distributions · 8 more columns"


def test_no_column_can_be_drawn_at_all() -> None:
    distributions(SimpleNamespace(columns=[])).figure.savefig(BytesIO())


def test_before_and_after_stand_side_by_side(random: np.random.Generator) -> None:
    before = random.gamma(2, 100, (300, 2))
    before[:5, 0] = np.nan
    ax = before_after(before, np.log(before), ["a $", "b"], Figure(figsize=(6, 4)).add_subplot())
    assert len(inner(ax)) == 4
    assert [panel.get_title(loc="left") for panel in inner(ax)[:2]] == ["before", "after"]
    ax.figure.savefig(BytesIO())


def test_constant_and_empty_columns_can_be_drawn() -> None:
    before_after([[1.0, np.nan]] * 3, [[0.0, 0.0]] * 3, ["a", "b"]).figure.savefig(BytesIO())


def test_columns_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SettingError, match="before has 1 columns, after has 2, and there are 1"):
        before_after(np.zeros(3), np.zeros((3, 2)), ["a"])
