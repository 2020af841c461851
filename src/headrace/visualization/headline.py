"""The figures on top of the report, taken from the results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from headrace.result import Result
from headrace.visualization.content import inner_results
from headrace.visualization.markup import rounded
from headrace.visualization.text import number

__all__ = ["headline"]

Fact = tuple[str, tuple[object, str]]


def headline(sections: Mapping[str, Any]) -> dict[str, tuple[object, str]]:
    """Answer what a reader wants to know first: name → (figure, remark).

    Args:
        sections: The sections of a report; a later result replaces the same figure of an earlier
            one.
    """
    found: dict[str, tuple[object, str]] = {}
    for result in _results(sections.values()):
        found.update(fact for facts in _FACTS for fact in facts(result))
    return found


def _results(contents: Any) -> Iterator[Result]:
    for content in contents:
        if isinstance(content, Result):
            yield content
            yield from _results(inner_results(content).values())
        elif isinstance(content, list | tuple):
            yield from _results(content)


def _training(result: Any) -> Iterator[Fact]:
    seconds = getattr(result, "seconds", None)
    if isinstance(seconds, Mapping):
        rows = f"{result.rows:,} rows"
        epochs = f", {result.epochs} epochs" if result.epochs else ""
        yield "Trained in", (f"{sum(seconds.values()):.1f} s", rows + epochs)


def _score(result: Any) -> Iterator[Fact]:
    metrics = getattr(result, "metrics", None)
    if isinstance(metrics, Mapping) and metrics:
        name = getattr(result, "primary", next(iter(metrics)))
        metric = metrics[name]
        ends = (metric.value, metric.low, metric.high)
        value, low, high = rounded(*ends, width=metric.high - metric.low)
        yield name, (value, f"{low} to {high}")


def _verdict(result: Any) -> Iterator[Fact]:
    comparisons = getattr(result, "comparisons", None)
    if isinstance(comparisons, Mapping):
        for name, one in list(comparisons.items())[-1:]:
            _, difference = rounded(one.value, one.difference, width=one.high - one.low)
            yield f"Against {name}", (one.verdict, f"by {difference} {one.metric}")


def _agreement(result: Any) -> Iterator[Fact]:
    if hasattr(result, "differences") and hasattr(result, "difference"):
        paths = f"{len(result.differences)} paths, {result.rows:,} rows"
        yield "Largest difference", (number(result.difference), paths)


def _release(result: Any) -> Iterator[Fact]:
    if hasattr(result, "version") and hasattr(result, "alias"):
        yield "Release", (result.version[:8], result.alias or "published")


def _decision(result: Any) -> Iterator[Fact]:
    decision: Any = getattr(result, "decision", None)
    if hasattr(decision, "action"):
        moved = f"{len(result.drift.alarmed)} of {len(result.drift.columns)} columns drifted"
        yield "Decision", (decision.action, moved)


_FACTS: tuple[Callable[[Any], Iterator[Fact]], ...] = (
    _training,
    _score,
    _verdict,
    _agreement,
    _release,
    _decision,
)
