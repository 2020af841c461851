"""What the report shows of a result: pictures and tables, chosen by what the result carries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from matplotlib.axes import Axes

from headrace.errors import HeadraceError, SettingError
from headrace.result import Result
from headrace.visualization.classification import calibration, confusion, precision_recall, roc
from headrace.visualization.cluster_profiles import cluster_profile, cluster_tree
from headrace.visualization.clusters import cluster_scatter, silhouette
from headrace.visualization.columns import distributions
from headrace.visualization.curves import training_curves, tuning
from headrace.visualization.explanation import importance
from headrace.visualization.intervals import coverage, reaches
from headrace.visualization.markup import (
    Figure,
    Html,
    Table,
    details,
    figure,
    interval,
    items,
    pictures,
    pill,
    plain,
    rounded,
    table,
    text,
)
from headrace.visualization.regression import residuals
from headrace.visualization.shift import drift, drifted_columns, quality
from headrace.visualization.text import day, number
from headrace.visualization.trials import pareto, tuning_importance, tuning_slices

if TYPE_CHECKING:
    Draw = Callable[[Any], Axes]

__all__ = ["Content", "Numbers", "inner_results", "render"]

Content: TypeAlias = object
"""A result, a picture, a table, text, a mapping of names to values, or several of these."""


class Numbers:
    """Gives each picture of a page a name of its own."""

    def __init__(self) -> None:
        """Begin with the first."""
        self._last = 0

    def __call__(self) -> str:
        """Answer the next name."""
        self._last += 1
        return f"p{self._last}"


def render(content: Content, salt: Numbers) -> Html:
    """Answer content as HTML.

    Args:
        content: See `Content`.
        salt: Names for the pictures.

    Raises:
        SettingError: The content is of another type.
    """
    for kind, make in _RENDERERS:
        if isinstance(content, kind):
            return make(content, salt)
    if hasattr(content, "summary") and hasattr(content, "to_dict"):
        return _described(content, salt)
    raise SettingError(
        "a section of the report holds results, axes, tables, texts or mappings, "
        f"received {type(content).__name__}"
    )


def _nothing(content: None, salt: Numbers) -> Html:
    del content, salt
    return Html("")


def _described(content: Any, salt: Numbers) -> Html:
    """Anything that describes itself as results do, such as a schema."""
    del salt
    return Html("".join([*_tables(content), details("As text", content.summary())]))


def _html(content: Html, salt: Numbers) -> Html:
    del salt
    return content


def _picture(content: Axes, salt: Numbers) -> Html:
    return pictures([figure(content, salt=salt())])


def _text(content: str, salt: Numbers) -> Html:
    del salt
    kind = "pre" if "\n" in content else "p"
    return Html(f"<{kind}>{text(content)}</{kind}>")


def _several(content: Sequence[Any], salt: Numbers) -> Html:
    return Html("".join(render(part, salt) for part in content))


def _mapping(content: Mapping[str, Any], salt: Numbers) -> Html:
    """Plain values become one table; anything richer gets its name as a heading."""
    rich = (Result, Axes, Table, Html, Mapping, list, tuple)
    simple = {name: value for name, value in content.items() if not isinstance(value, rich)}
    parts = [plain(simple)] if simple else []
    for name, value in content.items():
        if isinstance(value, rich):
            parts += [Html(f"<h3>{text(name)}</h3>"), render(value, salt)]
    return Html("".join(parts))


def _result(result: Result, salt: Numbers) -> Html:
    return Html(_shown(result, salt) + details("As text", result.summary()))


def _shown(result: Result, salt: Numbers) -> Html:
    inner = inner_results(result)
    drawn = [figure(ax, salt=salt()) for ax in _pictures(result, own=not inner)]
    parts = [_decision(result), *_tables(result), _notes(result), pictures(drawn)]
    for name, part in inner.items():
        parts += [Html(f"<h3>{text(name.replace('_', ' ').capitalize())}</h3>"), _shown(part, salt)]
    return Html("".join(parts))


def inner_results(result: Any) -> dict[str, Result]:
    """Answer the results that a result is made of, such as the drift report of a maintenance."""
    if not is_dataclass(result):
        return {}
    values = {field.name: getattr(result, field.name) for field in fields(result)}
    return {name: value for name, value in values.items() if isinstance(value, Result)}


def _decision(result: Any) -> Html:
    decision: Any = getattr(result, "decision", None)
    if not hasattr(decision, "action"):
        return Html("")
    return Html(f"<p>{pill(decision.action)}</p>{items(decision.reasons)}")


def _notes(result: Any) -> Html:
    return items([note for note in _sequence(result, "notes") if isinstance(note, str)])


# The first kind that fits decides: HTML is text too, text is a sequence too.
_RENDERERS: tuple[tuple[type, Callable[[Any, Numbers], Html]], ...] = (
    (type(None), _nothing),
    (Html, _html),
    (Result, _result),
    (Axes, _picture),
    (Table, lambda content, _: table(content)),
    (str, _text),
    (Mapping, _mapping),
    (Sequence, _several),
)


# -- pictures --------------------------------------------------------------------------------------


def _pictures(result: Any, *, own: bool) -> list[Axes]:
    """The pictures that a result has the figures for; its own when none of ours fits.

    A result that is made of results leaves the pictures to them, and one that says that there is
    nothing to draw has none.
    """
    found = [draw(result) for fits, draws in _PICTURES if fits(result) for draw in draws]
    nothing_found = hasattr(result, "findings") and not result.findings
    if found or nothing_found or not own:
        return found
    try:
        return [result.plot()]
    except HeadraceError:
        return []


def _has(name: str) -> Callable[[Any], bool]:
    def fits(result: Any) -> bool:
        value = getattr(result, name, None)
        return value is not None and (not isinstance(value, Sized) or len(value) > 0)

    return fits


def _has_front(result: Any) -> bool:
    return _has("further")(result) and _has("front")(result)


def _has_plane(result: Any) -> bool:
    return _has("matrix")(result) and result.matrix.shape[1] > 1 and len(result.centres) > 1


def _classifies(result: Any) -> bool:
    return _has("y_true")(result) and _has("classes")(result)


def _regresses(result: Any) -> bool:
    return _has("y_true")(result) and not _has("classes")(result)


def _columns_have(name: str) -> Callable[[Any], bool]:
    return lambda result: any(hasattr(item, name) for item in _sequence(result, "columns"))


def _any_alarm(result: Any) -> bool:
    return any(getattr(item, "alarm", False) for item in _sequence(result, "columns"))


def _sequence(result: Any, name: str) -> Sequence[Any]:
    found = getattr(result, name, ())
    return found if isinstance(found, Sequence) and not isinstance(found, str) else ()


_PICTURES: tuple[tuple[Callable[[Any], bool], tuple[Draw, ...]], ...] = (
    (_has("history"), (training_curves,)),
    (_has("trials"), (tuning,)),
    (_has("setting_importance"), (tuning_importance, tuning_slices)),
    (_has_front, (pareto,)),
    (_classifies, (confusion, calibration, roc, precision_recall)),
    (_regresses, (residuals,)),
    (_has("importance"), (importance,)),
    (_has("curve"), (coverage,)),
    (_has("reaches"), (reaches,)),
    (_has_plane, (cluster_scatter, cluster_profile, cluster_tree)),
    (_has("silhouettes"), (silhouette,)),
    (_columns_have("edges"), (distributions,)),
    (_columns_have("alarm"), (drift,)),
    (_any_alarm, (drifted_columns,)),
    (_has("findings"), (quality,)),
)


# -- tables ----------------------------------------------------------------------------------------


def _tables(result: Any) -> Iterator[Html]:
    """The tables that a result has the figures for; its plain figures when none of ours fits."""
    found = [table(make(result)) for fits, make in _TABLES if fits(result)]
    if not found or _has("history")(result):
        yield _plain_figures(result)
    yield from found


def _metrics(result: Any) -> Table:
    """Each metric with its interval; a bar where the metric lies between 0 and 1."""
    rows = []
    for name, metric in result.metrics.items():
        share = getattr(metric, "higher_is_better", True) and 0 <= metric.low <= metric.high <= 1
        bar = interval(metric.value, metric.low, metric.high) if share else Html("")
        ends = (metric.value, metric.low, metric.high)
        figures = rounded(*ends, width=metric.high - metric.low)
        rows.append((name, *figures, bar, getattr(metric, "note", "")))
    return Table(("metric", "value", "low", "high", "from 0 to 1", ""), rows)


def _comparisons(comparisons: Mapping[str, Any]) -> Table:
    rows = []
    for name, one in comparisons.items():
        ends = (one.value, one.reference, one.difference, one.low, one.high)
        figures = rounded(*ends, width=one.high - one.low)
        rows.append((name, one.metric, *figures, pill(one.verdict)))
    names = ("compared with", "metric", "this", "other", "difference", "low", "high", "verdict")
    return Table(names, rows)


def _verdict(found: Any, who: str) -> Table:
    return Table((who, "in figures"), [(pill(found.verdict), found.summary())])


def _settings(result: Any) -> Table:
    rows = [
        (name, number(value) if isinstance(value, float) else str(value))
        for name, value in result.parameters.items()
    ]
    return Table(("best settings", "value"), rows)


def _clusters(result: Any) -> Table:
    found: Sequence[float | None] = result.recovery or [None] * len(result.sizes)
    rows = [
        (number, size, Figure(f"{size / result.rows:.1%}"), share)
        for number, (size, share) in enumerate(zip(result.sizes, found, strict=True))
    ]
    return Table(("cluster", "rows", "share", "found again"), rows)


def _cards(result: Any) -> Table:
    rows = [
        (card.cluster, card.name, card.rows, Figure(f"{card.share:.1%}")) for card in result.cards
    ]
    return Table(("cluster", "what distinguishes it", "rows", "share"), rows)


def _shares(result: Any) -> Table:
    rows = [
        (
            "noise" if one.cluster < 0 else one.cluster,
            one.rows_before,
            one.rows,
            *(Figure(f"{s:.1%}") for s in (one.share_before, one.share, one.low, one.high)),
        )
        for one in result.shares
    ]
    names = ("cluster", "rows before", "rows now", "share before", "share now", "low", "high")
    return Table(names, rows)


def _stability(result: Any) -> Table:
    names = ("metric", "mean", "deviation", "lowest", "highest")
    return Table(names, result.stability.table(), caption="over several trainings")


def _slices(result: Any) -> Table:
    rows = []
    for one in result.found:
        figures = rounded(one.difference, one.low, one.high, width=one.high - one.low)
        rows.append((one.name, one.rows, *figures, Figure(f"{one.q_value:.1g}")))
    names = ("slice", "rows", "more loss", "low", "high", "q")
    return Table(names, rows, caption=result.sentence())


def _intervals(result: Any) -> Table:
    header, rows = result.table()
    return Table(header, rows)


def _learnt(result: Any) -> Table:
    return Table(("step", "what it learnt"), list(result.learnt.items()))


def _findings(result: Any) -> Table:
    rows = [(pill(one.severity), one.column, one.words, one.count) for one in result.findings]
    return Table(("", "column", "what is wrong", "rows"), rows)


def _profile(result: Any) -> Table:
    rows = [
        (
            column.name,
            column.kind,
            Figure(f"{column.missing / column.rows:.1%}") if column.rows else None,
            column.distinct,
            *(_moment(column, figure) for figure in ("minimum", "mean", "maximum")),
        )
        for column in result.columns
    ]
    return Table(("column", "kind", "missing", "distinct", "minimum", "mean", "maximum"), rows)


def _moment(column: Any, name: str) -> Figure | None:
    value = getattr(column, name, None)
    if value is None:
        return None
    return Figure(day(value) if column.kind == "datetime" else number(value))


def _schema(result: Any) -> Table:
    rows = [(column.name, column.kind, column.reason) for column in result.columns]
    return Table(("column", "kind", "because"), rows)


def _alarms(result: Any) -> Table:
    alarmed = sorted((c for c in result.columns if c.alarm), key=lambda c: -c.effect)
    rows = [(column.column, column.words, float(column.effect)) for column in alarmed]
    return Table(("drifted column", "what changed", "distance"), rows)


def _plain_figures(result: Any) -> Html:
    values = {
        name.replace("_", " "): value
        for name, value in result.to_dict().items()
        if isinstance(value, str | int | float) and value != ""
    }
    return plain(values) if values else Html("")


_TABLES: tuple[tuple[Callable[[Any], bool], Callable[[Any], Table]], ...] = (
    (_has("metrics"), _metrics),
    (_has("comparisons"), lambda result: _comparisons(result.comparisons)),
    (_has("comparison"), lambda result: _comparisons({"the settings before": result.comparison})),
    (_has("challenger"), lambda result: _verdict(result.challenger, "challenger")),
    (_has("previous"), lambda result: _verdict(result.previous, "champion")),
    (lambda result: _has("trials")(result) and _has("parameters")(result), _settings),
    (_has("stability"), _stability),
    (_has("inertia"), _clusters),
    (_has("cards"), _cards),
    (_has("shares"), _shares),
    (_has("search_rows"), _slices),
    (_has("learnt"), _learnt),
    (lambda result: _has("curve")(result) or _has("reaches")(result), _intervals),
    (_has("findings"), _findings),
    (_columns_have("edges"), _profile),
    (_columns_have("reason"), _schema),
    (_any_alarm, _alarms),
)
