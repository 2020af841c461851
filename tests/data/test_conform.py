from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from types import NoneType
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.data.conform import conform, to_blocks
from headrace.data.expressions import reading
from headrace.data.objects import column_of
from headrace.data.problems import Refused
from headrace.data.rows import RowDoor
from headrace.data.schema import KINDS, MISSING_TIME, Column, Schema, UnknownColumnWarning
from headrace.data.source import read
from headrace.errors import DataError, SettingError

NUMBERS = [
    "0", "1", "-1", "+5", "007", "1.5", "1.", ".5", "-.5e-3", "1e5", "1E+05", "1e400", "-1e400", "1e-400",
    "inf", "-inf", "nan", "NaN", "Infinity", "1_000", "1,5", "0x10", "１２", "٣", "e5", "1e", ".", "-",
    " 2.5", "2.5 ", "\t2\n", "\u00a02", "--5", "5f", "9007199254740993", "123456789012345678901234567890",
    "true", "True", "1.0", "0.0", "yes", "NO", "t", "F",
]  # fmt: skip
DATES = [
    "2024-01-31", "2024-02-30", "2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "0001-01-01",
    "0000-01-01", "9999-12-31T23:59:59.999999", "2024-01-31T12:00", "2024-01-31 12:00:01", "2024-01-31t12:00:01z",
    "2024-01-31T12:00:01.5", "2024-01-31T12:00:01,123456789", "2024-01-31T12:00:01Z", "2024-01-31T12:00:01 UTC",
    "2024-01-31T12:00:01+02:00", "2024-01-31T12:00:01-0530", "2024-01-31T12:00:01+02", "2024-01-31T24:00:00",
    "2024-01-31T23:60:00", "2024-01-31T23:59:60", "2024-01-31T23:59:59+24:00", "0001-01-01T00:00:00+01:00",
    "1969-12-31T23:59:59.000001", "2024-1-31", "31/01/2024", "1/2/2024", "20240131", "2024-01-31+02:00",
    " 2024-01-31 ", "2024-01-31T12", "12024-01-31", "-2024-01-31", "2024-01-31T12:00:00.", "２０２４-01-31",
    "01/02/24", "31/12/68 11:59 pm", "1706745600", "1.5", "Jan 31, 2024",
]  # fmt: skip
TEXTS = [
    "",
    " ",
    "a",
    "?",
    "NA",
    " NA",
    "Ärger",
    "东京",
    "a\nb",
    "a\x00b",
    "é",
    "e\u0301",
    "ﬃ",
    "😀",
    "'",
    '"',
]
FLOATS = [
    0.0, -0.0, 1.0, -1.0, 0.1, 1e-7, 1.25e-5, 1e-4, 1e16, 1e22, 2.0**53, 2.0**63, 1e38, 1e39, 1.7e308, 5e-324,
    -999.0, 123456.789, 20240131.0, 1706745600.0, math.nan, math.inf, -math.inf, 1e15 + 0.5,
]  # fmt: skip
INTEGERS = [
    0,
    1,
    -1,
    -999,
    2**53,
    2**53 + 1,
    2**63 - 1,
    -(2**63),
    2**63,
    2**64,
    2**100,
    20240131,
    10**12,
]

texts = st.sampled_from([*NUMBERS, *DATES, *TEXTS]) | st.text(
    st.characters(exclude_categories=("Cs",)), max_size=12
)
floats = st.sampled_from(FLOATS) | st.floats()
integers = st.sampled_from(INTEGERS) | st.integers(-(2**126), 2**126)
zones = st.sampled_from(
    [None, UTC, timezone(timedelta(hours=2)), timezone(-timedelta(hours=5, minutes=30))]
)
instants = st.datetimes(timezones=zones) | st.sampled_from(
    [
        datetime(1969, 12, 31, 23, 59, 59, 1),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(2024, 1, 31, tzinfo=UTC),
    ]
)
naive = st.datetimes()
spans = st.timedeltas(timedelta(days=-(10**5)), timedelta(days=10**5))
decimals = st.decimals(-(10**12), 10**12, places=4) | st.sampled_from(
    [Decimal(1), Decimal("1.50"), Decimal("-0.00")]
)

# Values of one type to a column, as they would come from one source; and a mixture.
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "text": texts,
    "float": floats,
    "integer": integers,
    "boolean": st.booleans(),
    "day": st.dates(),
    "instant": instants,
    "naive": naive,
    "span": spans,
    "clock": st.times(),
    "decimal": decimals,
    "mixture": st.one_of(texts, integers, st.dates(), st.floats(allow_infinity=False)),
}
FORMATS = [
    None,
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y%m%d",
    "%d/%m/%y %I:%M %p",
    "%b %d, %Y",
    "unix s",
    "unix ms",
    "unix ns",
]
MISSING = [(), ("?", "NA"), ("-999", "NaN"), (" NA", "2024-01-31", "1.0"), ("inf", "true")]


@st.composite
def columns(draw: st.DrawFn) -> Column:
    kind = draw(st.sampled_from(KINDS))
    words = kind == "boolean" and draw(st.booleans())
    return Column(
        "x",
        kind,
        missing=draw(st.sampled_from(MISSING)),
        true=("yes", "ja") if words else (),
        false=("NO", "nein") if words else (),
        format=draw(st.sampled_from(FORMATS)) if kind == "datetime" else None,
    )


@st.composite
def tables(draw: st.DrawFn) -> list[Any]:
    strategy = COLUMNS[draw(st.sampled_from(sorted(COLUMNS)))]
    return draw(st.lists(strategy | st.none(), min_size=1, max_size=6))


def by_frame(values: list[Any], schema: Schema) -> Any:
    try:
        return to_blocks(conform(read({"x": values}), schema).collect(), schema)
    except DataError as error:
        return {problem.row for problem in error.problems}


def by_rows(values: list[Any], schema: Schema) -> Any:
    try:
        return RowDoor(schema)([{"x": value} for value in values])
    except DataError as error:
        return {problem.row for problem in error.problems}


def is_mixture(values: list[Any]) -> bool:
    texts = {type(value) for value in values} <= {str, NoneType}
    return column_of("x", values).dtype == pl.String and not texts


def assert_doors_agree(values: list[Any], column: Column) -> None:
    """Both doors answer the same blocks, or both refuse, and name the same rows."""
    schema = Schema((column,))
    frame, rows = by_frame(values, schema), by_rows(values, schema)
    if isinstance(frame, set) and column.format and is_mixture(values):
        return  # dates among text of another format: as a table's column they are ISO text
    if isinstance(frame, set) or isinstance(rows, set):
        assert isinstance(frame, set), (
            f"only the row door refuses: {rows} of {values}, frame {frame}"
        )
        assert isinstance(rows, set), (
            f"only the frame door refuses: {frame} of {values}, rows {rows}"
        )
        # a dtype that does not fit is refused as a whole, without a row
        assert frame in (rows, {None}), (frame, rows)
        return
    for ours, theirs in zip(frame, rows, strict=True):
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        if ours.dtype == np.float64:
            assert ours.tobytes() == theirs.tobytes() or np.array_equal(
                ours, theirs, equal_nan=True
            )
        else:
            assert ours.tolist() == theirs.tolist()


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(values=tables(), column=columns())
def test_the_two_doors_agree(values: list[Any], column: Column) -> None:
    assert_doors_agree(values, column)


NASTY: list[list[Any]] = [
    [*NUMBERS, *DATES, *TEXTS],
    FLOATS,
    INTEGERS[:-2],
    INTEGERS,
    [True, False],
]


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize(
    ("kind", "form"), [(k, None) for k in KINDS] + [("datetime", f) for f in FORMATS if f]
)
def test_the_two_doors_agree_on_every_nasty_value(
    kind: Any, form: str | None, missing: tuple[str, ...]
) -> None:
    column = Column("x", kind, missing=missing, format=form)
    door = RowDoor(Schema((column,)))
    for values in NASTY:
        fit = [value for value in values if fits(door, value)]
        series = column_of("x", values)
        try:
            refused = series.to_frame().lazy().select(misfit=reading(column, series.dtype).misfit)
        except Refused:
            assert all(isinstance(value, float) and math.isnan(value) for value in fit)
        else:
            misfits = refused.collect()["misfit"].to_list()
            assert misfits == [not fits(door, value) for value in values]
            assert_doors_agree([*fit, None], column)


def fits(door: RowDoor, value: Any) -> bool:
    try:
        door([{"x": value}])
    except DataError:
        return False
    return True


SCHEMA = Schema(
    (
        Column("age", "number"),
        Column("city", "category"),
        Column("day", "datetime"),
        Column("note", "text", optional=True),
    )
)
RAW = {"age": [39, None], "city": ["Oslo", None], "day": ["1970-01-01", ""]}


def test_canonical_columns() -> None:
    table = conform(read(RAW), SCHEMA).collect()
    assert table.schema == {
        "age": pl.Float64,
        "city": pl.String,
        "day": pl.Int64,
        "note": pl.String,
    }
    assert repr(table.rows()) == repr([(39.0, "Oslo", 0, ""), (math.nan, "", MISSING_TIME, "")])
    assert table.null_count().sum_horizontal().item() == 0


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([1, 2], pl.Int8, ["1", "2"]),
        ([1.0, 2.0], pl.Float32, ["1", "2"]),
        ([2**62 + 1], pl.UInt64, [str(2**62 + 1)]),
        (["a"], pl.Categorical, ["a"]),
        (["a"], pl.Enum(["b", "a"]), ["a"]),
        ([Decimal("1.50"), Decimal("2.00")], pl.Decimal(10, 2), ["1.5", "2"]),
        ([date(2024, 1, 31)], pl.Date, ["2024-01-31"]),
        ([datetime(2024, 1, 31, 1)], pl.Datetime("ms"), ["2024-01-31T01:00:00"]),
        ([True], pl.Boolean, ["true"]),
        ([None], pl.Null, [""]),
    ],
)
def test_the_text_of_every_dtype(values: list[Any], dtype: Any, expected: list[str]) -> None:
    frame = pl.LazyFrame({"x": pl.Series(values, dtype=dtype)})
    assert conform(frame, Schema((Column("x", "category"),))).collect()["x"].to_list() == expected


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "Europe/Oslo"])
def test_dates_of_every_unit_and_zone(unit: Any, zone: str | None) -> None:
    series = pl.Series([0, -1, 86_400_000]).cast(pl.Datetime(unit, zone))
    table = conform(pl.LazyFrame({"x": series}), Schema((Column("x", "datetime"),))).collect()
    micro = {"ms": 1000, "us": 1, "ns": 1e-3}[unit]
    assert table["x"].to_list() == [math.floor(n * micro) for n in (0, -1, 86_400_000)]


def test_dates_out_of_range_are_refused() -> None:
    for series in (
        pl.Series([2**62]).cast(pl.Datetime("ms")),
        pl.Series([-(2**62)]).cast(pl.Datetime("us", "UTC")),
        pl.Series([2**31 - 1], dtype=pl.Int32).cast(pl.Date),
    ):
        for kind in ("datetime", "category"):
            with pytest.raises(DataError, match="column 'x', row 0: expected a date of the years"):
                conform(pl.LazyFrame({"x": series}), Schema((Column("x", kind),)))  # type: ignore[arg-type]


def test_every_problem_is_in_one_error() -> None:
    raw = {"agee": [1, 2], "city": [b"x", b"y"], "day": ["1970-01-01", "soon"], "z": [1, 2]}
    with pytest.raises(DataError) as caught:
        conform(read(raw), SCHEMA)
    assert str(caught.value).splitlines() == [
        "3 problems:",
        "- column 'age': the column is missing. Did you mean 'agee'?",
        "- column 'city': expected text or a number (kind category); the column is of dtype Object",
        "- column 'day', row 1: expected a date such as 2024-01-31 or 2024-01-31T12:00:00Z, received 'soon'",
    ]


@pytest.mark.parametrize("lazy", [False, True])
def test_bad_values_are_shown_and_counted(lazy: bool) -> None:
    frame = pl.LazyFrame(
        {"x": ["1", "?", "inf", " ", "x", "y", "z"], "y": [1.0, math.inf] + [0.0] * 5}
    )
    frame = frame.filter(pl.lit(True)) if lazy else frame
    with pytest.raises(DataError) as caught:
        conform(frame, Schema((Column("x", "number"), Column("y", "number"))))
    assert str(caught.value).splitlines() == [
        "5 problems:",
        "- column 'x', row 1: expected a number, received '?'",
        "- column 'x', row 2: expected a number, received 'inf'",
        "- column 'x', row 4: expected a number, received 'x'",
        "- column 'x': expected a number; 2 more rows not so",
        "- column 'y', row 1: expected a finite number, received inf",
    ]


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("number", pl.Date), ("number", pl.List(pl.Int8)), ("boolean", pl.Duration), ("category", pl.Time),
     ("text", pl.Binary), ("datetime", pl.Int64), ("datetime", pl.Boolean), ("id", pl.Struct({"a": pl.Int8}))],
)  # fmt: skip
def test_dtypes_that_cannot_be(kind: Any, dtype: Any) -> None:
    values = {pl.Date: [date(2024, 1, 1)], pl.Duration: [timedelta(1)], pl.Time: [time(1)]}
    value = values.get(dtype) or {pl.Binary: [b"a"], pl.Int64: [1], pl.Boolean: [True]}.get(dtype)
    series = pl.Series(value or ([[1]] if isinstance(dtype, pl.List) else [{"a": 1}]), dtype=dtype)
    with pytest.raises(DataError, match=r"column 'x': expected .*; the column is of dtype"):
        conform(pl.LazyFrame({"x": series}), Schema((Column("x", kind),)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "dtype", [pl.Null, pl.Date, pl.Float64, pl.Int64, pl.String, pl.Boolean, pl.Duration]
)
def test_a_column_of_gaps_fits_every_kind(kind: Any, dtype: Any) -> None:
    schema = Schema((Column("x", kind),))
    frame = pl.LazyFrame({"x": pl.Series([None, None], dtype=dtype)})
    blocks = to_blocks(conform(frame, schema).collect(), schema)
    expected = RowDoor(schema)([{"x": None}] * 2)
    for ours, theirs in zip(blocks, expected, strict=True):
        assert repr(ours) == repr(theirs)


def test_unknown_columns_are_dropped_with_one_warning() -> None:
    frame = read(RAW | {"cty": [1, 2], "zzz": [1, 2], "target": [0, 1]})
    with pytest.warns(UnknownColumnWarning, match=r"know: 'cty' \(nearest: 'city'\), 'zzz'$"):
        table = conform(frame, SCHEMA, ignore=["target"]).collect()
    assert table.columns == list(SCHEMA.names)


def test_columns_can_be_handed_through() -> None:
    frame = read(RAW | {"y": ["<=50K", None]})
    table = conform(frame, SCHEMA, keep=["y"]).collect()
    assert table.columns == [*SCHEMA.names, "y"]
    assert table["y"].to_list() == ["<=50K", None]
    with pytest.raises(DataError, match=r"column 'yy': the column is missing\. Did you mean 'y'\?"):
        conform(frame, SCHEMA, keep=["yy"])
    with pytest.raises(SettingError, match=r"keep= names columns of the schema: \['age'\]"):
        conform(frame, SCHEMA, keep=["age"])


def test_all_columns_may_be_optional_and_absent() -> None:
    schema = Schema((Column("a", "number", optional=True), Column("b", "datetime", optional=True)))
    with pytest.warns(UnknownColumnWarning):
        table = conform(read({"x": [1, 2, 3]}), schema).collect()
    assert table.shape == (3, 2)


def test_a_scan_stays_lazy_and_a_table_is_converted_once() -> None:
    scan = pl.LazyFrame({"x": ["1", "2"]}).filter(pl.lit(True))
    schema = Schema((Column("x", "number"),))
    assert "FILTER" in conform(scan, schema).explain(optimized=False)
    assert conform(read({"x": ["1", "2"]}), schema).explain().startswith("DF")


def test_clean_columns_are_not_copied() -> None:
    values = pl.Series("x", np.arange(1000.0))
    table = conform(values.to_frame().lazy(), Schema((Column("x", "number"),))).collect()
    assert np.shares_memory(table["x"].to_numpy(), values.to_numpy())


def test_streaming_gives_the_same() -> None:
    frame = pl.LazyFrame(
        {"x": [f" {i}" for i in range(50_000)], "t": ["2024-01-01T00:00:00.5"] * 50_000}
    )
    schema = Schema((Column("x", "number"), Column("t", "datetime")))
    lazy = conform(frame.filter(pl.lit(True)), schema)
    assert lazy.collect(engine="streaming").equals(conform(frame, schema).collect())


def test_odd_names() -> None:
    names = ["年龄", "a b", 'q"', "d.o.t", "n\nl", "", "😀", "^GSPC", "refused a"]
    schema = Schema(tuple(Column(name, "number") for name in names))
    raw = read({name: ["1", "x"] for name in names})
    with pytest.raises(DataError) as caught:
        conform(raw, schema)
    assert [problem.column for problem in caught.value.problems] == names
    table = conform(raw.head(1), schema).collect()
    assert table.columns == names
    assert conform(raw.head(1).collect().lazy(), schema).collect().equals(table)
    assert to_blocks(table, schema).numbers.tolist() == [[1.0] * len(names)]
