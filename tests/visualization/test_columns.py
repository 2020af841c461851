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


def test_the_area_of_a_bar_is_its_share(profile: Any) -> None:
    price, _ = inner(distributions(profile))
    areas = [bar.get_width() * bar.get_height() for bar in price.patches]
    np.testing.assert_allclose(areas, [50, 30, 10])


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
