"""How often intervals and sets hold the truth of rows that nothing was learnt from."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.conformal.groups import Groups
from headrace.conformal.ranks import rows_needed
from headrace.conformal.settings import check_level
from headrace.data.conform import to_blocks
from headrace.data.source import read
from headrace.errors import DataError, NotTrainedError, Problem, SettingError
from headrace.evaluate.intervals import check_confidence
from headrace.model.targets import Targets
from headrace.result import Result
from headrace.table import figure, html_list, html_table, text_table
from headrace.train.calibrating import labelled_batches
from headrace.train.labels import LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import polars as pl
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from headrace.conformal.fitted import FittedConformal, Predicted
    from headrace.model.target import TargetSpec
    from headrace.pipeline import Pipeline
    from headrace.train.fitted import Fitted

__all__ = ["Coverage", "Covered", "coverage", "measure_coverage"]

CURVE = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Levels at which the whole table is looked at, besides the one that is asked for."""

_LEAST = 20
"""Rows that a group needs to be shown."""


@dataclass(frozen=True, slots=True)
class Covered:
    """How often the truth of some rows was inside.

    Attributes:
        group: Which rows.
        rows: How many there are.
        inside: How many of them hold the truth.
        low: Lower end of the share's exact interval (Clopper and Pearson, 1934).
        high: Upper end.
        size: The mean width of an interval, or the mean number of classes in a set; infinite
            where intervals have no ends.
        promised: Between which shares so many calibration and test rows come to lie in 95 of 100
            cases, where both are of one kind; None where weights or a fallback decide.

    Example:
        >>> Covered("all rows", 100, 91, 0.836, 0.958, 1.4).share
        0.91
    """

    group: str
    rows: int
    inside: int
    low: float
    high: float
    size: float
    promised: tuple[float, float] | None = None

    @property
    def share(self) -> float:
        """The share of rows whose truth was inside."""
        return self.inside / self.rows

    @property
    def verdict(self) -> str:
        """Whether the share is what was promised: "as promised", "too few", "more", or ""."""
        if self.promised is None:
            return ""
        if self.share < self.promised[0]:
            return "too few"
        return "more" if self.share > self.promised[1] else "as promised"

    def cells(self) -> list[str]:
        """Answer the figures as the cells of a table."""
        promised = "" if self.promised is None else "{:.1%} to {:.1%}".format(*self.promised)
        shares = [f"{value:.1%}" for value in (self.share, self.low, self.high)]
        return [self.group, f"{self.rows:,}", *shares, promised, figure(self.size), self.verdict]


@dataclass(frozen=True)
class Coverage(Result):
    """How often intervals or sets held the truth.

    Attributes:
        target: The column that is predicted.
        level: How often they should.
        kind: "interval" or "set".
        confidence: Of the exact intervals of the shares.
        whole: All rows.
        groups: Some of them.
        curve: All rows at other levels, by level.
        sizes: For sets: how many have 1, 2, … classes.
        notes: What the user should know.

    Example:
        >>> whole = Covered("all rows", 100, 91, 0.836, 0.958, 1.4, (0.83, 0.96))
        >>> print(Coverage("grade", 0.9, "set", 0.95, whole))
        sets of 'grade' at the level 0.9: 91.0% of 100 rows hold the truth, as promised
        <BLANKLINE>
        group     rows  share    low   high        promised  mean size
        all rows   100  91.0%  83.6%  95.8%  83.0% to 96.0%        1.4  as promised
    """

    target: str
    level: float
    kind: str
    confidence: float
    whole: Covered
    groups: tuple[Covered, ...] = ()
    curve: tuple[tuple[float, Covered], ...] = ()
    sizes: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """Answer the shares as a table, all rows first."""
        notes = ["\n".join(f"note: {note}" for note in self.notes)] if self.notes else []
        return "\n\n".join([self._title(), text_table(*self.table()), *notes])

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Answer the header and the cells of the table, all rows first."""
        size = "mean width" if self.kind == "interval" else "mean size"
        header = ["group", "rows", "share", "low", "high", "promised", size, ""]
        return header, [one.cells() for one in (self.whole, *self.groups)]

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values; an infinite size is None."""
        return {
            "target": self.target,
            "level": self.level,
            "kind": self.kind,
            "confidence": self.confidence,
            "whole": _plain(self.whole),
            "groups": [_plain(one) for one in self.groups],
            "curve": [[level, _plain(one)] for level, one in self.curve],
            "sizes": list(self.sizes),
            "notes": list(self.notes),
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the share of each group with its interval; without groups the share over levels."""
        from headrace.visualization import coverage

        return coverage(self, ax)

    def _repr_html_(self) -> str:
        table = html_table(*self.table(), caption=self._title())
        return table + html_list(self.notes)

    def _title(self) -> str:
        verdict = f", {self.whole.verdict}" if self.whole.verdict else ""
        return (
            f"{self.kind}s of {self.target!r} at the level {self.level:g}: {self.whole.share:.1%} "
            f"of {self.whole.rows:,} rows hold the truth{verdict}"
        )


def coverage(
    pipeline: Pipeline,
    data: object,
    interval: float = 0.9,
    *,
    by: str | Sequence[str] | None = None,
    target: str | None = None,
    confidence: float = 0.95,
) -> Coverage:
    """Measure how often a pipeline's intervals or sets hold the truth.

    Args:
        pipeline: A calibrated pipeline.
        data: Labelled rows that have neither trained nor calibrated it.
        interval: The level to look at.
        by: A column, or several, within whose groups to look; the target's own name for its
            classes; None for those that the intervals were calibrated by.
        target: Which of several targets.
        confidence: Of the exact intervals of the shares.

    Raises:
        SettingError: Nothing has calibrated intervals, or a setting cannot be used.
        DataError: No row has a label.

    Example:
        >>> import headrace as hr
        >>> rows = {"x": [float(x % 50) for x in range(300)]}
        >>> rows["y"] = [2 * x for x in rows["x"]]
        >>> pipe = hr.Pipeline([hr.Network("linear", epochs=2)], target="y")
        >>> _ = pipe.train(rows)
        >>> _ = pipe.calibrate(rows)
        >>> hr.coverage(pipe, rows).whole.rows
        300
    """
    fitted = pipeline.fitted
    if isinstance(fitted.target, Targets):
        if target is None:
            names = ", ".join(map(repr, fitted.target.columns))
            raise SettingError(f"say which of several targets is meant, target=…: {names}")
        fitted = fitted.for_target(target)
    groups = (by,) if isinstance(by, str) else None if by is None else tuple(by)
    rows = labelled_batches(fitted, read(data))
    return measure_coverage(fitted, rows, interval, by=groups, confidence=confidence)


def measure_coverage(
    fitted: Fitted,
    rows: Iterable[pl.DataFrame],
    level: float,
    *,
    by: tuple[str, ...] | None = None,
    confidence: float = 0.95,
) -> Coverage:
    """Measure the same of a fitted pipeline with one target (see `coverage`).

    Args:
        fitted: The pipeline.
        rows: Canonical rows with their labels in the column `headrace.train.labels.LABEL`.
        level: The level to look at.
        by: Columns within whose groups to look.
        confidence: Of the exact intervals of the shares.
    """
    level, confidence = check_level(level), check_confidence(confidence)
    if fitted.target is None:
        raise NotTrainedError("clusters have no intervals, so there is no coverage to measure")
    spec = fitted.network.target_spec
    if spec.name not in fitted.conformal:
        raise SettingError(
            "no rows have calibrated intervals yet: call pipe.calibrate(data) with labelled rows "
            "that the network has not learnt from"
        )
    conformal = fitted.conformal[spec.name]
    levels = sorted({level, *CURVE})
    names = conformal.settings.columns if by is None else by
    seen = _Seen.joined(list(_batches(fitted, rows, levels, names)), spec)
    place = levels.index(level)
    judge = _Judge(conformal, spec, confidence)
    every = np.ones(len(seen.truth), dtype=bool)
    groups = [
        judge(name, inside, seen.inside[place], seen.size[place], level)
        for name, inside in _groups(fitted, seen, names)
    ]
    note = conformal.note(spec, level)
    sizes = () if spec.task == "regression" else _sizes(seen.size[place])
    return Coverage(
        spec.name,
        level,
        "interval" if spec.task == "regression" else "set",
        confidence,
        judge("all rows", every, seen.inside[place], seen.size[place], level),
        tuple(groups),
        tuple(
            (one, judge("all rows", every, seen.inside[at], seen.size[at], one))
            for at, one in enumerate(levels)
        ),
        sizes,
        () if note is None else (note,),
    )


@dataclass(frozen=True, eq=False)
class _Seen:
    """Rows, reduced to what coverage is counted from.

    Attributes:
        truth: (rows,) class numbers or values.
        inside: (levels, rows) whether the truth is inside.
        size: (levels, rows) the width, or the number of classes.
        beside: The columns that divide the rows, canonical.
    """

    truth: NDArray[Any]
    inside: NDArray[np.bool_]
    size: NDArray[np.float64]
    beside: Any

    @classmethod
    def joined(cls, parts: list[_Seen], spec: TargetSpec) -> _Seen:
        if not parts:
            raise DataError([Problem("no row has a label", column=spec.name)])
        blocks = zip(*(part.beside for part in parts), strict=True)
        return cls(
            np.concatenate([part.truth for part in parts]),
            np.concatenate([part.inside for part in parts], axis=1),
            np.concatenate([part.size for part in parts], axis=1),
            type(parts[0].beside)(*(np.concatenate(block) for block in blocks)),
        )


@dataclass(frozen=True)
class _Judge:
    """Counts the rows of groups, and says what was to be expected of them."""

    conformal: FittedConformal
    spec: TargetSpec
    confidence: float

    def __call__(
        self,
        name: str,
        chosen: NDArray[np.bool_],
        inside: NDArray[np.bool_],
        size: NDArray[np.float64],
        level: float,
    ) -> Covered:
        from scipy.stats import binomtest

        rows, held = int(chosen.sum()), int(inside[chosen].sum())
        ends = binomtest(held, rows).proportion_ci(self.confidence, method="exact")
        return Covered(
            name,
            rows,
            held,
            float(ends.low),
            float(ends.high),
            float(size[chosen].mean()),
            self._promised(name, rows, level),
        )

    def _promised(self, name: str, rows: int, level: float) -> tuple[float, float] | None:
        """Answer where the share comes to lie: it is beta-binomial (Vovk, 2012)."""
        from scipy.stats import betabinom

        count = self._calibrated(name, level)
        if count is None or count < rows_needed(level):
            return None
        rank = math.ceil((count + 1) * level * (1 - 1e-9))
        known = betabinom(rows, rank, count + 1 - rank)
        return float(known.ppf(0.025)) / rows, float(known.ppf(0.975)) / rows

    def _calibrated(self, name: str, level: float) -> int | None:
        """Answer how many rows calibrated a group by themselves; None if others decided too."""
        conformal, spec = self.conformal, self.spec
        if conformal.settings.half_life is not None:
            return None
        names = conformal.names(spec)
        if not names:
            return conformal.rows if name == "all rows" else None
        if name not in names or name in conformal.too_few(spec, level):
            return None
        classes = len(conformal.tables[0][0])
        row, column = divmod(names.index(name), classes)
        return conformal.tables[0][row][column].rows


def _batches(
    fitted: Fitted, rows: Iterable[pl.DataFrame], levels: list[float], by: tuple[str, ...]
) -> Iterator[_Seen]:
    spec = fitted.network.target_spec
    conformal = fitted.conformal[spec.name]
    beside = fitted.schema.select([name for name in by if name != spec.name])
    for batch in rows:
        if not batch.height:
            continue
        canonical = batch.drop(LABEL)
        truth = spec.truth(batch[LABEL].alias(spec.name))
        answers = fitted.answers(fitted.output(canonical))
        blocks = to_blocks(canonical, fitted.schema) if conformal.reads_rows() else None
        pairs = [
            _inside(
                conformal.predicted(spec, answers, one, schema=fitted.schema, blocks=blocks), truth
            )
            for one in levels
        ]
        yield _Seen(
            truth,
            np.stack([inside for inside, _ in pairs]),
            np.stack([size for _, size in pairs]),
            to_blocks(canonical, beside),
        )


def _inside(found: Predicted, truth: NDArray[Any]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    if found.member is not None:
        held = found.member[np.arange(len(truth)), truth.astype(np.intp)]
        return held, found.member.sum(axis=1).astype(np.float64)
    low, high = np.asarray(found.low), np.asarray(found.high)
    return (low <= truth) & (truth <= high), high - low


def _groups(
    fitted: Fitted, seen: _Seen, by: tuple[str, ...]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Give the name and the rows of each group, as the conformal groups are called."""
    spec = fitted.network.target_spec
    names = [name for name in by if name != spec.name]
    parts: list[tuple[str, NDArray[np.bool_]]] = [("", np.ones(len(seen.truth), dtype=bool))]
    if names:
        schema = fitted.schema.select(names)
        known = fitted.conformal[spec.name].groups
        if [column.name for column in known.columns] != names:
            known = Groups.of(names, schema, seen.beside, _LEAST)
        codes = known.codes(schema, seen.beside)
        parts = [(label, codes == place) for place, label in enumerate(known.labels)]
        parts.append(("other groups", codes < 0))
    if spec.name in by:
        parts = [
            (f"{label}, {own}" if label else own, inside & (seen.truth == code))
            for label, inside in parts
            for code, own in enumerate(f"{spec.name} {one}" for one in spec.classes)
        ]
    yield from ((label, inside) for label, inside in parts if label and inside.any())


def _sizes(size: NDArray[np.float64]) -> tuple[int, ...]:
    return tuple(int(count) for count in np.bincount(size.astype(np.intp))[1:])


def _plain(covered: Covered) -> dict[str, Any]:
    found = asdict(covered)
    found["size"] = covered.size if math.isfinite(covered.size) else None
    found["promised"] = None if covered.promised is None else list(covered.promised)
    return found | {"share": covered.share, "verdict": covered.verdict}
