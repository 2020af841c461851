"""The frame door: a raw table as canonical columns, lazily; every misfit in one error."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
import polars as pl

from headrace.data.expressions import Reading, reading
from headrace.data.problems import (
    Refused,
    absent_column,
    expected,
    refused_values,
    warn_unknown,
)
from headrace.data.rows import Blocks
from headrace.data.scan import collect, in_memory
from headrace.data.values import reader
from headrace.errors import DataError, Problem, SettingError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from headrace.data.schema import Column, Schema

__all__ = ["conform", "to_blocks"]

_SHOWN_ROWS = 3
_PREFIX = "refused "
_Scalar = TypeVar("_Scalar", np.float64, np.int64)


def conform(
    frame: pl.LazyFrame,
    schema: Schema,
    *,
    keep: Collection[str] = (),
    ignore: Collection[str] = (),
) -> pl.LazyFrame:
    """Turn a raw table into the schema's canonical columns.

    number and boolean become Float64 (missing NaN), category, text and id become String (missing
    ""), datetime becomes Int64 microseconds UTC (missing `MISSING_TIME`). Text is kept byte for
    byte in String columns; numbers, truth values and dates may have blanks around them. Whole
    numbers used as categories are written without a point, so that 1, 1.0 and "1" agree.

    The values are checked here, in one pass over the columns whose dtype leaves room for misfits;
    a table in memory is converted in the same pass, a scan of files stays lazy.

    Args:
        frame: The raw table, as `read` answers it.
        schema: What it should be.
        keep: Columns to hand through as they are, behind the schema's (a target, a weight).
        ignore: Columns that the table may hold besides; others are dropped with a warning.

    Returns:
        The schema's columns in the schema's order, then those of `keep`.

    Raises:
        DataError: Every absent column, wrong dtype and misfit value, with row and nearest name.

    Example:
        >>> import polars as pl
        >>> from headrace.data.schema import Column, Schema
        >>> raw = pl.LazyFrame({"age": ["39", None], "city": [1.0, 2.5]})
        >>> schema = Schema((Column("age", "number"), Column("city", "category")))
        >>> conform(raw, schema).collect().rows()
        [(39.0, '1'), (nan, '2.5')]
    """
    held = frame.collect_schema()
    _check_keep(keep, schema)
    problems = [absent_column(name, held) for name in keep if name not in held]
    readings: dict[str, Reading] = {}
    for column in schema:
        try:
            readings[column.name] = _reading(column, held, frame)
        except Refused as refusal:
            problems.append(Problem(str(refusal), column=column.name))
        except _AbsentColumn:
            problems.append(absent_column(column.name, held))
    if problems:  # the values of the other columns are worth knowing too
        _canonical(frame, schema, readings, keep, problems)
        raise DataError(problems)
    known = {*schema.names, *keep, *ignore}
    unknown = [name for name in held if name not in known]
    warn_unknown(unknown, schema, stacklevel=2)
    return _canonical(frame, schema, readings, keep, problems)


def to_blocks(frame: pl.DataFrame, schema: Schema) -> Blocks:
    """Gather a canonical table's columns in the blocks that a deployed graph takes.

    Args:
        frame: A canonical table.
        schema: Its schema.

    Returns:
        numbers (rows, n) float64, strings (rows, s) of str, times (rows, t) int64.

    Example:
        >>> import polars as pl
        >>> from headrace.data.schema import Column, Schema
        >>> schema = Schema((Column("age", "number"), Column("city", "category")))
        >>> to_blocks(pl.DataFrame({"age": [39.0], "city": ["Oslo"]}), schema).strings.tolist()
        [['Oslo']]
    """
    strings = np.empty((frame.height, len(schema.strings)), dtype=object)
    for i, name in enumerate(schema.strings):
        strings[:, i] = frame[name].to_list()
    return Blocks(
        _matrix(frame, schema.numbers, np.float64),
        strings,
        _matrix(frame, schema.times, np.int64),
    )


def _matrix(frame: pl.DataFrame, names: tuple[str, ...], dtype: type[_Scalar]) -> NDArray[_Scalar]:
    matrix: NDArray[_Scalar] = np.empty((frame.height, len(names)), dtype=dtype)
    for i, name in enumerate(names):
        matrix[:, i] = frame[name].to_numpy()
    return matrix


class _AbsentColumn(Exception):  # noqa: N818 - a signal inside this module
    pass


def _check_keep(keep: Collection[str], schema: Schema) -> None:
    twice = [name for name in keep if name in schema]
    if twice:
        raise SettingError(f"keep= names columns of the schema: {twice}; leave them out of one")


def _reading(column: Column, held: Mapping[str, pl.DataType], frame: pl.LazyFrame) -> Reading:
    if column.name not in held:
        if not column.optional:
            raise _AbsentColumn
        return reading(column, pl.Null())
    try:
        return reading(column, held[column.name])
    except Refused:
        if not _is_valueless(frame, column.name, held[column.name]):
            raise
        return reading(column, pl.Null())  # gaps have some dtype too


def _is_valueless(frame: pl.LazyFrame, name: str, dtype: pl.DataType) -> bool:
    if dtype.is_nested() or dtype in (pl.Object, pl.Binary):
        return False
    values = pl.col(name).fill_nan(None) if dtype.is_float() else pl.col(name)
    return not collect(frame.select(values.count()), streaming=True).item()


def _canonical(
    frame: pl.LazyFrame,
    schema: Schema,
    readings: Mapping[str, Reading],
    keep: Collection[str],
    problems: list[Problem],
) -> pl.LazyFrame:
    """Answer the canonical table after its check; the check's findings join the problems."""
    canonical = [read.canonical.alias(name) for name, read in readings.items()]
    names = [*readings, *keep]
    doubtful = {name: read for name, read in readings.items() if not read.certain}
    if problems or not in_memory(frame):
        misfits = _misfits(frame, doubtful)
        result = frame.with_columns(canonical).select(names)
    else:
        table = collect(frame.with_columns(*canonical, *_flags(doubtful)))
        misfits = _misfits_of(table, doubtful)
        result = table.select(names).lazy()
    if misfits:
        problems += _misfit_problems(frame, schema, misfits)
        raise DataError(sorted(problems, key=lambda problem: _place(problem, schema)))
    return result


def _flags(doubtful: Mapping[str, Reading]) -> list[pl.Expr]:
    return [
        read.refused.any().alias(_PREFIX + name)
        for name, read in doubtful.items()
        if read.refused is not None
    ]


def _misfits_of(table: pl.DataFrame, doubtful: Mapping[str, Reading]) -> dict[str, Reading]:
    """Answer the columns of a converted table that hold values that do not fit."""
    flags = set(table.columns)
    flagged = {
        name
        for name in doubtful
        if table[name].null_count() or (_PREFIX + name in flags and table[_PREFIX + name].any())
    }
    return {name: read for name, read in doubtful.items() if name in flagged}


def _misfits(frame: pl.LazyFrame, doubtful: Mapping[str, Reading]) -> dict[str, Reading]:
    """Answer the same of a table that stays lazy, by one scan of these columns."""
    if not doubtful:
        return {}
    found = collect(
        frame.select(read.misfit.any().alias(name) for name, read in doubtful.items()),
        streaming=True,
    )
    return {name: read for name, read in doubtful.items() if found[name].item()}


def _place(problem: Problem, schema: Schema) -> int:
    known = problem.column is not None and problem.column in schema
    return schema.names.index(problem.column or "") if known else len(schema)


def _misfit_problems(
    frame: pl.LazyFrame, schema: Schema, misfits: Mapping[str, Reading]
) -> list[Problem]:
    """Look up the first rows of each column that do not fit; only reached when there are some."""
    held = frame.collect_schema()
    problems = []
    for name, read in misfits.items():
        value = pl.col(name)
        if held[name].is_temporal():  # of years that Python does not know
            value = value.to_physical().cast(pl.String)
        query = frame.select(
            pl.int_range(pl.len()).filter(read.misfit).head(_SHOWN_ROWS).implode().alias("rows"),
            value.filter(read.misfit).head(_SHOWN_ROWS).implode().alias("values"),
            read.misfit.sum().alias("total"),
        )
        found = collect(query).row(0, named=True)
        rows = [
            (row, value, _text(schema[name], value, held[name]))
            for row, value in zip(found["rows"], found["values"], strict=True)
        ]
        problems += refused_values(schema[name], rows, found["total"])
    return problems


def _text(column: Column, value: object, dtype: pl.DataType) -> str:
    """Say what was expected of a value, in the words of the row door."""
    if dtype.is_temporal():
        return "expected a date of the years 1 to 9999"
    try:
        reader(column)[type(value)](value)
    except Refused as refusal:
        return str(refusal)
    return expected(column)
