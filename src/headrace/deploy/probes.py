"""Probe rows: values that break careless code, for comparing the paths of a pipeline."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from headrace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.data.profile import ColumnProfile, Profile
    from headrace.data.schema import Column, Schema

__all__ = ["probe_rows"]

_TEXTS = (
    "never seen", "naïve Zürich", "日本語", "Ελλάδα", "🙂🙃", "e\u0301", " padded ", "UPPER",
    "line\nbreak", "quote\"d, with 'commas'", "x" * 5000, "0", "-1.5e3", "true", "None", "\u200b",
)  # fmt: skip
_INSTANTS = (
    "1900-01-01T00:00:00", "1969-12-31T23:59:59", "1969-07-20T20:17:40", "1970-01-01T00:00:00",
    "1999-12-31T23:59:59", "2000-02-29T12:00:00", "2023-03-26T02:30:00", "2024-12-30T00:00:00",
    "2100-03-01T00:00:00",
)  # fmt: skip
_UNITS = {"unix s": 1, "unix ms": 10**3, "unix us": 10**6, "unix ns": 10**9}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def probe_rows(
    schema: Schema,
    profile: Profile | None = None,
    rows: Sequence[Mapping[str, Any]] = (),
    *,
    reach: float = 1.0,
) -> list[dict[str, Any]]:
    """Answer rows with missing, unseen and extreme values in every column.

    One row is missing everywhere. Then come rows in which every column has an odd value, and rows
    in which one column is missing and the others are ordinary.

    Args:
        schema: The columns.
        profile: Statistics of the training rows; it says what is ordinary and what extreme.
        rows: Ordinary rows as they came in; probes are of the same Python types (a column of
            numbers held as text gets text).
        reach: How far numbers go beyond what was seen, in widths of the range seen.

    Raises:
        SettingError: `reach` is negative.

    Example:
        >>> from headrace.data.schema import Column, Schema
        >>> rows = probe_rows(Schema((Column("age", "number"), Column("city", "category"))))
        >>> rows[0], rows[4]["city"]
        ({'age': None, 'city': None}, '日本語')
    """
    if reach < 0:
        raise SettingError(f"reach must not be negative, received {reach}")
    seen = {column.name: column for column in profile.columns} if profile else {}
    odd: dict[str, list[Any]] = {}
    ordinary: dict[str, list[Any]] = {}
    for column in schema.columns:
        samples = [row[column.name] for row in rows if not _is_missing(row.get(column.name))]
        values = _odd_values(column, seen.get(column.name), samples, reach)
        odd[column.name] = [None, *values]
        ordinary[column.name] = samples[:5] or values[:1]
    longest = max((len(values) for values in odd.values()), default=0)
    return [*_each_value(odd, longest), *_one_missing(ordinary)]


def _each_value(odd: Mapping[str, list[Any]], count: int) -> list[dict[str, Any]]:
    columns = [list(islice(cycle(values), count)) for values in odd.values()]
    return [dict(zip(odd, row, strict=True)) for row in zip(*columns, strict=True)]


def _one_missing(ordinary: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    found = []
    for place, missing in enumerate(ordinary):
        row = {name: values[place % len(values)] for name, values in ordinary.items()}
        found.append({**row, missing: None})
    return found


def _odd_values(
    column: Column, seen: ColumnProfile | None, samples: list[Any], reach: float
) -> list[Any]:
    like = samples[0] if samples else None
    if column.kind == "boolean":
        return _booleans(column, samples)
    if column.type == "number":
        return _numbers(seen, samples, like, reach)
    if column.type == "time":
        return _times(column, like)
    if like is not None and not isinstance(like, str):
        return _codes(samples)
    return ["", *_TEXTS]


def _booleans(column: Column, samples: list[Any]) -> list[Any]:
    if samples:
        return sorted(set(samples), key=repr)[:4]
    return [column.true[0], column.false[0]] if column.true else [True, False]


def _numbers(seen: ColumnProfile | None, samples: list[Any], like: Any, reach: float) -> list[Any]:
    low, high = _range(seen, samples)
    width = (high - low) * reach
    values = [low, high, low - width, high + width, (low + high) / 2, 0.0, -0.0, 1e-300, 0.1 + 0.2]
    # What lies outside of the reach only proves that chaos differs from chaos.
    inside = [value for value in values if low - width <= value <= high + width]
    if isinstance(like, str):
        return [repr(value) for value in inside]
    if isinstance(like, int) and not isinstance(like, bool):
        return [round(value) for value in inside]
    return inside


def _range(seen: ColumnProfile | None, samples: list[Any]) -> tuple[float, float]:
    if seen is not None and seen.minimum is not None and seen.maximum is not None:
        return seen.minimum, seen.maximum
    numbers = [float(value) for value in samples if isinstance(value, int | float)]
    return (min(numbers), max(numbers)) if numbers else (-1.0, 1.0)


def _codes(samples: list[Any]) -> list[Any]:
    """Categories that are not held as text keep their type: numbers get numbers never seen."""
    distinct = sorted(set(samples), key=repr)[:3]
    if all(isinstance(value, int) and not isinstance(value, bool) for value in distinct):
        return [*distinct, max(samples) + 12345, min(samples) - 12345]
    return distinct


def _times(column: Column, like: Any) -> list[Any]:
    instants = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in _INSTANTS]
    if isinstance(like, datetime):
        return [instant.replace(tzinfo=like.tzinfo) for instant in instants]
    if isinstance(like, date):
        return [instant.date() for instant in instants]
    if column.format in _UNITS:
        counts = [(i - _EPOCH) // timedelta(seconds=1) * _UNITS[column.format] for i in instants]
        return [str(count) for count in counts] if isinstance(like, str) else counts
    if column.format is not None:
        return [instant.strftime(column.format) for instant in instants]
    if isinstance(like, str) and len(like) == len("2024-01-31"):
        return [instant.date().isoformat() for instant in instants]
    return [instant.replace(tzinfo=None).isoformat() for instant in instants]


def _is_missing(value: object) -> bool:
    return value is None or value == "" or value != value  # noqa: PLR0124 - NaN is not itself
