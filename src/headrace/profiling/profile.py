"""Assessing a table: the order in which it is looked at."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from headrace.data.conform import conform
from headrace.data.infer import infer_schema
from headrace.data.problems import absent_column
from headrace.data.profile import profile as count_columns
from headrace.data.scan import collect, count_values
from headrace.data.schema import UnknownColumnWarning
from headrace.data.source import read
from headrace.errors import DataError, Problem, SettingError
from headrace.profiling.columns import column_alerts, count, duplicate_columns
from headrace.profiling.future import future_leaks, latest_rows
from headrace.profiling.goal import goal_of
from headrace.profiling.leaks import FEWEST_ROWS, column_leaks
from headrace.profiling.patterns import find_patterns
from headrace.profiling.quality import quality_parts
from headrace.profiling.relations import find_relations
from headrace.profiling.result import Assessment
from headrace.profiling.sample import draw
from headrace.profiling.splits import split_leaks, split_tables
from headrace.profiling.trends import date_gaps, find_trends, series_of
from headrace.progress import bar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    import polars as pl

    from headrace.data.profile import Profile
    from headrace.data.schema import Column, Kind, Schema
    from headrace.profiling.alerts import Alert
    from headrace.profiling.goal import Goal
    from headrace.profiling.sample import Sample
    from headrace.profiling.trends import Trend

__all__ = ["profile"]

_MOST_RELATED = 100
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

    Columns are counted over all rows, in streaming scans; relations, leaks of columns and patterns
    are measured on rows drawn at random.

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
        schema = infer_schema(raw, kinds=kinds, exclude=exclude)
        frame = _canonical(raw, schema)
        progress.advance(note="columns")
        columns = count_columns(frame, schema)
        if time is not None and schema[time].kind != "datetime":
            text = f"expected dates to order the rows by, it holds {schema[time].kind}"
            raise DataError([Problem(text, column=time, hint="Say kinds={…: 'datetime:FORMAT'}")])
        rows = draw(frame, schema, sample, seed=seed)
        counts = count(frame, schema, columns, rows)
        classes = _classes(frame, rows, target)
        pairs = duplicate_columns(rows, columns)
        alerts = list(column_alerts(columns, counts, pairs, classes, target))
        progress.advance(note="relations")
        marker = splits if isinstance(splits, str) else None
        used = [name for name in schema.names if name != marker]
        related, notes = _related(schema, columns, used, target)
        relations = find_relations(rows, related, target)
        progress.advance(note="leaks")
        goal = None if target is None else goal_of(rows, target)
        others = [name for name in used if name not in {target, time}]
        alerts += _leaks(frame, rows, goal, others, time=time, seed=seed)
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


def _canonical(raw: pl.LazyFrame, schema: Schema) -> pl.LazyFrame:
    with warnings.catch_warnings():  # what is excluded on purpose is no surprise
        warnings.simplefilter("ignore", UnknownColumnWarning)
        return conform(raw, schema)


def _classes(frame: pl.LazyFrame, rows: Sample, target: str | None) -> dict[str, int]:
    """Answer the rows of each class of the target, over the whole table."""
    import polars as pl

    if target is None:
        return {}
    goal = goal_of(rows, target)
    if not goal.classes:
        return {}
    kind = rows.schema[target].kind
    if kind in {"category", "id"}:
        known = pl.when(pl.col(target) != "").then(pl.col(target))
        return dict(count_values(frame, {target: known})[target])
    counted = frame.select(target).filter(pl.col(target).is_not_nan()).group_by(target).len()
    held = collect(counted, streaming=True).sort("len", descending=True).rows()
    words = {0.0: "no", 1.0: "yes"} if kind == "boolean" else {}
    return {words.get(value, f"{value:.6g}"): n for value, n in held}


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
    frame: pl.LazyFrame,
    rows: Sample,
    goal: Goal | None,
    others: list[str],
    *,
    time: str | None,
    seed: int,
) -> Iterator[Alert]:
    if goal is None:
        return
    for one in column_leaks(rows, goal, others, seed=seed):
        # Who says which column is the time knows that neighbours in time are alike.
        if not (one.kind == "order" and time is not None):
            yield one
    numbers = [name for name in others if rows.schema[name].kind in _NUMBERS]
    if time is not None and rows.schema[goal.name].kind in _NUMBERS and numbers:
        latest = latest_rows(frame, time, [goal.name, *numbers])
        yield from future_leaks(latest, goal.name, numbers)


def _trends(
    frame: pl.LazyFrame, schema: Schema, time: str | None
) -> tuple[tuple[Trend, ...], list[Alert]]:
    if time is None:
        return (), []
    series = series_of(frame, time, [c.name for c in schema if c.kind in _NUMBERS])
    if series is None or np.count_nonzero(series.rows) < 2:
        return (), []
    return find_trends(series), list(date_gaps(series, time))
