from __future__ import annotations

import enum
import math
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headrace.data.rows import RowDoor
from headrace.data.schema import MISSING_TIME, Column, Kind, Schema, UnknownColumnWarning
from headrace.errors import DataError

DAY = 86_400_000_000


class Colour(str, enum.Enum):  # noqa: UP042 - str() of it is not its value
    RED = "red"


class Size(enum.IntEnum):
    BIG = 3


def one(value: object, kind: Kind, **settings: Any) -> Any:
    blocks = RowDoor(Schema((Column("x", kind, **settings),)))([{"x": value}])
    return next(block for block in blocks if block.size)[0, 0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0),
        (1.5, 1.5),
        (True, 1.0),
        ("1.5", 1.5),
        (" 12.5 ", 12.5),
        (Decimal("1.1"), 1.1),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.float16(0.5), 0.5),
        (np.longdouble(2.5), 2.5),
        (np.int8(-3), -3.0),
        (np.uint64(2**64 - 1), float(2**64 - 1)),
        (np.bool_(True), 1.0),
        (np.str_("7"), 7.0),
        (Size.BIG, 3.0),
        (timedelta(days=1, microseconds=500_000), 86400.5),
        (np.timedelta64(90, "s"), 90.0),
        (time(1, 2, 3), 3723.0),
        (2**60 + 1, float(2**60 + 1)),
    ],
)
def test_numbers(value: object, expected: float) -> None:
    assert one(value, "number") == expected


GAPS: list[object] = [
    None,
    math.nan,
    np.float64("nan"),
    Decimal("NaN"),
    pd.NA,
    pd.NaT,
    "",
    "  ",
    np.datetime64("NaT"),
]


@pytest.mark.parametrize("value", GAPS)
def test_gaps_are_missing_in_every_kind(value: object) -> None:
    assert math.isnan(one(value, "number"))
    assert math.isnan(one(value, "boolean"))
    assert one(value, "datetime") == MISSING_TIME
    assert one(value, "category").strip() == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Oslo", "Oslo"),
        (" Oslo ", " Oslo "),
        (1, "1"),
        (1.0, "1"),
        (-0.0, "0"),
        (1.5, "1.5"),
        (2**70, str(2**70)),
        (1e20, "100000000000000000000"),
        (1e-7, "1e-07"),
        (True, "true"),
        (np.bool_(False), "false"),
        (Decimal("1.50"), "1.5"),
        (Decimal("1E+3"), "1000"),
        (date(2024, 1, 31), "2024-01-31"),
        (datetime(2024, 1, 31, 12), "2024-01-31T12:00:00"),
        (datetime(2024, 1, 31, 12, 0, 0, 5, UTC), "2024-01-31T12:00:00.000005Z"),
        (Colour.RED, "red"),
        (np.str_("b"), "b"),
    ],
)  # fmt: skip
def test_texts(value: object, expected: str) -> None:
    answer = one(value, "category")
    assert answer == expected
    assert type(answer) is str


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (date(1970, 1, 2), DAY),
        (datetime(1970, 1, 2), DAY),
        (datetime(1970, 1, 2, 2, tzinfo=timezone(timedelta(hours=2))), DAY),
        (pd.Timestamp("1970-01-02", tz="Asia/Tokyo"), DAY - 9 * 3_600_000_000),
        (np.datetime64("1970-01-02"), DAY),
        (np.datetime64("1970-01-02T00:00:00.000000999", "ns"), DAY),
        ("1970-01-02", DAY),
        ("1970-01-02T00:00:00Z", DAY),
        (" 1970-01-02 02:00+02:00 ", DAY),
        ("1969-12-31T23:59:59.9999999", -1),
    ],
)  # fmt: skip
def test_times(value: object, expected: int) -> None:
    assert one(value, "datetime") == expected


def test_times_by_format() -> None:
    assert one("02/01/1970", "datetime", format="%d/%m/%Y") == DAY
    assert one(19700102, "datetime", format="%Y%m%d") == DAY
    assert one(19700102.0, "datetime", format="%Y%m%d") == DAY
    assert one(86400, "datetime", format="unix s") == DAY
    assert one("86400000", "datetime", format="unix ms") == DAY
    assert one(Decimal(86400), "datetime", format="unix s") == DAY


def test_booleans() -> None:
    assert [one(v, "boolean") for v in (True, 0, 1.0, "yes", "F", np.int64(1))] == [
        1,
        0,
        1,
        1,
        0,
        1,
    ]
    assert one("ja", "boolean", true=("Ja",), false=("Nein",)) == 1
    assert one(False, "boolean", true=("Ja",), false=("Nein",)) == 0


def test_declared_missing_values_are_compared_as_values_too() -> None:
    for value in (-999, -999.0, "-999", " -999.0 ", Decimal(-999)):
        assert math.isnan(one(value, "number", missing=("-999",)))
    assert one(-999, "category", missing=("-999",)) == ""
    assert one("n/a", "category", missing=("n/a",)) == ""
    assert one(" n/a", "category", missing=("n/a",)) == " n/a"  # text is kept byte for byte
    assert one(datetime(9999, 12, 31), "datetime", missing=("9999-12-31",)) == MISSING_TIME
    assert math.isnan(one(" ? ", "boolean", missing=("?",)))


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("old", "number", "expected a number, received 'old'"),
        ("1_000", "number", "expected a number, received '1_000'"),
        (math.inf, "number", "expected a finite number, received inf"),
        ("1e400", "number", "expected a finite number, received '1e400'"),
        (10**400, "number", "expected a finite number, received 1000"),
        (b"1", "number", "expected a number, not a bytes, received b'1'"),
        ([1], "number", r"expected a number, not a list, received \[1\]"),
        (date(2024, 1, 1), "number", "expected a number, not a date"),
        (2, "boolean", "expected 'true' or 'false', or 1 or 0, received 2"),
        ("maybe", "boolean", "expected 'true' or 'false', or 1 or 0, received 'maybe'"),
        (math.inf, "category", "expected a finite number, received inf"),
        ({}, "category", r"expected text or a number \(kind category\), not a dict"),
        ("\ud800", "category", "expected valid Unicode text"),
        (timedelta(1), "id", r"expected text or a number \(kind id\), not a timedelta"),
        ("soon", "datetime", "expected a date such as 2024-01-31 or 2024-01-31T12:00:00Z, received 'soon'"),
        (20240131, "datetime", "expected a date such as"),
        (True, "datetime", "expected a date such as"),
        (np.datetime64("20000-01-01"), "datetime", "expected a date of the years 1 to 9999"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_words(value: object, kind: Kind, text: str) -> None:
    with pytest.raises(DataError, match=r"column 'x', row 0: " + text):
        one(value, kind)


def test_a_format_is_named_when_it_does_not_fit() -> None:
    with pytest.raises(
        DataError, match="expected a date written as '%d/%m/%Y', received '2024-01-31'"
    ):
        one("2024-01-31", "datetime", format="%d/%m/%Y")


@pytest.fixture
def door() -> RowDoor:
    return RowDoor(
        Schema(
            (
                Column("age", "number"),
                Column("city", "category"),
                Column("day", "datetime", optional=True),
            )
        ),
        ignore=("income",),
    )


def test_blocks_of_several_rows(door: RowDoor) -> None:
    blocks = door([{"age": 1, "city": "a", "day": "1970-01-01"}, {"age": None, "city": None}])
    np.testing.assert_array_equal(blocks.numbers, [[1.0], [math.nan]])
    assert blocks.strings.tolist() == [["a"], [""]]
    assert blocks.times.tolist() == [[0], [MISSING_TIME]]
    assert [block.dtype.kind for block in blocks] == ["f", "O", "i"]


def test_no_row_is_no_error(door: RowDoor) -> None:
    assert [block.shape for block in door([])] == [(0, 1), (0, 1), (0, 1)]


def test_any_mapping_is_a_row(door: RowDoor) -> None:
    assert door([MappingProxyType({"age": 1, "city": "a"})]).numbers.tolist() == [[1.0]]


def test_every_problem_is_named_at_once(door: RowDoor) -> None:
    rows = [{"age": "x", "city": "a"}, {"agee": 1, "city": [1]}, {"age": 1, "city": "b", "day": 5}]
    with pytest.raises(DataError) as caught:
        door(rows)
    assert str(caught.value).splitlines() == [
        "4 problems:",
        "- column 'age', row 1: the column is missing. Did you mean 'agee'?",
        "- column 'age', row 0: expected a number, received 'x'",
        "- column 'city', row 1: expected text or a number (kind category), not a list, received [1]",
        "- column 'day', row 2: expected a date such as 2024-01-31 or 2024-01-31T12:00:00Z, received 5",
    ]


def test_many_bad_rows_are_counted(door: RowDoor) -> None:
    with pytest.raises(DataError, match=r"column 'age': expected a number; 1,997 more rows not so"):
        door([{"age": "x", "city": "a"}] * 2000)


@pytest.mark.parametrize("rows", [{"age": 1, "city": "a"}, "text", 5, None])
def test_rows_must_be_a_list(door: RowDoor, rows: Any) -> None:
    with pytest.raises(DataError, match="expected a list of rows, each a mapping"):
        door(rows)


@pytest.mark.parametrize("row", [1, None, "age", ["age"], ("age", 1)])
def test_a_row_must_be_a_mapping(door: RowDoor, row: Any) -> None:
    with pytest.raises(DataError, match="row 1: expected a mapping from column name to value"):
        door([{"age": 1, "city": "a"}, row])


def test_unknown_columns_are_warned_of_once_and_ignored(door: RowDoor) -> None:
    row = {"age": 1, "city": "a", "day": None, "cty": 2, "income": 3}
    with pytest.warns(UnknownColumnWarning, match=r"does not know: 'cty' \(nearest: 'city'\)"):
        door([row])
    door([row, row])  # silent: warnings are errors here


def test_an_ignored_column_is_silent(door: RowDoor) -> None:
    door([{"age": 1, "city": "a", "income": "<=50K"}])


def test_odd_names() -> None:
    names = ["年龄", "a b", 'q"', "d.o.t", "n\nl", "", "😀"]
    door = RowDoor(Schema(tuple(Column(name, "number") for name in names)))
    assert door([{name: i for i, name in enumerate(names)}]).numbers.tolist() == [
        [0, 1, 2, 3, 4, 5, 6]
    ]


def test_the_door_needs_numpy_only() -> None:
    code = (
        "import sys; from headrace.data.rows import RowDoor; "
        "print(sorted({'polars', 'pandas', 'pyarrow', 'sklearn', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
