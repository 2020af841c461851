"""Tables held in databases: a query and the connection to run it on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from headrace.data.objects import from_columns, unique_names
from headrace.errors import DataError, Problem

__all__ = ["Query"]


@dataclass(frozen=True)
class Query:
    """A SQL query and the database to run it on; `read` answers its table.

    The whole answer is held in memory.

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

    def read(self) -> pl.DataFrame:
        """Run the query and answer its table.

        Raises:
            DataError: The database refuses the query, or two columns have one name.
        """
        try:
            return self._read()
        except DataError:
            raise
        except Exception as error:
            text = f"the query failed: {type(error).__name__}: {error}"
            raise DataError([Problem(text, value=str(self.sql))]) from error

    def _read(self) -> pl.DataFrame:
        connection = self.connection
        if isinstance(connection, str) or type(connection).__module__.startswith("sqlalchemy"):
            return self._by_sqlalchemy()
        if hasattr(connection, "cursor"):
            return self._by_cursor()
        text = "expected a SQLAlchemy engine, connection or URL, or an ADBC connection"
        raise DataError([Problem(text, value=connection)])

    def _by_sqlalchemy(self) -> pl.DataFrame:
        import sqlalchemy

        statement = sqlalchemy.text(self.sql) if isinstance(self.sql, str) else self.sql
        target = self.connection
        if isinstance(target, (str, sqlalchemy.URL)):
            engine = sqlalchemy.create_engine(target)
            try:
                with engine.connect() as connection:
                    return _table(connection.execute(statement))
            finally:
                engine.dispose()
        if isinstance(target, sqlalchemy.Engine):
            with target.connect() as connection:
                return _table(connection.execute(statement))
        return _table(target.execute(statement))

    def _by_cursor(self) -> pl.DataFrame:
        cursor = self.connection.cursor()
        try:
            cursor.execute(str(self.sql))
            if hasattr(cursor, "fetch_arrow"):
                return _arrow_table(cursor.fetch_arrow())
            names = [part[0] for part in cursor.description or ()]
            return _columns(names, cursor.fetchall())
        finally:
            cursor.close()


def _table(result: Any) -> pl.DataFrame:
    return _columns(list(result.keys()), result.fetchall())


def _columns(names: list[str], rows: list[Any]) -> pl.DataFrame:
    unique_names(names)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return from_columns(dict(zip(names, map(list, columns), strict=True)))


def _arrow_table(stream: Any) -> pl.DataFrame:
    return pl.DataFrame(stream)
