"""Where a study is kept: an SQLite file that one process at a time writes to."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import optuna

__all__ = ["opened"]


@contextmanager
def opened(path: str | Path | None) -> Iterator[optuna.storages.BaseStorage]:
    """Open the storage of a study for as long as the block runs.

    While it is open, no other process can tune the same study. The lock is one of the operating
    system, so it ends with the process, however that ends; whoever gets it next knows that the
    trials that still count as running are not.

    Args:
        path: The SQLite file, made if it is not there; None for memory.

    Raises:
        SettingError: Another process holds it, or the file is something else.
    """
    import optuna

    if path is None:
        yield optuna.storages.InMemoryStorage()
        return
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        _check_file(path)
        storage = optuna.storages.RDBStorage(
            f"sqlite:///{path.resolve().as_posix()}",
            engine_kwargs={"connect_args": {"timeout": 60}},
        )
        try:
            yield storage
        finally:
            storage.remove_session()
            storage.engine.dispose()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = sqlite3.connect(path.with_name(f"{path.name}.lock"), timeout=0, isolation_level=None)
    try:
        _take(lock, path)
        yield
    finally:
        lock.close()


def _take(lock: sqlite3.Connection, path: Path) -> None:
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        raise SettingError(
            f"another process is tuning the study in {path}: wait for it to end, or give another "
            "file as the storage"
        ) from error


def _check_file(path: Path) -> None:
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("rb") as file:
        if file.read(16) != b"SQLite format 3\x00":
            raise SettingError(
                f"{path} is not a stored study but some other file: give another path as the "
                "storage"
            )
