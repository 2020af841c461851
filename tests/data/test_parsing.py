from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.data.grammar import BLANKS, ISO_PATTERN, format_pattern, parse_number, parse_time
from headrace.data.parsing import parse_numbers, parse_times
from headrace.data.schema import MISSING_TIME, Column

FORMATS = ["%d/%m/%Y", "%Y%m%d", "%m/%d/%y %I:%M %p", "%d %b %Y", "%Y-%m-%dT%H:%M:%S.%f%z"]
near_numbers = st.text(st.sampled_from("0123456789+-.eE_ ,xinfa\t１"), max_size=8)
near_dates = st.text(st.sampled_from("0123456789-:T Z+./"), min_size=6, max_size=26)


@settings(deadline=None, max_examples=200)
@given(st.lists(near_numbers, min_size=1, max_size=50))
def test_numbers_are_read_as_one_by_one(texts: list[str]) -> None:
    read = parse_numbers(pl.Series(texts), Column("x", "number")).to_list()
    for text, number in zip(texts, read, strict=True):
        plain = text.strip(BLANKS)
        one = parse_number(plain)
        if not plain:
            assert math.isnan(number)
        elif one is None or math.isinf(one):
            assert number is None, text
        else:
            assert number == one, text


@settings(deadline=None, max_examples=150)
@given(st.lists(near_dates | st.from_regex(ISO_PATTERN, fullmatch=True), min_size=1, max_size=20))
def test_iso_dates_are_read_as_one_by_one(texts: list[str]) -> None:
    read = parse_times(pl.Series(texts), Column("x", "datetime")).to_list()
    for text, instant in zip(texts, read, strict=True):
        plain = text.strip(BLANKS)
        assert instant == (parse_time(plain) if plain else MISSING_TIME), text


@pytest.mark.parametrize("form", FORMATS)
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_formats_are_read_as_one_by_one(form: str, data: st.DataObject) -> None:
    pattern = format_pattern(form)
    texts = data.draw(st.lists(st.from_regex(pattern, fullmatch=True), min_size=1, max_size=20))
    read = parse_times(pl.Series(texts), Column("x", "datetime", format=form)).to_list()
    assert read == [parse_time(text.strip(BLANKS), pattern) for text in texts]


@pytest.mark.parametrize("distinct", [1, 3, 5_000])
def test_repeated_dates_are_read_once_with_the_same_answer(distinct: int) -> None:
    days = [f"2024-01-{i % 28 + 1:02d}T00:00:{i % 60:02d}.{i:06d}" for i in range(distinct)]
    texts = ([*days, None, "", "soon"] * 20_000)[:20_000]
    read = parse_times(pl.Series(texts), Column("x", "datetime")).to_list()
    expected = {day: parse_time(day) for day in days} | {
        None: MISSING_TIME,
        "": MISSING_TIME,
        "soon": None,
    }
    assert read == [expected[text] for text in texts]


def test_a_series_of_nothing() -> None:
    for values in ([], [None], [""], ["  "]):
        text = pl.Series(values, dtype=pl.String)
        assert parse_times(text, Column("x", "datetime")).to_list() == [MISSING_TIME] * len(values)
        assert all(map(math.isnan, parse_numbers(text, Column("x", "number")).to_list()))
