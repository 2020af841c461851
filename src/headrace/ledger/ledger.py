"""A ledger in a SQLite file: durable, without doubles, open to several processes."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from headrace.errors import DataError, Problem
from headrace.ledger.items import Action, Label, LabelReport, Prediction
from headrace.ledger.tables import actions, labels, open_file, others, predictions

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence
    from types import TracebackType
    from typing import Self

    import polars as pl

__all__ = ["Ledger"]

_AT_ONCE = 500
"""Names in one question to the database; SQLite takes 32,766 at most, older ones 999."""

_AHEAD = 300.0
"""Seconds that clocks may differ before a label counts as one of the future."""


class Ledger:
    """What a model predicted, and what turned out to be true.

    Several processes may write at once: they take turns. What a method has answered is on the disk.

    Args:
        path: The SQLite file; made where there is none.

    Raises:
        SettingError: The file is something else, or of a newer headrace.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> ledger = Ledger(folder.name + "/income.sqlite")
        >>> answer = {"prediction": "no"}
        >>> ledger.add_predictions([Prediction("a/0", 0.0, "v1", {"age": 39}, answer)])
        1
        >>> ledger.add_labels([Label("a/0", "yes", 60.0)]).added
        1
        >>> ledger.labelled()["label"].to_list()
        ['yes']
        >>> ledger.close(); folder.cleanup()
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._engine = open_file(path)
        self.path = path

    # -- writing ----------------------------------------------------------------------------------

    def add_predictions(self, items: Sequence[Prediction]) -> int:
        """Add predictions; answer how many are new.

        The same prediction again changes nothing. Another one under a name that is taken does not
        replace it: it is kept beside, see `counts`.

        Raises:
            DataError: A row or an answer that JSON cannot hold; nothing has been added.
        """
        rows: dict[str, dict[str, Any]] = {}
        doubles = []
        for item in items:
            row = _prediction_row(item)
            first = rows.setdefault(item.id, row)
            if first != row:
                doubles.append(row)
        with self._engine.begin() as connection:
            there = _by_id(connection, predictions, list(rows))
            new = [row for name, row in rows.items() if name not in there]
            doubles += [row for name, row in rows.items() if there.get(name, row) != row]
            if new:
                connection.execute(predictions.insert(), new)
            for row in doubles:
                _keep_other(connection, row)
        return len(new)

    def add_labels(self, items: Sequence[Label]) -> LabelReport:
        """Add labels, in any order; the one that became known last counts.

        Raises:
            DataError: A value that JSON cannot hold; nothing has been added.
        """
        now = time.time()
        found: Counter[str] = Counter()
        rows = [_label_row(item, now) for item in items]
        with self._engine.begin() as connection:
            names = list({row["id"] for row in rows})
            known = _names(connection, names)
            for row in rows:
                found[_add_label(connection, row)] += 1
                found["unknown"] += row["id"] not in known
                found["future"] += row["time"] > now + _AHEAD
        return LabelReport(**found)

    def add_action(self, action: Action) -> None:
        """Add an action."""
        row = {
            "time": action.time,
            "who": action.who,
            "kind": action.kind,
            "text": action.text,
            "details": _json(action.details, "details"),
        }
        with self._engine.begin() as connection:
            connection.execute(actions.insert(), row)

    # -- reading ----------------------------------------------------------------------------------

    def recent(self, most: int = 100) -> list[Prediction]:
        """Answer the last predictions, the newest first."""
        question = sa.select(predictions).order_by(predictions.c.time.desc()).limit(most)
        with self._engine.connect() as connection:
            return [_prediction_of(row) for row in connection.execute(question)]

    def actions(self, most: int = 100) -> list[Action]:
        """Answer the last actions, the newest first."""
        question = sa.select(actions).order_by(actions.c.number.desc()).limit(most)
        with self._engine.connect() as connection:
            return [
                Action(row.time, row.who, row.kind, row.text, json.loads(row.details))
                for row in connection.execute(question)
            ]

    def labelled(
        self, since: float = 0.0, until: float = float("inf"), *, version: str | None = None
    ) -> pl.DataFrame:
        """Answer the predictions of a time that have a label, the oldest first.

        Args:
            since: From when on, in seconds since 1970.
            until: Up to when, exclusive.
            version: Of this release alone.

        Returns:
            Columns `id`, `time`, `version`, `features` and `answer` (JSON), `label` (the newest; of
            several targets JSON) and `label_time`.
        """
        import polars as pl

        parts = [
            pl.DataFrame(rows, schema=_LABELLED, orient="row")
            for rows in self._portions(since, until, version)
        ]
        return pl.concat(parts) if parts else pl.DataFrame(schema=_LABELLED)

    def _portions(
        self, since: float, until: float, version: str | None
    ) -> Iterator[list[tuple[Any, ...]]]:
        p, one = predictions.c, labels.c
        question = (
            sa.select(p.id, p.time, p.version, p.features, p.answer, one.value, one.time)
            .join(labels, sa.and_(one.id == p.id, one.newest))
            .where(p.time >= since, p.time < until)
            .order_by(p.time, p.id)
        )
        if version is not None:
            question = question.where(p.version == version)
        with self._engine.connect() as connection:
            for rows in connection.execute(question).partitions(10_000):
                yield [(*row[:5], _plain(row[5]), row[6]) for row in rows]

    def counts(self) -> dict[str, int]:
        """Answer how many predictions, labels and actions there are.

        "other predictions" came under a name that was taken; "waiting labels" have no prediction.
        """
        waiting = (
            sa.select(sa.func.count())
            .select_from(labels)
            .where(labels.c.newest, labels.c.id.not_in(sa.select(predictions.c.id)))
        )
        tables = {
            "predictions": predictions,
            "labels": labels,
            "actions": actions,
            "other predictions": others,
        }
        with self._engine.connect() as connection:
            found = {
                name: int(connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)
                for name, table in tables.items()
            }
            return found | {"waiting labels": int(connection.scalar(waiting) or 0)}

    def forget(self, ids: Sequence[str], *, who: str) -> int:
        """Remove predictions and their labels for good; answer how many predictions are gone.

        The bytes are overwritten in the file, and what was done is noted without the names.
        """
        gone = 0
        with self._engine.begin() as connection:
            for names in _batches(list(ids)):
                found = connection.execute(predictions.delete().where(predictions.c.id.in_(names)))
                gone += found.rowcount
                for table in (labels, others):
                    connection.execute(table.delete().where(table.c.id.in_(names)))
        self.add_action(Action(time.time(), who, "forget", f"{gone} predictions were removed"))
        return gone

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


_LABELLED = {
    "id": str,
    "time": float,
    "version": str,
    "features": str,
    "answer": str,
    "label": str,
    "label_time": float,
}


def _prediction_row(item: Prediction) -> dict[str, Any]:
    return {
        "id": item.id,
        "time": float(item.time),
        "version": item.version,
        "model": item.model,
        "features": None if item.features is None else _json(item.features, "features"),
        "answer": _json(item.answer, "answer"),
    }


def _prediction_of(row: Any) -> Prediction:
    features = None if row.features is None else json.loads(row.features)
    return Prediction(row.id, row.time, row.version, features, json.loads(row.answer), row.model)


def _label_row(item: Label, now: float) -> dict[str, Any]:
    return {
        "id": item.id,
        "value": _json(item.value, "label"),
        "time": float(item.time),
        "arrived": now,
        "source": item.source,
    }


def _json(value: Any, what: str) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise DataError([Problem(f"the {what} cannot be written as JSON: {error}")]) from error


def _plain(value: str) -> str:
    """Answer a label as text: a word without its quotes."""
    found = json.loads(value)
    return found if isinstance(found, str) else value


def _by_id(connection: sa.Connection, table: sa.Table, names: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in _batches(names):
        for row in connection.execute(sa.select(table).where(table.c.id.in_(part))):
            found[row.id] = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    return found


def _names(connection: sa.Connection, names: list[str]) -> set[str]:
    found: set[str] = set()
    for part in _batches(names):
        question = sa.select(predictions.c.id).where(predictions.c.id.in_(part))
        found |= set(connection.scalars(question))
    return found


def _batches(names: list[str]) -> Iterator[list[str]]:
    for first in range(0, len(names), _AT_ONCE):
        yield names[first : first + _AT_ONCE]


def _keep_other(connection: sa.Connection, row: dict[str, Any]) -> None:
    content = json.dumps(row, ensure_ascii=False, sort_keys=True)
    same = sa.and_(others.c.id == row["id"], others.c.content == content)
    if connection.scalar(sa.select(others.c.number).where(same)) is None:
        connection.execute(others.insert(), {"id": row["id"], "content": content})


def _add_label(connection: sa.Connection, row: dict[str, Any]) -> str:
    """Add one label; answer what it is to those that were there."""
    there = list(connection.execute(sa.select(labels).where(labels.c.id == row["id"])))
    if any(one.value == row["value"] and one.time == row["time"] for one in there):
        return "repeated"
    newest = next((one for one in there if one.newest), None)
    is_newest = newest is None or row["time"] >= newest.time
    if newest is not None and is_newest:
        moved = labels.update().where(labels.c.number == newest.number).values(newest=False)
        connection.execute(moved)
    connection.execute(labels.insert(), row | {"newest": is_newest})
    if newest is None:
        return "added"
    return "corrected" if is_newest else "older"
