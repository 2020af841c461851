from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
import sqlalchemy
from adbc_driver_sqlite import dbapi

from headrace.data.query import Query
from headrace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SELECT = "select a, b from t where a > 0 order by a"
ROWS = [(1, "x"), (2, None)]


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
    assert Query(SELECT, engine).read().rows() == ROWS
    with engine.connect() as connection:
        assert Query(SELECT, connection).read().rows() == ROWS
    assert Query(SELECT, f"sqlite:///{path}").read().rows() == ROWS
    assert Query(SELECT, engine.url).read().rows() == ROWS
    table = sqlalchemy.Table("t", sqlalchemy.MetaData(), autoload_with=engine)
    statement = sqlalchemy.select(table.c.a, table.c.b).where(table.c.a > 0).order_by(table.c.a)
    assert Query(statement, engine).read().rows() == ROWS


def test_adbc(path: Path) -> None:
    with dbapi.connect(f"file:{path}") as connection:
        assert Query(SELECT, connection).read().rows() == ROWS


def test_a_column_of_mixed_types_becomes_text(engine: sqlalchemy.Engine) -> None:
    assert Query("select c from t order by a", engine).read()["c"].to_list() == ["1", "5", "z"]


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
