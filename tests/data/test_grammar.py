from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.data.grammar import (
    TIME_RANGE,
    boolean_words,
    format_pattern,
    microseconds,
    number_text,
    parse_number,
    parse_time,
    seconds,
    time_text,
    unix_time,
)
from headrace.errors import SettingError


@pytest.mark.parametrize("text", ["1", "-1.5", "+.5", "5.", "1e5", "1E-05", "007", "1" * 400])
def test_numbers(text: str) -> None:
    assert parse_number(text) == float(text)


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "1\n", "nan", "inf", "1_000", "1,000", "0x1", "１", "٣", ".", "e5", "1e", "--1", "1f", "²"],
)  # fmt: skip
def test_what_is_no_number(text: str) -> None:
    assert parse_number(text) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_number_is_that_number(value: float) -> None:
    text = number_text(value)
    assert float(text) == value
    assert not value.is_integer() or abs(value) >= 1e38 or re.fullmatch("-?[0-9]+", text)


@given(st.datetimes())
def test_iso_text_is_read_as_python_reads_it(moment: datetime) -> None:
    expected = microseconds(moment)
    assert parse_time(moment.isoformat()) == expected
    assert parse_time(moment.isoformat(" ")) == expected
    assert parse_time(moment.isoformat() + "Z") == expected
    assert parse_time(time_text(expected, zoned=True)) == expected


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)), st.integers(-1439, 1439))
def test_offsets(moment: datetime, minutes: int) -> None:
    local = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_time(local.isoformat()) == microseconds(local)
    assert microseconds(local) == microseconds(local.astimezone(UTC))


@pytest.mark.parametrize(
    "text",
    ["2023-02-29", "2024-13-01", "2024-00-01", "2024-01-00", "0000-01-01", "2024-01-01T24:00", "2024-1-1",
     "2024-01-01T12", "2024-01-01T12:60", "2024-01-01T12:00:60", "2024-01-01+02:00", "2024-01-01T12:00+24:00",
     "20240101", "24-01-01", "2024-01-01T12:00:00.", "2024-01-01 12:00 CET", "٢٠٢٤-01-01", "2024-01-01\n"],
)  # fmt: skip
def test_what_is_no_date(text: str) -> None:
    assert parse_time(text) is None


def test_the_range_is_the_years_1_to_9999() -> None:
    assert parse_time("0001-01-01") == TIME_RANGE[0]
    assert parse_time("9999-12-31T23:59:59.999999") == TIME_RANGE[1]
    assert parse_time("0001-01-01T00:00+00:01") is None
    assert parse_time("9999-12-31T23:59-00:01") is None


@pytest.mark.parametrize(
    ("form", "text", "iso"),
    [
        ("%d/%m/%Y", "31/1/2024", "2024-01-31"),
        ("%m/%d/%Y", "1/31/2024", "2024-01-31"),
        ("%d.%m.%Y %H:%M", "31.01.2024 7:05", "2024-01-31T07:05"),
        ("%Y%m%d", "20240131", "2024-01-31"),
        ("%d %b %Y", "31 jan 2024", "2024-01-31"),
        ("%B %d, %Y", "JANUARY 31, 2024", "2024-01-31"),
        ("%d/%m/%y", "31/12/68", "2068-12-31"),
        ("%d/%m/%y", "31/12/69", "1969-12-31"),
        ("%m/%d/%Y %I:%M %p", "1/31/2024 12:05 am", "2024-01-31T00:05"),
        ("%m/%d/%Y %I:%M %p", "1/31/2024 12:05 PM", "2024-01-31T12:05"),
        ("%Y-%m-%d %H:%M:%S.%f", "2024-01-31 01:02:03.5", "2024-01-31T01:02:03.5"),
        ("%Y-%m-%dT%H:%M%z", "2024-01-31T01:02+0100", "2024-01-31T00:02"),
        ("%Y", "2024", "2024-01-01"),
        ("100%% %Y.%m", "100% 2024.2", "2024-02-01"),
        ("(%Y) [%m]", "(2024) [02]", "2024-02-01"),
    ],
)
def test_formats(form: str, text: str, iso: str) -> None:
    assert parse_time(text, format_pattern(form)) == parse_time(iso)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("%Y%m%d", "2024131"),
        ("%d/%m/%Y", "31/02/2024"),
        ("%d/%m/%Y", "1/13/2024"),
        ("%d/%m/%Y", "2024-01-31"),
        ("%H:%M %Y", "24:00 2024"),
        ("%I %Y", "13 2024"),
        ("%I %Y", "0 2024"),
        ("%Y.%m", "2024x02"),
        ("%d %b %Y", "31 Jän 2024"),
        ("%y", "２４"),
    ],
)
def test_what_does_not_fit_a_format(form: str, text: str) -> None:
    assert parse_time(text, format_pattern(form)) is None


@pytest.mark.parametrize(
    ("form", "text"),
    [("%Y-%j", "holds '%j'; usable are %Y"), ("%", "holds '%'"), ("", "must hold one year"),
     ("%m/%d", "must hold one year"), ("%Y %y", "usable|year"), ("%m %m %Y", "no part twice")],
)  # fmt: skip
def test_formats_that_cannot_be(form: str, text: str) -> None:
    with pytest.raises(SettingError, match=text):
        format_pattern(form)


def test_boolean_words() -> None:
    usual = boolean_words()
    assert all(usual[word] for word in ("true", "True", "TRUE", "t", "T", "yes", "Y", "1", "1.0"))
    assert not any(usual[word] for word in ("false", "FALSE", "f", "No", "n", "0", "0.0"))
    own = boolean_words((" si ",), ("No",))
    assert own["SI"] is True
    assert own["no"] is False
    assert own["1"] is True
    assert "yes" not in own
    turned = boolean_words(("0",), ("1",))  # what is given wins
    assert (turned["0"], turned["1"]) == (True, False)


def test_unix_times_and_spans() -> None:
    assert unix_time(0, "unix s") == 0
    assert unix_time(-0.5, "unix us") == 0
    assert unix_time(1_706_745_600_123, "unix ms") == 1_706_745_600_123_000
    assert unix_time(1.7e18, "unix ns") == 1_700_000_000_000_000
    assert unix_time(1e300, "unix s") is None
    assert [seconds(n) for n in (3_000_000, 1_500_000, -2_250_000)] == [3.0, 1.5, -2.25]
    assert seconds(5) == pytest.approx(5e-6, rel=1e-15)
