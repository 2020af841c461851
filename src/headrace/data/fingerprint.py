"""The fingerprint of a table: a short text that changes when the rows do.

A table in memory is known by its values. A table in files is known by the files and by what is
done to them on the way, so that terabytes need not be read to see that nothing has changed.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from headrace.data.plans import plan_files, query_plan
from headrace.data.scan import batches, collect, in_memory, of_exactly
from headrace.errors import DataError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["Contents", "contents", "fingerprint"]

_FORM = b"headrace-rows-1"
_DIGITS = 32
_ROWS = 1 << 18
_SAMPLE = 1 << 16
_SAMPLES = 16
_PARQUET = b"PAR1"
_MOST_FOOTER = 1 << 28
_AS_TEXT = (pl.Enum, pl.Categorical, pl.Decimal, pl.Int128, pl.UInt128)


def fingerprint(frame: pl.LazyFrame | pl.DataFrame, *, whole: bool = False) -> str:
    """Answer a text that is the same as long as a table is.

    A table in memory is hashed by the names, dtypes and values of its columns in their order; how
    its memory is cut in pieces does not count, nor does the process or the machine.

    A lazy table that reads files is hashed by what is done to the rows (the plan, with the paths in
    it) and, for each file, its size, the time of its last change, its first and last 64 KiB, blocks
    spread evenly over the rest, and of Parquet the whole footer. A file that is written again
    therefore counts as changed, even with the same content. *Not* noticed is only a change in the
    middle of a file that leaves its size, its time and those blocks as they were, which takes
    somebody who sets the time back; `whole=True` notices that too.

    A lazy table whose plan holds what cannot be read from outside (a table in memory, Python
    functions, files behind a network) is read once, in a stream, and hashed by its values.

    Args:
        frame: The table, as `read` answers it.
        whole: Read every byte of the files and leave out the times, where they cannot be trusted.

    Returns:
        32 hexadecimal digits.

    Raises:
        DataError: A file cannot be read, or a column holds Python objects.

    Example:
        >>> import polars as pl
        >>> rows = pl.DataFrame({"a": [1, None], "b": ["x", "y"]})
        >>> pieces = pl.concat([rows.head(1), rows.tail(1)], rechunk=False)
        >>> fingerprint(rows) == fingerprint(pieces), fingerprint(rows) == fingerprint(rows[::-1])
        (True, False)
    """
    return contents(frame, whole=whole).digest


@dataclass(frozen=True)
class Contents:
    """What a table holds, in hashes.

    Attributes:
        digest: The fingerprint of the whole table.
        columns: That of each column; empty for a table that is known by its files.
        rows: How many rows it has; None for a table that is known by its files.
    """

    digest: str
    columns: Mapping[str, str] = field(default_factory=dict)
    rows: int | None = None


def contents(frame: pl.LazyFrame | pl.DataFrame, *, whole: bool = False) -> Contents:
    """Answer the fingerprint of a table with those of its columns (see `fingerprint`)."""
    lazy = frame.lazy()
    if not in_memory(lazy):
        plan = query_plan(lazy)
        files = None if plan is None else plan_files(plan)
        if files is not None:
            return Contents(_of_files(plan, files, whole=whole))
    return _of_values(lazy)


# ---------------------------------------------------------------- values


def _of_values(frame: pl.LazyFrame) -> Contents:
    schema = frame.collect_schema()
    _refuse_objects(schema)
    columns = {name: hashlib.sha256() for name in schema}
    rows = 0

    def update(column: pl.Series) -> None:
        for part in _plain(column):
            for content in _contents(part):
                columns[column.name].update(content)

    # Hashing releases the interpreter: the columns of a block are hashed side by side.
    with ThreadPoolExecutor(max_workers=pl.thread_pool_size()) as pool:
        for block in of_exactly(_ROWS, _batches(frame)):
            rows += block.height
            list(pool.map(update, block.get_columns()))
    digests = {
        name: hashlib.sha256(_framed(str(schema[name]), one.hexdigest())).hexdigest()[:_DIGITS]
        for name, one in columns.items()
    }
    digest = hashlib.sha256(_FORM)
    digest.update(_framed(*(text for pair in digests.items() for text in pair), str(rows)))
    return Contents(digest.hexdigest()[:_DIGITS], digests, rows)


def _refuse_objects(schema: pl.Schema) -> None:
    held = [name for name, dtype in schema.items() if dtype == pl.Object]
    if held:
        raise DataError(
            Problem(
                "a column of Python objects has no content that can be compared",
                column=name,
                hint="Turn its values into numbers, text or times",
            )
            for name in held
        )


def _batches(frame: pl.LazyFrame) -> Iterable[pl.DataFrame]:
    if in_memory(frame):
        return [collect(frame)]
    return batches(frame, _ROWS)


def _plain(column: pl.Series) -> Iterator[pl.Series]:
    """Answer a column as columns of numbers and texts without gaps, and where its gaps are."""
    kind = column.dtype
    if isinstance(kind, pl.Array):
        yield from _plain(column.arr.to_list())
        return
    gaps = column.null_count()
    yield pl.Series([gaps])
    if gaps:
        yield column.is_null()
    if isinstance(kind, pl.Struct):
        for field in kind.fields:
            yield from _plain(column.struct.field(field.name))
    elif isinstance(kind, pl.List):
        sizes = column.list.len().fill_null(0)
        yield sizes
        yield from _plain(column.filter(sizes > 0).explode())
    elif kind != pl.Null:
        yield from _filled(column)


def _filled(column: pl.Series) -> Iterator[pl.Series]:
    """Answer a column of single values with something plain in its gaps."""
    kind = column.dtype
    if isinstance(kind, pl.Enum):
        yield kind.categories
    if isinstance(kind, _AS_TEXT):
        yield column.cast(pl.String).fill_null("")
    elif isinstance(kind, pl.String | pl.Binary):
        yield column.cast(pl.Binary).fill_null(b"")
    else:
        yield column.to_physical().fill_null(value=False if kind == pl.Boolean else 0)


def _contents(column: pl.Series) -> Iterator[memoryview]:
    """Answer the bytes of a column without gaps."""
    if column.dtype not in (pl.String, pl.Binary):
        values: Any = column.to_numpy()
        yield memoryview(values.view("u1"))
        return
    # In one piece, with places that begin at 0: the same texts give the same bytes.
    texts = column.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, places, characters = texts.buffers()
    yield memoryview(places)[: 8 * (len(column) + 1)]
    if characters is not None:
        yield memoryview(characters)


# ---------------------------------------------------------------- files


def _of_files(plan: Any, files: list[Path], *, whole: bool) -> str:
    digest = hashlib.sha256(_FORM)
    digest.update(json.dumps(plan, sort_keys=True).encode())
    try:
        for file in files:
            content = _whole_file(file) if whole else _marks(file)
            digest.update(_framed(str(file), content))
    except OSError as error:
        problem = Problem(f"{file.name!r} cannot be read: {error.strerror or error}")
        raise DataError([problem]) from error
    return digest.hexdigest()[:_DIGITS]


def _whole_file(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _marks(file: Path) -> str:
    """Answer a hash of a file's size, time, and blocks of it."""
    state = file.stat()
    digest = hashlib.sha256(_framed(str(state.st_size), str(state.st_mtime_ns)))
    step = max(_SAMPLE, state.st_size // _SAMPLES)
    with file.open("rb") as opened:
        for place in [*range(0, state.st_size, step), max(0, state.st_size - _SAMPLE)]:
            opened.seek(place)
            digest.update(opened.read(_SAMPLE))
        for place in _footer(opened, state.st_size):
            opened.seek(place)
            digest.update(opened.read(state.st_size - place))
    return digest.hexdigest()


def _footer(opened: Any, size: int) -> list[int]:
    """Answer where the footer of a Parquet file begins; nothing for other files."""
    if size < 12:
        return []
    opened.seek(size - 8)
    length, mark = int.from_bytes(opened.read(4), "little"), opened.read(4)
    whole = mark == _PARQUET and length <= min(size - 12, _MOST_FOOTER)
    return [size - 8 - length] if whole else []


def _framed(*texts: str) -> bytes:
    """Join texts so that no two lists of texts look alike."""
    return b"".join(b"%d:%b" % (len(text.encode()), text.encode()) for text in texts)
