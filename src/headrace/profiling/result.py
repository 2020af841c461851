"""What an assessment of a table answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from headrace.result import Result, finite
from headrace.table import figure, html_list, html_table, text_table

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from headrace.data.profile import Profile
    from headrace.data.schema import Schema
    from headrace.profiling.alerts import Alert
    from headrace.profiling.columns import Counts
    from headrace.profiling.patterns import Pattern
    from headrace.profiling.quality import Part
    from headrace.profiling.relations import Relation
    from headrace.profiling.trends import Trend

__all__ = ["Assessment"]

_ALPHA = 0.01
_SHOWN = 12
_LEAKS = {"gives away", "id", "future", "order", "same rows", "shared groups", "later rows"}
_PARTS = ("part", "points", "of", "")
_PAIRS = ("columns", "measure", "value", "rows", "p", "")


@dataclass(frozen=True)
class Assessment(Result):
    """What a table is like, and what a model would suffer from.

    Attributes:
        columns: The profile of each column, counted over all rows.
        schema: What each column was taken for, and why.
        counts: Quantiles, outliers, texts that are numbers and repeated rows.
        alerts: What is wrong with columns and rows, leaks included.
        relations: How columns depend on each other, measured on the sample.
        parts: What the quality score is made of.
        trends: What changes over time, if a time column was given.
        patterns: Groups of rows where the target differs, if there is one.
        classes: The rows of each class of the target; empty for a number.
        sample_rows: Rows of the sample that relations, leaks and patterns are measured on.
        target: The target, if there is one.
        time: The time column, if there is one.
        seed: Of the sample.
        notes: What was not looked at, and why.
    """

    columns: Profile
    schema: Schema
    counts: Counts
    alerts: tuple[Alert, ...]
    relations: tuple[Relation, ...]
    parts: tuple[Part, ...]
    trends: tuple[Trend, ...]
    patterns: tuple[Pattern, ...]
    classes: dict[str, int]
    sample_rows: int
    target: str | None = None
    time: str | None = None
    seed: int = 0
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows the table has."""
        return self.columns.rows

    @property
    def score(self) -> float:
        """The quality, 0 to 100: the points of all parts over those that they could give."""
        most = sum(part.most for part in self.parts)
        return round(100 * sum(part.points for part in self.parts) / most, 1)

    @property
    def problems(self) -> tuple[Alert, ...]:
        """The alerts that a model or its score would suffer from."""
        return tuple(one for one in self.alerts if one.severity == "problem")

    @property
    def leaks(self) -> tuple[Alert, ...]:
        """The alerts of the leak report, notes included."""
        return tuple(one for one in self.alerts if one.kind in _LEAKS)

    @property
    def related(self) -> tuple[Relation, ...]:
        """The relations that chance does not explain, the strongest first."""
        sure = [one for one in self.relations if one.corrected <= _ALPHA]
        return tuple(sorted(sure, key=lambda one: -one.strength))

    def summary(self) -> str:
        """Answer the score with its parts, the alerts, relations, trends and patterns."""
        parts = [
            f"quality {self.score:g} of 100",
            text_table(_PARTS, self._part_cells()),
            self.schema.summary(),
            self.columns.summary(),
        ]
        parts += [_lines("alerts", [f"{one.severity}: {one.text}" for one in self.alerts])]
        if self.classes:
            rows = sum(self.classes.values())
            shares = [f"{name} {n / rows:.1%}" for name, n in list(self.classes.items())[:_SHOWN]]
            parts.append("classes of the target: " + ", ".join(shares))
        if self.relations:
            text = f"{self._tested()}; the strongest:\n" if self.related else self._tested()
            parts.append(text + (text_table(_PAIRS, self._pair_cells()) if self.related else ""))
        parts += [_lines("over time", [one.sentence() for one in self.trends])]
        parts += [_lines("where the target differs", [one.sentence() for one in self.patterns])]
        parts += [f"note: {note}" for note in self.notes]
        return "\n\n".join(part for part in parts if part)

    def _tested(self) -> str:
        return (
            f"{len(self.related)} of {len(self.relations)} relations are beyond chance "
            f"(at most {_ALPHA:.0%} that any of them is not; {self.sample_rows:,} rows)"
        )

    def _part_cells(self) -> list[list[str]]:
        return [[one.name, f"{one.points:.1f}", f"{one.most:g}", one.why] for one in self.parts]

    def _pair_cells(self) -> list[list[str]]:
        return [
            [
                f"{one.first} ~ {one.second}",
                one.measure.replace("_", " "),
                figure(one.value),
                f"{one.rows:,}",
                f"{one.corrected:.2g}",
                "",
            ]
            for one in self.related[:_SHOWN]
        ]

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values that JSON can hold; None where there is none."""
        listed = ("alerts", "relations", "parts", "trends", "patterns")
        answer = {
            "rows": self.rows,
            "score": self.score,
            "target": self.target,
            "time": self.time,
            "sample_rows": self.sample_rows,
            "seed": self.seed,
            "classes": dict(self.classes),
            "columns": self.columns.to_dict()["columns"],
            "counts": asdict(self.counts),
            **{name: [asdict(one) for one in getattr(self, name)] for name in listed},
            "notes": list(self.notes),
        }
        plain: dict[str, Any] = _plain(answer)
        return plain

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the relations between the columns as a heat map.

        Args:
            ax: The axes to draw on; a new figure when none is given.
        """
        from headrace.visualization import relations

        return relations(self, ax)

    def write(self, path: str | Path) -> Path:
        """Write a one-file HTML report.

        Args:
            path: The file; it is there as a whole or not at all.

        Returns:
            Its path.
        """
        from headrace.visualization import write_report
        from headrace.visualization.markup import Table

        parts = [[one.name, one.points, one.most, one.why] for one in self.parts]
        found = [[one.severity, one.kind, one.text] for one in self.alerts]
        sections: dict[str, object] = {
            "Quality": Table(["part", "points", "of", "why"], parts),
            "Alerts": Table(["", "kind", "what"], found) if found else "Nothing to report.",
            "Columns": [self.schema, self.columns],
            "Relations": [self.plot()],
        }
        if self.related:
            pairs = Table(_PAIRS[:-1], [row[:-1] for row in self._pair_cells()], self._tested())
            sections["Relations"] = [self.plot(), pairs]
        if self.trends:
            sections["Over time"] = "\n".join(one.sentence() for one in self.trends)
        if self.patterns:
            sections["Patterns"] = "\n".join(one.sentence() for one in self.patterns)
        if self.notes:
            sections["Notes"] = "\n".join(self.notes)
        facts = {
            "Quality": (self.score, "of 100"),
            "Rows": self.rows,
            "Columns": len(self.schema),
            "Problems": len(self.problems),
        }
        title = f"Assessment for {self.target}" if self.target else "Assessment of a table"
        return write_report(path, sections, title=title, facts=facts)

    def _repr_html_(self) -> str:
        title = f"quality {self.score:g} of 100 · {self.rows:,} rows"
        parts = [html_table(_PARTS, self._part_cells(), caption=title)]
        parts.append(html_list([f"{one.severity}: {one.text}" for one in self.alerts]))
        if self.related:
            parts.append(html_table(_PAIRS, self._pair_cells(), caption=self._tested()))
        lines = [one.sentence() for one in self.trends]
        lines += [one.sentence() for one in self.patterns]
        return "".join([*parts, html_list([*lines, *self.notes])])


def _lines(title: str, lines: list[str]) -> str:
    return "\n".join([f"{title}:", *(f"- {line}" for line in lines)]) if lines else ""


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return finite(value)
