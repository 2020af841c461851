from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import sqlalchemy
from adbc_driver_sqlite import dbapi

from headrace.data import query
from headrace.data.query import Query
from headrace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SELECT = "select a, b from t where a > 0 order by a"
ROWS = [(1, "x"), (2, None)]


def rows_of(sql: Any, connection: Any) -> list[Any]:
    return Query(sql, connection).read().lazy().collect().rows()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "t.db"
    connection = sqlite3.connect(place)
    connection.execute("create table t (a, b text, c)")
    connection.executemany(
        "insert into t values (?, ?, ?)", [(2, None, "z"), (1, "x", 5), (0, "y", 1)]
    )
    connection.commit()
    connection.close()
    return place


@pytest.fixture
def engine(path: Path) -> Iterator[sqlalchemy.Engine]:
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


def test_sqlalchemy(path: Path, engine: sqlalchemy.Engine) -> None:
    assert rows_of(SELECT, engine) == ROWS
    with engine.connect() as connection:
        assert rows_of(SELECT, connection) == ROWS
    assert rows_of(SELECT, f"sqlite:///{path}") == ROWS
    assert rows_of(SELECT, engine.url) == ROWS
    table = sqlalchemy.Table("t", sqlalchemy.MetaData(), autoload_with=engine)
    statement = sqlalchemy.select(table.c.a, table.c.b).where(table.c.a > 0).order_by(table.c.a)
    assert rows_of(statement, engine) == ROWS


def test_adbc(path: Path) -> None:
    with dbapi.connect(f"file:{path}") as connection:
        assert rows_of(SELECT, connection) == ROWS


def test_a_column_of_mixed_types_becomes_text(engine: sqlalchemy.Engine) -> None:
    assert [value for (value,) in rows_of("select c from t order by a", engine)] == ["1", "5", "z"]


def test_no_row(engine: sqlalchemy.Engine) -> None:
    assert Query("select a, b from t where a > 9", engine).read().columns == ["a", "b"]


def test_problems(engine: sqlalchemy.Engine, path: Path) -> None:
    with pytest.raises(
        DataError, match="(?s)the query failed: OperationalError: .*no such table: tt"
    ):
        Query("select * from tt", engine).read()
    with pytest.raises(DataError, match="(?s)the query failed: .*no such table: tt"):
        Query("select * from tt", sqlite3.connect(path)).read()
    with pytest.raises(DataError, match="column 'a': 2 columns have this name"):
        Query("select a, b as a from t", engine).read()
    with pytest.raises(
        DataError, match="expected a SQLAlchemy engine, connection or URL, or an ADBC"
    ):
        Query("select 1", 5).read()
    with pytest.raises(DataError, match="the query failed: ArgumentError: Could not parse"):
        Query("select 1", "nonsense").read()


@pytest.mark.parametrize("way", ["sqlalchemy", "adbc", "sqlite3"])
def test_a_long_answer_is_fetched_in_chunks_and_scanned(
    path: Path, engine: sqlalchemy.Engine, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(query, "CHUNK_ROWS", 2)
    sql = "select a, b, c from t order by a"
    expected = [(0, "y", "1"), (1, "x", "5"), (2, None, "z")]
    if way == "sqlalchemy":
        found = Query(sql, engine).read()
    elif way == "sqlite3":
        with closing(sqlite3.connect(path)) as connection:
            found = Query(sql, connection).read()
    else:
        with dbapi.connect(f"file:{path}") as connection:
            # An Arrow stream has one type for a column: text is asked for where values differ.
            found = Query("select a, b, cast(c as text) c from t order by a", connection).read()
    if way != "adbc":  # its driver answers few rows in a single batch
        assert isinstance(found, pl.LazyFrame)
    assert found.lazy().collect().rows() == expected


def test_an_answer_without_rows_has_its_columns(engine: sqlalchemy.Engine) -> None:
    found = Query("select a, b from t where a > 99", engine).read()
    assert isinstance(found, pl.DataFrame)
    assert (found.columns, found.height) == (["a", "b"], 0)
