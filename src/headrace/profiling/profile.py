"""Assessing a table: the order in which it is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from headrace.data.gaps import is_missing
from headrace.data.infer import infer_schema
from headrace.data.problems import absent_column
from headrace.data.profile import profile as count_columns
from headrace.data.scan import ValueCounts
from headrace.data.source import read
from headrace.errors import DataError, Problem, SettingError
from headrace.profiling.canonical import canonical
from headrace.profiling.columns import RowCounts, column_alerts, duplicate_columns
from headrace.profiling.encoded import EncodedTargets
from headrace.profiling.future import LatestRows, future_leaks
from headrace.profiling.goal import goal_of
from headrace.profiling.leaks import FEWEST_ROWS, column_leaks
from headrace.profiling.patterns import find_patterns
from headrace.profiling.quality import quality_parts
from headrace.profiling.relations import find_relations
from headrace.profiling.result import Assessment
from headrace.profiling.sample import Draw
from headrace.profiling.splits import split_leaks, split_tables
from headrace.profiling.trends import date_gaps, find_trends, series_of
from headrace.progress import bar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from headrace.data.onescan import Reader
    from headrace.data.profile import Profile
    from headrace.data.schema import Column, Kind, Schema
    from headrace.profiling.alerts import Alert
    from headrace.profiling.goal import Goal
    from headrace.profiling.sample import Sample
    from headrace.profiling.trends import Trend

__all__ = ["profile"]

_MOST_RELATED = 100
_BIN_ROWS = 20_000
_NUMBERS = {"number", "boolean"}


def profile(
    data: object,
    target: str | None = None,
    *,
    time: str | None = None,
    group: str | None = None,
    splits: str | Mapping[str, object] | None = None,
    kinds: Mapping[str, Kind | str | Column] | None = None,
    exclude: Collection[str] = (),
    sample: int = 20_000,
    seed: int = 0,
) -> Assessment:
    """Assess a table before anything is trained on it.

    Columns are counted over all rows, in two scans (four more with `time`); relations, leaks of
    columns and patterns are measured on rows drawn at random.

    Args:
        data: Any source that `headrace.data.source.read` takes, larger than memory too.
        target: The column that shall be predicted.
        time: The column of dates that orders the rows: trends, gaps, future information.
        group: The column whose values must not be divided between splits.
        splits: The column that says to which split a row belongs, or the splits by name, the one
            to learn from first: `{"train": …, "test": …}`.
        kinds: Kinds that are known, see `infer_schema`.
        exclude: Columns to leave out.
        sample: Rows that relations, leaks and patterns are measured on, at most.
        seed: Of the draw of these rows, and of their halves.

    Raises:
        DataError: The table is empty or cannot be read, a named column is missing, the time
            column holds no dates, or the target is free text.
        SettingError: A sample of fewer than two rows, or a group without splits.

    Example:
        >>> days = list(range(200))
        >>> table = {"size": [n * 7 % 31 for n in days], "price": [n * 7 % 31 * 3 for n in days]}
        >>> found = profile(table, "price")
        >>> [(one.kind, one.columns) for one in found.leaks]
        [('gives away', ('size',))]
    """
    if sample < 2:
        raise SettingError(f"sample: expected at least 2 rows, received {sample}")
    if group is not None and splits is None:
        raise SettingError("group: groups are compared between splits; give splits= too")
    raw = read(data)
    named = {"target": target, "time": time, "group": group}
    _check_names(raw, [name for name in named.values() if name is not None])
    with bar("assessing the table", 5) as progress:
        drawn = Draw(max(sample, _BIN_ROWS), seed=seed)
        schema = infer_schema(raw, kinds=kinds, exclude=exclude, beside=[drawn])
        if time is not None and schema[time].kind != "datetime":
            text = f"expected dates to order the rows by, it holds {schema[time].kind}"
            raise DataError([Problem(text, column=time, hint="Say kinds={…: 'datetime:FORMAT'}")])
        progress.advance(note="columns")
        table = canonical(raw, schema)
        rows = table.sample(drawn, sample)
        goal = None if target is None else goal_of(rows, target)
        marker = splits if isinstance(splits, str) else None
        used = [name for name in schema.names if name != marker]
        others = [name for name in used if name not in {target, time}]
        whole = _Whole(schema, rows, goal, others, time)
        columns = count_columns(
            table.frame,
            schema,
            sample=table.sample(drawn).frame if table.read else None,
            beside=[table.misfits, *whole.readers],
        )
        table.check()
        counts, classes = whole.counts.answer(columns), whole.classes()
        frame = table.rows
        pairs = duplicate_columns(rows, columns)
        alerts = list(column_alerts(columns, counts, pairs, classes, target))
        progress.advance(note="relations")
        related, notes = _related(schema, columns, used, target)
        relations = find_relations(rows, related, target)
        progress.advance(note="leaks")
        alerts += _leaks(rows, goal, others, time, whole, seed=seed)
        if splits is not None:
            tables = split_tables(frame, raw, schema, splits)
            alerts += split_leaks(tables, schema, group=group, time=time)
        progress.advance(note="trends")
        trends, gaps = _trends(frame, schema, time)
        alerts += gaps
        progress.advance(note="patterns")
        given = {name for one in alerts if one.kind in {"gives away", "id"} for name in one.columns}
        wanted = [name for name in others if name not in given]
        patterns = () if goal is None else find_patterns(rows, goal, wanted, seed=seed)
    if goal is not None and goal.known.sum() < FEWEST_ROWS:
        notes.append(
            f"only {int(goal.known.sum())} rows of the sample have a target; columns that give it "
            f"away and patterns are looked for from {FEWEST_ROWS} on"
        )
    alerts.sort(key=lambda one: one.severity != "problem")
    return Assessment(
        columns=columns,
        schema=schema,
        counts=counts,
        alerts=tuple(alerts),
        relations=relations,
        parts=quality_parts(columns, counts, alerts, target=target),
        trends=trends,
        patterns=patterns,
        classes=classes,
        sample_rows=rows.rows,
        target=target,
        time=time,
        seed=seed,
        notes=tuple(notes),
    )


def _check_names(raw: pl.LazyFrame, names: list[str]) -> None:
    held = raw.collect_schema()
    problems = [absent_column(name, held) for name in names if name not in held]
    if problems:
        raise DataError(problems)


class _Whole:
    """What is counted over all rows beside the columns: its readers, and what they found."""

    def __init__(
        self, schema: Schema, rows: Sample, goal: Goal | None, others: list[str], time: str | None
    ) -> None:
        self.counts = RowCounts(schema, rows)
        self.latest: LatestRows | None = None
        self.encoded = None if goal is None else EncodedTargets(rows, goal, others)
        self._goal = goal if goal is not None and goal.classes else None
        self._boolean = goal is not None and schema[goal.name].kind == "boolean"
        if self._goal is not None:
            held = pl.col(self._goal.name)
            known = pl.when(~is_missing(held, schema[self._goal.name].type)).then(held)
            self._classes = ValueCounts({"class": known})
        numbers = [name for name in others if schema[name].kind in _NUMBERS]
        if goal is not None and time is not None and schema[goal.name].kind in _NUMBERS and numbers:
            self.latest = LatestRows(time, [goal.name, *numbers])

    @property
    def readers(self) -> list[Reader]:
        """Who must see all canonical rows."""
        classes = [] if self._goal is None else [self._classes]
        found = [one for one in (self.latest, self.encoded) if one is not None]
        return [*self.counts.readers, *classes, *found]

    def classes(self) -> dict[str, int]:
        """Answer the rows of each class of the target, over the whole table."""
        if self._goal is None:
            return {}
        words = {0.0: "no", 1.0: "yes"} if self._boolean else {}
        return {
            value if isinstance(value, str) else words.get(value, f"{value:.6g}"): rows
            for value, rows in self._classes.counts()["class"]
        }


def _related(
    schema: Schema, columns: Profile, used: list[str], target: str | None
) -> tuple[list[str], list[str]]:
    """Answer the columns whose relations are measured, and what is said about the others."""
    kinds = {"number", "boolean", "category", "datetime"}
    varied = [n for n in used if schema[n].kind in kinds and columns[n].distinct > 1]
    chosen = varied[:_MOST_RELATED]
    if target is not None and target in varied and target not in chosen:
        chosen = [*chosen[:-1], target]
    if len(chosen) == len(varied):
        return chosen, []
    return chosen, [f"relations: the first {len(chosen)} of {len(varied)} columns that vary"]


def _leaks(
    rows: Sample,
    goal: Goal | None,
    others: list[str],
    time: str | None,
    whole: _Whole,
    *,
    seed: int,
) -> Iterator[Alert]:
    if goal is None:
        return
    told = list(column_leaks(rows, goal, others, seed=seed))
    given = {one.columns for one in told}
    if whole.encoded is not None:
        told += [one for one in whole.encoded.alerts() if one.columns not in given]
    for one in told:
        # Who says which column is the time knows that neighbours in time are alike.
        if not (one.kind == "order" and time is not None):
            yield one
    if whole.latest is not None:
        names = whole.latest.columns
        yield from future_leaks(whole.latest.table(), names[0], names[1:])


def _trends(
    frame: pl.LazyFrame, schema: Schema, time: str | None
) -> tuple[tuple[Trend, ...], list[Alert]]:
    if time is None:
        return (), []
    series = series_of(frame, time, [c.name for c in schema if c.kind in _NUMBERS])
    if series is None or np.count_nonzero(series.rows) < 2:
        return (), []
    return find_trends(series), list(date_gaps(series, time))
