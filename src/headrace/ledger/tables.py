"""The tables of a ledger, and how its SQLite file is opened.

SQLite's write-ahead log can lose a reset in versions before 3.51.3 when several connections write
(https://sqlite.org/wal.html, section 11), and those versions are in wide use; so the ledger keeps
the classic rollback journal, with the strictest syncing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from headrace.errors import SettingError

if TYPE_CHECKING:
    import os

__all__ = ["FORMAT", "about", "actions", "labels", "open_file", "others", "predictions"]

FORMAT = 1
"""The format of the ledgers that this headrace writes, and the newest that it reads."""

_PATIENCE = 30.0

_meta = sa.MetaData()

about = sa.Table(
    "about",
    _meta,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
predictions = sa.Table(
    "predictions",
    _meta,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("time", sa.Float, nullable=False, index=True),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("features", sa.Text),
    sa.Column("answer", sa.Text, nullable=False),
)
# Predictions that came under a name that another one has: kept, so that nothing is lost.
others = sa.Table(
    "other_predictions",
    _meta,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, index=True),
    sa.Column("content", sa.Text, nullable=False),
)
labels = sa.Table(
    "labels",
    _meta,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, index=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("time", sa.Float, nullable=False),
    sa.Column("arrived", sa.Float, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    # The newest of its prediction; exactly one is.
    sa.Column("newest", sa.Boolean, nullable=False),
)
actions = sa.Table(
    "actions",
    _meta,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("time", sa.Float, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("details", sa.Text, nullable=False),
)


def open_file(path: str | os.PathLike[str]) -> sa.Engine:
    """Open the file of a ledger, and make its tables where it is new.

    Raises:
        SettingError: Another kind of file, or a ledger of a newer headrace.
    """
    file = Path(path).resolve()
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(file)), connect_args={"timeout": _PATIENCE}
    )
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    try:
        with engine.begin() as connection:
            _meta.create_all(connection)
            found = connection.scalar(sa.select(about.c.value).where(about.c.key == "format"))
            if found is None:
                connection.execute(about.insert().values(key="format", value=str(FORMAT)))
    except sa.exc.DatabaseError as error:
        engine.dispose()
        raise SettingError(f"{file} cannot be opened as a ledger: {error.orig}") from error
    if found is not None and int(found) > FORMAT:
        engine.dispose()
        raise SettingError(
            f"{file} is a ledger of format {found}; this headrace reads up to {FORMAT}. "
            "Upgrade headrace to read it"
        )
    return engine


def _prepare(connection: Any, _: Any) -> None:
    # The driver begins transactions too late, and without the lock that writers need.
    connection.isolation_level = None
    for pragma in ("journal_mode=DELETE", "synchronous=EXTRA", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
