"""Tables held in databases: a query and the connection to run it on."""

from __future__ import annotations

import atexit
import os
import tempfile
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from headrace.data.objects import from_columns, unique_names
from headrace.errors import DataError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["CHUNK_ROWS", "Query"]

CHUNK_ROWS = 250_000
"""Rows that are fetched at a time; an answer with more of them is not held."""


@dataclass(frozen=True)
class Query:
    """A SQL query and the database to run it on; `read` answers its table.

    An answer of more than 250,000 rows is never held: it is fetched in chunks, which are written
    to Parquet files as they come, and scanned from there. The files lie in the folder that
    `HEADRACE_SPILL` names, or the system's for temporary files, until the process ends.

    Args:
        sql: The query, as text or as a SQLAlchemy statement.
        connection: A SQLAlchemy engine, connection or URL, an ADBC connection, or any connection
            of Python's database interface (such as `sqlite3.connect(...)`).

    Example:
        >>> import sqlite3
        >>> from headrace.data.source import read
        >>> query = Query("select 1 as a, 'x' as b", sqlite3.connect(":memory:"))
        >>> read(query).collect().rows()
        [(1, 'x')]
    """

    sql: Any
    connection: Any

    def read(self) -> pl.DataFrame | pl.LazyFrame:
        """Run the query and answer its table, or a scan of it where it is long.

        Raises:
            DataError: The database refuses the query, or two columns have one name.
        """
        try:
            chunks = self._chunks()
            first, second = next(chunks), next(chunks, None)
            return first if second is None else _scan(chain([first, second], chunks))
        except DataError:
            raise
        except Exception as error:
            text = f"the query failed: {type(error).__name__}: {error}"
            raise DataError([Problem(text, value=str(self.sql))]) from error

    def _chunks(self) -> Iterator[pl.DataFrame]:
        """Give the answer in chunks, one without rows where there are none."""
        connection = self.connection
        if isinstance(connection, str) or type(connection).__module__.startswith("sqlalchemy"):
            return self._by_sqlalchemy()
        if hasattr(connection, "cursor"):
            return self._by_cursor()
        text = "expected a SQLAlchemy engine, connection or URL, or an ADBC connection"
        raise DataError([Problem(text, value=connection)])

    def _by_sqlalchemy(self) -> Iterator[pl.DataFrame]:
        import sqlalchemy

        statement = sqlalchemy.text(self.sql) if isinstance(self.sql, str) else self.sql
        target = self.connection
        if isinstance(target, (str, sqlalchemy.URL)):
            engine = sqlalchemy.create_engine(target)
            try:
                with engine.connect() as connection:
                    yield from _fetched(_run(connection, statement))
            finally:
                engine.dispose()
        elif isinstance(target, sqlalchemy.Engine):
            with target.connect() as connection:
                yield from _fetched(_run(connection, statement))
        else:
            yield from _fetched(_run(target, statement))

    def _by_cursor(self) -> Iterator[pl.DataFrame]:
        cursor = self.connection.cursor()
        try:
            cursor.execute(str(self.sql))
            if hasattr(cursor, "fetch_record_batch"):
                yield from _arrow_chunks(cursor.fetch_record_batch())
                return
            names = [part[0] for part in cursor.description or ()]
            yield from _row_chunks(names, cursor)
        finally:
            cursor.close()


def _run(connection: Any, statement: Any) -> Any:
    # Drivers that can leave the rows in the database until they are fetched do so.
    return connection.execute(statement, execution_options={"stream_results": True})


def _fetched(result: Any) -> Iterator[pl.DataFrame]:
    return _row_chunks(list(result.keys()), result)


def _row_chunks(names: list[str], source: Any) -> Iterator[pl.DataFrame]:
    unique_names(names)
    rows = source.fetchmany(CHUNK_ROWS)
    yield _columns(names, rows)
    while rows := source.fetchmany(CHUNK_ROWS):
        yield _columns(names, rows)


def _columns(names: list[str], rows: list[Any]) -> pl.DataFrame:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return from_columns(dict(zip(names, map(list, columns), strict=True)))


def _arrow_chunks(reader: Any) -> Iterator[pl.DataFrame]:
    """Give the batches of an Arrow stream, which may be small, in chunks."""
    unique_names(list(reader.schema.names))
    waiting = [pl.DataFrame(reader.schema.empty_table())]
    rows = 0
    for batch in reader:
        waiting.append(pl.DataFrame(batch))
        rows += waiting[-1].height
        if rows >= CHUNK_ROWS:
            yield pl.concat(waiting)
            waiting, rows = [], 0
    if waiting:
        yield pl.concat(waiting)


def _scan(chunks: Iterable[pl.DataFrame]) -> pl.LazyFrame:
    """Write chunks to files and answer a scan of them.

    A chunk's dtypes are those of its own values: whole numbers in one and text in another become
    text, as they do when all values are looked at together.
    """
    folder = tempfile.TemporaryDirectory(prefix="headrace-", dir=os.environ.get("HEADRACE_SPILL"))
    atexit.register(folder.cleanup)  # a scan may be read as long as the process lives
    files = []
    for number, chunk in enumerate(chunks):
        files.append(Path(folder.name) / f"part-{number:06d}.parquet")
        chunk.write_parquet(files[-1])
    return pl.concat([pl.scan_parquet(file) for file in files], how="vertical_relaxed")
