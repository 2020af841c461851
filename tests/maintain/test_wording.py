from __future__ import annotations

import math

import pytest

from headrace.maintain.wording import chance, figure, moment, percent


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1, "100 %"), (0.999, "99.9 %"), (0.0951, "9.5 %"), (0.12, "12 %")],
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("value", "text"), [(math.inf, "inf"), (math.nan, "nan"), (-0.5, "-0.5"), (999.96, "1000")]
)
def test_figure(value: float, text: str) -> None:
    assert figure(value) == text


def test_a_moment_outside_of_the_calendar() -> None:
    assert moment(0) == "1970-01-01 00:00"
    assert moment(9e18) == "9e+18 µs"
    assert moment(math.nan) == "?"


def test_chance_of_nothing() -> None:
    assert chance(0.0) == "p < 1e-15"
