"""The calendar against Python's own, and circles."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.errors import SettingError
from headrace.plan.time import PARTS, Cyclic, DateParts

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MISSING_TIME = -(2**63)

moments = st.datetimes(timezones=st.just(UTC))


def microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def python_parts(moment: datetime) -> dict[str, float]:
    _, week, weekday = moment.isocalendar()
    return {
        "year": moment.year,
        "quarter": (moment.month + 2) // 3,
        "month": moment.month,
        "week": week,
        "day": moment.day,
        "day_of_year": moment.timetuple().tm_yday,
        "weekday": weekday,
        "is_weekend": weekday >= 6,
        "hour": moment.hour,
        "minute": moment.minute,
        "second": moment.second,
        "days": microseconds(moment) / 86_400e6,
    }


def by_polars(times: list[int]) -> np.ndarray:
    frame = pl.DataFrame({"t": times}, schema={"t": pl.Int64})
    made = DateParts(PARTS).polars([pl.col("t")])
    return frame.select(x.alias(part) for x, part in zip(made, PARTS, strict=True)).to_numpy()


def by_tensorflow(times: list[int]) -> np.ndarray:
    import tensorflow as tf

    return DateParts(PARTS).tensorflow(tf.constant(times, tf.int64)[:, None]).numpy()


def assert_same(found: np.ndarray, wanted: np.ndarray) -> None:
    """All parts are exact but the last one, days with their fraction."""
    np.testing.assert_array_equal(found[:, :-1], wanted[:, :-1])
    np.testing.assert_allclose(found[:, -1], wanted[:, -1], rtol=1e-15)


@settings(deadline=None)
@given(st.lists(moments, min_size=1, max_size=20))
def test_polars_takes_moments_apart_as_python_does(some: list[datetime]) -> None:
    wanted = [list(python_parts(moment).values()) for moment in some]
    assert_same(by_polars([microseconds(m) for m in some]), np.array(wanted, float))


def test_the_graph_takes_every_day_of_nine_centuries_apart_as_polars_does() -> None:
    first = microseconds(datetime(1550, 1, 1, tzinfo=UTC))
    days = [first + day * 86_400_000_000 + day % 86_399 * 1_000_001 for day in range(330_000)]
    assert_same(by_tensorflow(days), by_polars(days))


def test_the_calendar_ends_with_the_years_minus_9999_and_9999() -> None:
    ends = [-377_705_116_800_000_000, 253_402_300_799_999_999]
    for parts in (by_polars, by_tensorflow):
        found = parts([*ends, ends[0] - 1, ends[1] + 1, MISSING_TIME])
        assert found[:2, 0].tolist() == [-9999, 9999]
        assert found[:2, 2].tolist() == [1, 12]
        assert np.isnan(found[2:]).all()


def test_names_go_part_by_part() -> None:
    assert DateParts(["hour", "day"]).names(["a", "b"]) == ("a_hour", "b_hour", "a_day", "b_day")


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(0.1, 1e3))
def test_cyclic_is_sine_and_cosine_of_the_turn(value: float, period: float) -> None:
    frame = pl.DataFrame({"x": [value, value + period]})
    sin, cos = (frame.select(x).to_series() for x in Cyclic([period]).polars([pl.col("x")]))
    assert sin[0] == pytest.approx(math.sin(math.tau * (value / period)), abs=1e-6)
    assert cos[0] == pytest.approx(math.cos(math.tau * (value / period)), abs=1e-6)
    assert (sin[0], cos[0]) == pytest.approx((sin[1], cos[1]), abs=1e-6)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: DateParts(["moth"]), "'moth' is none of year, .*; did you mean 'month'?"),
        (lambda: DateParts([]), "one or more different parts"),
        (lambda: DateParts(["day", "day"]), "one or more different parts"),
        (lambda: Cyclic([0.0]), r"above 0 for each column, received \[0.0\]"),
    ],
)
def test_parameters_that_do_not_fit_are_named(make: Callable[[], object], match: str) -> None:
    with pytest.raises(SettingError, match=match):
        make()
