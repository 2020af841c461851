"""Running lazy tables: errors of the files behind them are said in our words."""

from __future__ import annotations

import codecs
import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import polars as pl

from headrace.errors import DataError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = [
    "BATCH_ROWS",
    "ValueCounts",
    "batches",
    "bounded_scans",
    "collect",
    "count_values",
    "in_memory",
    "of_exactly",
    "raise_unreadable",
]

BATCH_ROWS = 100_000
"""Rows of a lazy table that are held at a time."""

_READ_AHEAD = (
    "POLARS_ROW_GROUP_PREFETCH_SIZE",
    "POLARS_MAX_CONCURRENT_SCANS",
    "POLARS_DEFAULT_LINEARIZER_BUFFER_SIZE",
    "POLARS_DEFAULT_DISTRIBUTOR_BUFFER_SIZE",
    "POLARS_INFLIGHT_SINK_MORSEL_LIMIT",
)
_CHUNK = 1 << 20
_UTF8_HINT = (
    "Save it as UTF-8, or convert it: iconv -f {guess} -t UTF-8 {name} > utf8.csv "
    "(or pandas.read_csv(..., encoding={guess!r}) and give the table)"
)
_SIGNS = (
    (
        re.compile(r"more fields than defined|extra fields"),
        "a row has more fields than the header",
        "Quote fields that hold the separator, or correct the row",
    ),
    (
        re.compile(r"(?i)unexpected end of file|corrupt (gzip|deflate)|incomplete frame|checksum"),
        "the compressed file is cut off or damaged",
        "Copy or download it again",
    ),
    (
        re.compile(r"(?s)could not parse .* as dtype `str`"),
        "a quoted field is not closed",
        "Look for a lone quotation mark",
    ),
    (
        re.compile(r"InvalidNumber|Syntax at character|error parsing|InvalidUTF8|InvalidEscape"),
        "a line is not valid JSON",
        "Each line must be one JSON object, with one type of value to a name",
    ),
    (
        re.compile(r"(?i)out.of.spec|parquet.*magic|Invalid thrift|footer"),
        "the file is cut off or damaged, or not of the format that its name says",
        "Write it again",
    ),
)


def collect(frame: pl.LazyFrame, *, streaming: bool = False) -> pl.DataFrame:
    """Run a lazy table, with errors that name what is wrong with the file.

    Args:
        frame: The lazy table.
        streaming: Whether to run in chunks, for tables larger than memory; otherwise columns that
            nothing changes are not copied.

    Raises:
        DataError: The file behind the table cannot be read.

    Example:
        >>> import polars as pl
        >>> collect(pl.LazyFrame({"a": [1]})).rows()
        [(1,)]
    """
    try:
        return frame.collect(engine="streaming" if streaming else "in-memory")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise_unreadable(error, _paths(frame))


def batches(frame: pl.LazyFrame, rows: int = BATCH_ROWS) -> Iterator[pl.DataFrame]:
    """Answer the rows of a lazy table in order, some at a time; the table is never held.

    Args:
        frame: The lazy table.
        rows: How many rows come at a time, about.

    Raises:
        DataError: The file behind the table cannot be read.

    Example:
        >>> import polars as pl
        >>> [batch.height for batch in batches(pl.LazyFrame({"a": [1, 2, 3]}))]
        [3]
    """
    try:
        yield from frame.collect_batches(chunk_size=rows, maintain_order=True)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise_unreadable(error, _paths(frame))


def of_exactly(rows: int, parts: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Cut tables that follow each other anew, each of exactly so many rows but the last.

    So nothing depends on the pieces that somebody's scan came in.

    Example:
        >>> import polars as pl
        >>> parts = [pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [2, 3, 4]})]
        >>> [part["a"].to_list() for part in of_exactly(3, parts)]
        [[1, 2, 3], [4]]
    """
    waiting: list[pl.DataFrame] = []
    count = 0
    for part in parts:
        waiting.append(part)
        count += part.height
        if count >= rows:
            joined = pl.concat(waiting, rechunk=False)
            whole = count - count % rows
            yield from (joined.slice(start, rows) for start in range(0, whole, rows))
            waiting, count = [joined.slice(whole)], count - whole
    if count:
        yield pl.concat(waiting, rechunk=False)


@contextmanager
def bounded_scans() -> Iterator[None]:
    """Let scans read ahead as little as they can while the block runs: slower, but in bounds.

    Polars reads many row groups ahead by itself, whole files where memory is plenty. What the
    environment already says stays as it is.
    """
    ours = [name for name in _READ_AHEAD if name not in os.environ]
    os.environ.update(dict.fromkeys(ours, "1"))
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


def count_values(
    frame: pl.LazyFrame, columns: Mapping[str, pl.Expr]
) -> dict[str, list[tuple[str, int]]]:
    """Count how often each text comes, the most frequent first, equal ones in alphabetical order.

    A table in memory is counted at once, any other in one scan by parts: Polars' own
    `value_counts` in a query would gather whole columns.

    Args:
        frame: The table.
        columns: What to count, by label; null is not counted.

    Example:
        >>> import polars as pl
        >>> count_values(pl.LazyFrame({"a": ["x", "y", "x", None]}), {"a": pl.col("a")})
        {'a': [('x', 2), ('y', 1)]}
    """
    if not columns:
        return {}
    counted = ValueCounts({label: pl.col(label) for label in columns})
    wanted = frame.select(values.alias(label) for label, values in columns.items())
    for part in [collect(wanted)] if in_memory(frame) else batches(wanted):
        counted.take(part)
    return counted.counts()


class ValueCounts:
    """How often each text comes, gathered part by part.

    Args:
        columns: What to count, by label; null is not counted.

    Example:
        >>> import polars as pl
        >>> counted = ValueCounts({"a": pl.col("a")})
        >>> counted.take(pl.DataFrame({"a": ["x", "y", None]}))
        >>> counted.take(pl.DataFrame({"a": ["y"]}))
        >>> counted.counts()
        {'a': [('y', 2), ('x', 1)]}
    """

    def __init__(self, columns: Mapping[str, pl.Expr]) -> None:
        self._columns = dict(columns)
        self._held: dict[str, pl.DataFrame] = {}

    def take(self, part: pl.DataFrame) -> None:
        """Count the values of the next rows."""
        rows = part.lazy()
        new = pl.collect_all(
            [
                rows.select(value=values).drop_nulls().group_by("value").agg(count=pl.len())
                for values in self._columns.values()
            ]
        )
        for label, counted in zip(self._columns, new, strict=True):
            both = [counted, *([self._held[label]] if label in self._held else ())]
            joined = pl.concat(both)
            self._held[label] = joined.group_by("value").agg(pl.col("count").sum())

    def counts(self) -> dict[str, list[tuple[str, int]]]:
        """Answer the counts, the most frequent value first, equal ones in their order."""
        return {label: _ordered(table) for label, table in self._held.items()}


def _ordered(counted: pl.DataFrame) -> list[tuple[str, int]]:
    present = counted.filter(pl.col("value").is_not_null())
    return present.sort(["count", "value"], descending=[True, False]).rows()


def in_memory(frame: pl.LazyFrame) -> bool:
    """Answer whether a lazy table is a plain table in memory, without a scan or a step.

    Example:
        >>> import polars as pl
        >>> in_memory(pl.LazyFrame({"a": [1]})), in_memory(pl.LazyFrame({"a": [1]}).head(1))
        (True, False)
    """
    return frame.explain(optimized=False).startswith("DF [")


def raise_unreadable(error: Exception, paths: Iterable[Path]) -> NoReturn:
    """Raise a DataError in place of what Polars said about a file.

    Errors that are not about the content of a file are raised as they are.
    """
    files = list(paths)
    name = ", ".join(repr(path.name) for path in files[:3]) or "the file"
    text = str(error)
    if re.search(r"utf-?8", text, re.IGNORECASE):
        raise DataError([_not_utf8(files)]) from error
    for sign, problem, hint in _SIGNS:
        if sign.search(text):
            raise DataError([Problem(f"{name}: {problem}", hint=hint)]) from error
    raise error


def _not_utf8(files: Sequence[Path]) -> Problem:
    for path in files:
        place = _first_bad_byte(path)
        if place is None:
            continue
        position, line, byte, guess = place
        return Problem(
            f"{path.name!r} is not UTF-8: byte {position:,} (line {line:,}) is 0x{byte:02x}",
            hint=_UTF8_HINT.format(guess=guess, name=path.name),
        )
    return Problem("the file is not UTF-8", hint=_UTF8_HINT.format(guess="latin-1", name="FILE"))


def _first_bad_byte(path: Path) -> tuple[int, int, int, str] | None:
    """Answer the offset, the line, the byte, and the encoding that it probably is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    position, line = 0, 1
    with path.open("rb") as file:
        guess = "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
        file.seek(0)
        while True:
            chunk = file.read(_CHUNK)
            held = len(decoder.getstate()[0])  # the start of a character, of the chunk before
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                offset = error.start - held
                before = chunk[: max(offset, 0)].count(b"\n")
                return position + offset, line + before, error.object[error.start], guess
            if not chunk:
                return None
            position, line = position + len(chunk), line + chunk.count(b"\n")


def _paths(frame: pl.LazyFrame) -> list[Path]:
    """Answer the files that a lazy table reads, as far as its plan names them."""
    named = re.findall(r"SCAN \[(.*?)(?:, \.\.\..*)?\]", frame.explain(optimized=False))
    return [path for text in named for part in text.split(", ") if (path := Path(part)).is_file()]
