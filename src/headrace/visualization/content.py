"""What the report shows of a result: pictures and tables, chosen by what the result carries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from matplotlib.axes import Axes

from headrace.errors import SettingError
from headrace.result import Result
from headrace.visualization.classification import calibration, confusion, precision_recall, roc
from headrace.visualization.columns import distributions
from headrace.visualization.curves import training_curves, tuning
from headrace.visualization.explanation import importance
from headrace.visualization.markup import (
    Html,
    Table,
    details,
    figure,
    interval,
    pictures,
    pill,
    table,
    text,
)
from headrace.visualization.regression import residuals
from headrace.visualization.shift import drift, drifted_columns

if TYPE_CHECKING:
    Draw = Callable[[Any], Axes]

__all__ = ["Content", "Numbers", "render"]

Content: TypeAlias = "Result | Axes | Table | Html | str | Mapping[str, Any] | Sequence[Any] | None"
"""A result, a picture, a table, text, a mapping of names to values, or several of these."""


class Numbers:
    """Gives each picture of a page a name of its own."""

    def __init__(self) -> None:
        """Begin with the first."""
        self._last = 0

    def __call__(self) -> str:
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
    if content is None:
        return Html("")
    if isinstance(content, Html):
        return content
    if isinstance(content, Result):
        return Html("".join(_result(content, salt)))
    if isinstance(content, Axes):
        return pictures([figure(content, salt=salt())])
    if isinstance(content, Table):
        return table(content)
    if isinstance(content, str):
        lines = "\n" in content
        return Html(f"<pre>{text(content)}</pre>" if lines else f"<p>{text(content)}</p>")
    if isinstance(content, Mapping):
        return _mapping(content, salt)
    if isinstance(content, Sequence):
        return Html("".join(render(part, salt) for part in content))
    raise SettingError(
        "a section of the report holds results, axes, tables, texts or mappings, "
        f"received {type(content).__name__}"
    )


def _mapping(content: Mapping[str, Any], salt: Numbers) -> Html:
    """Plain values become one table; anything richer gets its name as a heading."""
    rich = (Result, Axes, Table, Html, Mapping, list, tuple)
    plain = {name: value for name, value in content.items() if not isinstance(value, rich)}
    parts = [table(Table(("", "value"), list(plain.items())))] if plain else []
    for name, value in content.items():
        if isinstance(value, rich):
            parts += [Html(f"<h3>{text(name)}</h3>"), render(value, salt)]
    return Html("".join(parts))


def _result(result: Result, salt: Numbers) -> Iterator[Html]:
    yield from _tables(result)
    yield pictures([figure(draw(result), salt=salt()) for draw in _draws(result)])
    yield details("As text", result.summary())


# -- pictures ---------------------------------------------------------------------------------------


def _draws(result: Any) -> list[Draw]:
    """The pictures that a result has the figures for; its own picture when none of ours fits."""
    found = [draw for fits, draws in _PICTURES if fits(result) for draw in draws]
    return found or [lambda shown: shown.plot()]


def _has(name: str) -> Callable[[Any], bool]:
    return lambda result: bool(getattr(result, name, None))


def _classifies(result: Any) -> bool:
    return hasattr(result, "y_true") and bool(len(getattr(result, "classes", ())))


def _regresses(result: Any) -> bool:
    return hasattr(result, "y_true") and not len(getattr(result, "classes", ()))


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
    (_classifies, (confusion, calibration, roc, precision_recall)),
    (_regresses, (residuals,)),
    (_has("importance"), (importance,)),
    (_columns_have("edges"), (distributions,)),
    (_columns_have("alarm"), (drift,)),
    (_any_alarm, (drifted_columns,)),
)


# -- tables -----------------------------------------------------------------------------------------


def _tables(result: Any) -> Iterator[Html]:
    if isinstance(getattr(result, "metrics", None), Mapping):
        yield _metrics(result.metrics)
    yield from (_comparisons(found) for found in [_sequence(result, "comparisons")] if found)


def _metrics(metrics: Mapping[str, Any]) -> Html:
    """Each metric with its interval; a bar where the metric lies between 0 and 1."""
    rows = []
    for name, metric in metrics.items():
        bounded = 0 <= metric.low <= metric.value <= metric.high <= 1
        bar = interval(metric.value, metric.low, metric.high) if bounded else ""
        rows.append((name, float(metric.value), float(metric.low), float(metric.high), bar))
    return table(Table(("metric", "value", "low", "high", "0 – 1"), rows))


def _comparisons(comparisons: Sequence[Any]) -> Html:
    rows = [(found.name, pill(str(found.verdict))) for found in comparisons]
    return table(Table(("compared with", "verdict"), rows))
