"""One scan, many readers: whatever must see all rows sees them in the same pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import polars as pl

from headrace.data.scan import batches, collect, in_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["Hashes", "Reader", "Tally", "scan_once"]

_FEWEST_PENDING = 200_000


class Reader(Protocol):
    """What sees the rows of a table part by part, in their order."""

    def take(self, part: pl.DataFrame) -> None:
        """Look at the next rows."""


def scan_once(
    frame: pl.LazyFrame,
    query: Callable[[pl.LazyFrame], pl.LazyFrame],
    readers: Sequence[Reader] = (),
) -> pl.DataFrame:
    """Run a query over a table, and hand each part of the rows to readers, in one scan.

    A table in memory is one part. Polars shares a scan among queries only where it can tell that
    two scans are the same, and then holds rows back; here the parts flow through one after another.

    Args:
        frame: The table.
        query: What to make of the table; it must need each row once.
        readers: Who else looks at the rows.

    Raises:
        DataError: The file behind the table cannot be read.

    Example:
        >>> import polars as pl
        >>> odd = Tally({"odd": pl.col("a") % 2 == 1})
        >>> table = pl.LazyFrame({"a": [1, 2, 3]})
        >>> scan_once(table, lambda rows: rows.select(pl.len()), [odd]).item(), odd.counts
        (3, {'odd': 2})
    """
    if in_memory(frame):
        table = collect(frame)
        for reader in readers:
            reader.take(table)
        return collect(query(table.lazy()))
    if not readers:
        return collect(query(frame), streaming=True)
    return _run_beside(frame, query, readers)


def _run_beside(
    frame: pl.LazyFrame,
    query: Callable[[pl.LazyFrame], pl.LazyFrame],
    readers: Sequence[Reader],
) -> pl.DataFrame:
    from polars.io.plugins import register_io_source

    failed: list[Exception] = []

    def parts(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _: int | None
    ) -> Iterator[pl.DataFrame]:
        left = rows
        try:
            for part in batches(frame):
                for reader in readers:
                    reader.take(part)
                wanted = part if columns is None else part.select(columns)
                kept = wanted if left is None else wanted.head(left)
                left = None if left is None else left - kept.height
                yield kept if predicate is None else kept.filter(predicate)
        except Exception as error:
            failed.append(error)  # Polars would put it in its own words
            raise

    source = register_io_source(parts, schema=frame.collect_schema())
    try:
        return query(source).collect(engine="streaming")
    except Exception:
        if failed:
            raise failed[0] from None
        raise


class Tally:
    """A reader that counts the rows in which something is true.

    Args:
        asked: What is counted, by label.

    Attributes:
        counts: Label → rows.

    Example:
        >>> import polars as pl
        >>> both = Tally({"small": pl.col("a") < 2})
        >>> both.take(pl.DataFrame({"a": [1, 2, 1]}))
        >>> both.counts
        {'small': 2}
    """

    def __init__(self, asked: Mapping[str, pl.Expr]) -> None:
        self.counts = dict.fromkeys(asked, 0)
        self._asked = [held.sum().alias(label) for label, held in asked.items()]

    def take(self, part: pl.DataFrame) -> None:
        """Look at the next rows."""
        if self._asked:
            row = part.select(self._asked).row(0, named=True)
            for label, rows in row.items():
                self.counts[label] += int(rows or 0)


class Hashes:
    """A reader that counts how many rows have the same hash; of a part of the hashes if many.

    The part is chosen by the hash itself, so that equal values are chosen together: if all of it
    differs, very likely all values do.

    Args:
        hashed: What is counted; null is left out.
        most: Different hashes that are held, at most; beyond that a half of them is forgotten.
        part: The least part that is looked at: one in so many, a power of two.

    Example:
        >>> import polars as pl
        >>> words = Hashes(pl.col("word").hash(seed=0), most=1000)
        >>> words.take(pl.DataFrame({"word": ["a", "b", "a"]}))
        >>> words.rows, words.distinct, words.part
        (3, 2, 1)
    """

    def __init__(self, hashed: pl.Expr, *, most: int, part: int = 1) -> None:
        self.part = part
        self._hashed, self._most = hashed, most
        self._held = pl.DataFrame(schema={"hash": pl.UInt64, "rows": pl.UInt32})
        self._waiting: list[pl.Series] = []
        self._pending = 0

    def take(self, part: pl.DataFrame) -> None:
        """Look at the next rows."""
        found = part.select(hash=self._hashed)["hash"]
        chosen = found.drop_nulls() if self.part == 1 else found.filter(found % self.part == 0)
        self._waiting.append(chosen)
        self._pending += len(chosen)
        if self._pending >= max(_FEWEST_PENDING, self._held.height):
            self._gather()

    @property
    def rows(self) -> int:
        """Rows whose hash is in the part."""
        self._gather()
        return int(self._held["rows"].sum())

    @property
    def distinct(self) -> int:
        """Different hashes in the part."""
        self._gather()
        return self._held.height

    def _gather(self) -> None:
        if not self._waiting:
            return
        new = (
            pl.concat(self._waiting)
            .alias("hash")
            .to_frame()
            .with_columns(rows=pl.lit(1, pl.UInt32))
        )
        self._waiting, self._pending = [], 0
        both = pl.concat([self._held, new]).filter(pl.col("hash") % self.part == 0)
        self._held = both.group_by("hash").agg(pl.col("rows").sum())
        while self._held.height > self._most:
            self.part *= 2
            self._held = self._held.filter(pl.col("hash") % self.part == 0)
