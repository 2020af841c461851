"""Slices: groups of rows that a model does worse on, found on some rows and tested on others."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from headrace.data.levels import Levels, levels_of
from headrace.data.source import read
from headrace.data.split import halves
from headrace.errors import DataError, Problem, SettingError
from headrace.evaluate.comparison import losses
from headrace.evaluate.excess import excess
from headrace.evaluate.intervals import check_confidence
from headrace.evaluate.labelled import labelled_rows
from headrace.evaluate.scores import check_scores, to_scores
from headrace.result import Result
from headrace.table import figure, html_list, html_table, text_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from headrace.evaluate.excess import Excess
    from headrace.evaluate.labelled import LabelledRows
    from headrace.pipeline import Pipeline
    from headrace.train.fitted import Fitted

__all__ = ["Slice", "Slices", "find_slices", "search_slices", "slices_of"]

Loss: TypeAlias = Literal["error", "surprise"]

_HEADER = ("slice", "rows", "loss", "others", "worse by", "low", "high", "q")
_TESTED = 20

_PART, _SAME = 0.95, 0.7
"""Shares of a group's rows, and of both groups' rows, from which on it adds nothing."""

_KINDS = {"number", "boolean", "category", "datetime"}
_LOSS = {
    "binary": "squared error of the probability",
    "multiclass": "squared error of the true class's probability",
    "regression": "squared error",
}
_SURPRISE = "squared error beyond what the stated probabilities lead to expect"


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows that a model does worse on than on the others.

    Attributes:
        name: Which rows, in words.
        rows: How many rows it was tested on.
        loss: Their mean loss.
        others: The mean loss of all other rows.
        difference: loss - others.
        low: The lower end of the interval of the difference.
        high: The upper end.
        q_value: The share of false finds among slices with at most this value.
        found: Whether it is worse for sure enough.
    """

    name: str
    rows: int
    loss: float
    others: float
    difference: float
    low: float
    high: float
    q_value: float
    found: bool


@dataclass(frozen=True)
class Slices(Result):
    """Where a model does worse.

    Attributes:
        slices: Those that were tested, the surest first.
        searched: How many groups of rows were looked at.
        search_rows: Rows that they were chosen by.
        test_rows: Other rows, which they were tested on.
        loss: What the loss of a row is.
        rate: The share of false finds among those found (Benjamini and Hochberg, 1995).
        notes: What should be known.
    """

    slices: tuple[Slice, ...]
    searched: int
    search_rows: int
    test_rows: int
    loss: str
    rate: float
    notes: tuple[str, ...] = ()

    @property
    def found(self) -> tuple[Slice, ...]:
        """The slices that are worse for sure enough."""
        return tuple(one for one in self.slices if one.found)

    def sentence(self) -> str:
        """Answer what was found, in words."""
        how = (
            f"of {self.searched:,} groups of rows, the {len(self.slices)} worst of "
            f"{self.search_rows:,} rows were tested on {self.test_rows:,} others"
        )
        if not self.found:
            return f"No slice is worse for sure: {how}."
        number = "1 slice is" if len(self.found) == 1 else f"{len(self.found)} slices are"
        return f"{number} worse (at most {self.rate:.0%} of such finds are false): {how}."

    def lines(self) -> list[str]:
        """Answer a sentence for each slice that was found."""
        return [
            f"{one.name}: {self.loss} {figure(one.loss)}, of all others {figure(one.others)} "
            f"({one.rows:,} rows; more by {figure(one.low)} to {figure(one.high)})"
            for one in self.found
        ]

    def summary(self, most: int = _TESTED) -> str:
        """Answer a line for each slice that was found.

        Args:
            most: The surest ones that are listed.
        """
        parts = [self.sentence()]
        table = text_table(_HEADER, self._cells()[:most])
        parts += [f"loss: {self.loss}\n{table}"] if self.found else []
        parts += [f"note: {note}" for note in self.notes]
        return "\n\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values."""
        return {**asdict(self), "slices": [asdict(one) for one in self.slices]}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw how much worse each slice is, with its interval."""
        from headrace import visualization

        axes: Axes = visualization.slices(self, ax=ax)
        return axes

    def _repr_html_(self) -> str:
        table = html_table(_HEADER, self._cells(), caption=self.loss) if self.found else ""
        return html_list([self.sentence()]) + table + html_list(self.notes)

    def _cells(self) -> list[list[str]]:
        return [
            [
                one.name,
                f"{one.rows:,}",
                *map(figure, (one.loss, one.others, one.difference, one.low, one.high)),
                f"{one.q_value:.2g}",
            ]
            for one in self.found
        ]


def find_slices(
    pipeline: Pipeline,
    data: object,
    *,
    columns: Sequence[str] | None = None,
    depth: int = 2,
    clusters: int = 0,
    loss: Loss = "error",
    bins: int = 4,
    fewest: int = 30,
    rate: float = 0.05,
    seed: int = 0,
) -> Slices:
    """Find groups of rows that a pipeline does worse on.

    Half of the rows choose the worst groups: values of a column, ranges of numbers, missing
    values, and what several of them have in common. The other half tests them, so the luck of the
    choice does not count.

    Args:
        pipeline: A trained pipeline with a target.
        data: Rows with the target that it has not learnt from.
        columns: Columns that make groups; None for all that the pipeline knows.
        depth: How many columns may be crossed, 1 to 3.
        clusters: How many clusters of the features make groups, too; 0 for none.
        loss: "error" for the squared error, which is larger where nobody could know better, too;
            "surprise" for what of it the stated probabilities do not lead to expect: there the
            model is too sure of itself.
        bins: Parts that numbers and times are cut into.
        fewest: Rows that a group must have in either half.
        rate: The share of false finds that is allowed.
        seed: Of the halves.

    Raises:
        DataError: The rows do not fit, or are too few.
        SettingError: A setting is out of its range, or a column is unknown.

    Example:
        >>> import headrace as hr
        >>> import polars as pl
        >>> random = np.random.default_rng(0)
        >>> kind = random.choice(["calm", "wild"], 800)
        >>> x = random.normal(size=800)
        >>> y = x + random.normal(size=800) * np.where(kind == "wild", 2.0, 0.2)
        >>> rows = pl.DataFrame({"x": x, "kind": kind, "y": y})
        >>> pipe = hr.Pipeline(target="y", network=hr.Network([8], epochs=5))
        >>> _ = pipe.train(rows.head(400))
        >>> [one.name for one in find_slices(pipe, rows.tail(400)).found][0]
        'kind = wild'
    """
    fitted = pipeline.fitted
    rows = labelled_rows(fitted, read(data))
    return slices_of(
        fitted,
        rows,
        fitted.output(rows.canonical),
        columns=columns,
        depth=depth,
        clusters=clusters,
        loss=loss,
        bins=bins,
        fewest=fewest,
        rate=rate,
        seed=seed,
    )


def slices_of(
    fitted: Fitted,
    rows: LabelledRows,
    output: NDArray[Any],
    *,
    columns: Sequence[str] | None = None,
    depth: int = 2,
    clusters: int = 0,
    loss: Loss = "error",
    bins: int = 4,
    fewest: int = 30,
    rate: float = 0.05,
    seed: int = 0,
) -> Slices:
    """Find slices of labelled rows that a network has answered (see `find_slices`).

    Args:
        fitted: The fitted pipeline.
        rows: The rows.
        output: What the network says about them.
        columns: See `find_slices`, as for all others.
        depth: How many columns may be crossed.
        clusters: How many clusters of the features make groups, too.
        loss: "error" or "surprise".
        bins: Parts that numbers and times are cut into.
        fewest: Rows that a group must have in either half.
        rate: The share of false finds that is allowed.
        seed: Of the halves.
    """
    spec = fitted.network.target_spec
    truth, scores = check_scores(spec.task, rows.y_true, to_scores(spec, output))
    kinds = {column.name: column.kind for column in fitted.schema.columns}
    known = [name for name, kind in kinds.items() if kind in _KINDS]
    chosen = known if columns is None else columns
    for name in chosen:
        if name not in known:
            raise SettingError(
                f"slices can be made of the columns {', '.join(known)}, received {name!r}"
            )
    if loss == "surprise" and spec.task == "regression":
        raise SettingError("the loss 'surprise' needs probabilities: of numbers use 'error'")
    learn = halves(len(truth), seed)
    groups = [
        levels_of(rows.canonical[name], kinds[name], bins=bins, fewest=fewest, learn=learn)
        for name in chosen
    ]
    if clusters:
        groups.append(_clustered(fitted.transform(rows.canonical), clusters, learn, seed))
    found = losses(spec.task, truth, scores)
    return search_slices(
        found - _expected(scores) if loss == "surprise" else found,
        groups,
        learn=learn,
        depth=depth,
        fewest=fewest,
        rate=rate,
        loss=_SURPRISE if loss == "surprise" else _LOSS[spec.task],
        notes=rows.notes,
    )


def search_slices(
    loss_of_row: NDArray[np.float64],
    groups: Sequence[Levels],
    *,
    learn: NDArray[np.bool_] | None = None,
    depth: int = 2,
    fewest: int = 30,
    rate: float = 0.05,
    loss: str = "loss",
    notes: Sequence[str] = (),
    seed: int = 0,
) -> Slices:
    """Find groups of rows with a large loss among the levels of some columns.

    Args:
        loss_of_row: (rows,) larger for rows that a model does worse on.
        groups: The columns as groups.
        learn: (rows,) the rows to choose by; the others test. None for a random half.
        depth: How many columns may be crossed, 1 to 3.
        fewest: Rows that a group must have in either half.
        rate: The share of false finds that is allowed.
        loss: What the loss is, for people.
        notes: What should be known.
        seed: Of the random half.

    Raises:
        DataError: There are too few rows.
        SettingError: A setting is out of its range.

    Example:
        >>> random = np.random.default_rng(0)
        >>> codes = random.integers(0, 2, 400)
        >>> found = search_slices(random.random(400) + codes, [Levels("x", codes, ("a", "b"))])
        >>> [one.name for one in found.found]
        ['b']
    """
    if depth not in {1, 2, 3}:
        raise SettingError(f"depth must be 1, 2 or 3, received {depth!r}")
    if not fewest >= 2:
        raise SettingError(f"fewest must be 2 or more: one row has no spread, received {fewest!r}")
    check_confidence(1 - rate)
    rows = len(loss_of_row)
    if rows < 2 * fewest:
        text = f"{rows} rows are too few: a slice needs {fewest} in either half (fewest)"
        raise DataError([Problem(text)])
    chosen = halves(rows, seed) if learn is None else learn
    searched, worst = _search(loss_of_row, groups, chosen, depth, fewest)
    tested = [
        (name, excess(loss_of_row[~chosen], inside[~chosen], rate=rate, seed=seed + place))
        for place, (name, inside) in enumerate(worst)
    ]
    kept = [(name, one) for name, one in tested if one is not None]
    return Slices(
        slices=_judged(kept, rate),
        searched=searched,
        search_rows=int(chosen.sum()),
        test_rows=int((~chosen).sum()),
        loss=loss,
        rate=rate,
        notes=tuple(notes),
    )


def _expected(scores: NDArray[Any]) -> NDArray[np.float64]:
    """Answer the squared error that a model expects of itself, (rows,)."""
    chances = scores if scores.ndim > 1 else np.column_stack([1 - scores, scores])
    return np.asarray((chances * (1 - chances) ** 2).sum(axis=1), dtype=np.float64)


def _clustered(features: Any, clusters: int, learn: NDArray[np.bool_], seed: int) -> Levels:
    from headrace.clustering.fitted import matrix_of
    from headrace.clustering.kmeans import KMeans

    numbers = features.select(
        name for name, kind in features.schema.items() if kind.is_numeric()
    ).fill_nan(0.0)
    matrix = matrix_of(numbers)
    found = KMeans(clusters, random_state=seed).fit_matrix(matrix[learn])
    names = tuple(f"cluster {number}" for number in range(clusters))
    return Levels("cluster", found.predict(matrix).astype(np.intp), names)


def _search(
    loss: NDArray[np.float64],
    groups: Sequence[Levels],
    chosen: NDArray[np.bool_],
    depth: int,
    fewest: int,
) -> tuple[int, list[tuple[str, NDArray[np.bool_]]]]:
    """Answer how many groups there are, and those with the largest excess, the worst first.

    One pass of counts and sums for each set of columns; no group's rows are gathered but those of
    the few that are tested.
    """
    values, total, rows = loss[chosen], float(loss[chosen].sum()), int(chosen.sum())
    scale = float(values.std()) or 1.0
    found: list[tuple[float, tuple[int, ...], tuple[int, ...]]] = []
    searched = 0
    for size in range(1, depth + 1):
        for several in combinations(range(len(groups)), size):
            shape = tuple(len(groups[one].names) for one in several)
            codes = np.ravel_multi_index([groups[one].codes[chosen] for one in several], shape)
            counts = np.bincount(codes, minlength=int(np.prod(shape)))
            sums = np.bincount(codes, values, minlength=len(counts))
            fits = np.flatnonzero((counts >= fewest) & (counts <= rows - fewest))
            searched += len(fits)
            others = rows - counts[fits]
            excess = sums[fits] / counts[fits] - (total - sums[fits]) / others
            strength = excess / scale / np.sqrt(1 / counts[fits] + 1 / others)
            found += [
                (float(strength[n]), several, tuple(map(int, np.unravel_index(fits[n], shape))))
                for n in np.argsort(-strength)[:_TESTED]
            ]
    return searched, _worst(groups, found)


def _worst(
    groups: Sequence[Levels], found: Sequence[tuple[float, tuple[int, ...], tuple[int, ...]]]
) -> list[tuple[str, NDArray[np.bool_]]]:
    """Answer the strongest groups.

    A part of a stronger one, or nearly the same rows, would say the same again and is left out.
    """
    kept: list[tuple[str, NDArray[np.bool_]]] = []
    for strength, several, codes in sorted(found, key=lambda one: -one[0]):
        if strength <= 0 or len(kept) == _TESTED:
            break
        named = _named(groups, several, codes)
        if not any(_says_the_same(named[1], inside) for _, inside in kept):
            kept.append(named)
    return kept


def _says_the_same(group: NDArray[np.bool_], stronger: NDArray[np.bool_]) -> bool:
    """Answer whether a group is a part of another one, or nearly the same rows (Jaccard)."""
    shared = (group & stronger).sum()
    return bool(shared > _PART * group.sum() or shared > _SAME * (group | stronger).sum())


def _named(
    groups: Sequence[Levels], several: Sequence[int], codes: Sequence[int]
) -> tuple[str, NDArray[np.bool_]]:
    inside = np.ones(len(groups[0].codes), dtype=bool)
    names = []
    for one, code in zip(several, codes, strict=True):
        inside &= groups[one].codes == code
        names.append(groups[one].names[code])
    return " and ".join(names), inside


def _judged(tested: Sequence[tuple[str, Excess]], rate: float) -> tuple[Slice, ...]:
    """Turn p-values into q-values: false finds are controlled over all tests."""
    from scipy.stats import false_discovery_control

    if not tested:
        return ()
    values = false_discovery_control([one.p_value for _, one in tested])
    judged = [
        Slice(
            name=name,
            rows=one.rows,
            loss=one.loss,
            others=one.others,
            difference=one.difference,
            low=one.low,
            high=one.high,
            q_value=float(q),
            found=bool(q <= rate),
        )
        for (name, one), q in zip(tested, values, strict=True)
    ]
    return tuple(sorted(judged, key=_doubt))


def _doubt(one: Slice) -> tuple[float, float]:
    """Answer what sorts slices, the surest first; draws leave many q-values equal."""
    reach = one.high - one.difference
    return (0.0 if one.found else one.q_value, -one.difference / reach if reach else -np.inf)
