"""Splitting a table in training and validation rows: at random, by group, by time, or as given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headrace.data.conform import conform
from headrace.data.infer import infer_schema
from headrace.data.problems import absent_column
from headrace.data.schema import MISSING_TIME
from headrace.errors import DataError, Problem, SettingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Split", "halves", "split"]

_BINS = 10
_FEW = 20


@dataclass(frozen=True)
class Split:
    """How to choose validation rows; `train` takes it as `validation`.

    Attributes:
        share: The part of the rows to validate on.
        group: Rows with the same value in this column stay together.
        time: The latest rows by this column validate.

    Raises:
        SettingError: A share outside of 0 to 1, or both a group and a time.

    Example:
        >>> Split(share=0.25, group="patient").random
        False
    """

    share: float = 0.2
    group: str | None = None
    time: str | None = None

    def __post_init__(self) -> None:
        """Refuse what `split` would refuse."""
        _check_settings(self.share, {"group": self.group, "time": self.time})

    @property
    def random(self) -> bool:
        """Whether the rows are chosen at random, so that classes can keep their shares."""
        return self.group is None and self.time is None


def halves(rows: int, seed: int) -> NDArray[np.bool_]:
    """Answer which rows are of the first half, at random.

    Example:
        >>> int(halves(5, seed=0).sum())
        2
    """
    chosen: NDArray[np.bool_] = np.random.default_rng(seed).permutation(rows) < rows // 2
    return chosen


def split(
    frame: pl.DataFrame,
    *,
    share: float = 0.2,
    stratify: str | None = None,
    group: str | None = None,
    time: str | None = None,
    given: Sequence[bool] | NDArray[np.bool_] | pl.Series | None = None,
    seed: int = 0,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split a table in training and validation rows, both in the order of the table.

    - At random, by default.
    - `stratify`: at random within each value of a column, so that the shares agree. A value with
      one row stays in training; one with more is on both sides, as long as the share has a row for
      each of them. Numbers with more than 20 different values, or that hardly repeat, are taken by
      tenths (of few rows by fewer parts). Missing counts as a value.
    - `group`: rows with the same value stay together; no value is on both sides. Groups are taken
      at random as long as they bring the validation share nearer.
    - `time`: the latest rows validate; rows of the same instant stay together.
    - `given`: true for the validation rows.

    Args:
        frame: The table, raw or canonical, with at least two rows.
        share: The part of the rows to validate on, between 0 and 1; met to the nearest row, or as
            nearly as groups and equal instants allow.
        stratify: The column whose shares are kept.
        group: The column whose values are not divided.
        time: The column that orders the rows: dates, numbers, or text that is dates.
        given: One truth value for each row.
        seed: The same seed gives the same split.

    Returns:
        The training rows and the validation rows; neither is empty.

    Raises:
        SettingError: A share outside of 0 to 1, or settings that exclude each other.
        DataError: Fewer than two rows, one group or one instant only, rows without a group or a
            time (nothing says on which side they may be), or an absent column.

    Example:
        >>> import polars as pl
        >>> table = pl.DataFrame({"day": [3, 1, 2, 3], "y": [1, 2, 3, 4]})
        >>> train, validation = split(table, share=0.5, time="day")
        >>> train["day"].to_list(), validation["day"].to_list()
        ([1, 2], [3, 3])
    """
    _check(frame, share, {"stratify": stratify, "group": group, "time": time, "given": given})
    if given is not None:
        chosen = _given(given, frame.height)
    elif group is not None:
        chosen = _by_group(frame[group], share, seed)
    elif time is not None:
        chosen = _by_time(frame, time, share)
    elif stratify is not None:
        chosen = _stratified(frame[stratify], share, seed)
    else:
        chosen = _at_random(frame.height, share, seed)
    mask = pl.Series(chosen)
    return frame.filter(~mask), frame.filter(mask)


def _check_settings(share: float, ways: dict[str, Any]) -> None:
    if not 0 < share < 1:
        raise SettingError(f"share must be between 0 and 1 (both excluded), received {share!r}")
    chosen = [way for way, value in ways.items() if value is not None]
    if len(chosen) > 1:
        raise SettingError(f"a split goes one way; received {' and '.join(chosen)}: choose one")


def _check(frame: pl.DataFrame, share: float, ways: dict[str, Any]) -> None:
    _check_settings(share, ways)
    problems = [
        absent_column(value, frame.columns)
        for way, value in ways.items()
        if way != "given" and value is not None and value not in frame.columns
    ]
    if frame.height < 2:
        text = f"a split needs at least two rows, received {frame.height}"
        problems.append(Problem(text, hint="Give the validation rows yourself, or more data"))
    if problems:
        raise DataError(problems)


def _wanted(rows: int, share: float) -> int:
    """Answer how many rows validate: the share, but at least one on each side."""
    return min(max(round(rows * share), 1), rows - 1)


def _at_random(rows: int, share: float, seed: int) -> NDArray[np.bool_]:
    chosen = np.zeros(rows, dtype=bool)
    order = np.random.default_rng(seed).permutation(rows)
    chosen[order[: _wanted(rows, share)]] = True
    return chosen


def _stratified(values: pl.Series, share: float, seed: int) -> NDArray[np.bool_]:
    codes = _strata(values, share)
    random = np.random.default_rng(seed)
    takes = _takes(np.bincount(codes), share, random)
    if not takes.any():
        hint = "Split at random, or by time or group"
        text = f"{len(codes)} different values in {len(codes)} rows: none is there twice"
        raise DataError([Problem(text, column=values.name, hint=hint)])
    order = random.permutation(len(codes))
    ranks = _ranks(codes[order])
    chosen = np.zeros(len(codes), dtype=bool)
    chosen[order] = ranks < takes[codes[order]]
    return chosen


def _takes(counts: NDArray[np.intp], share: float, random: np.random.Generator) -> NDArray[np.intp]:
    """Answer how many rows of each stratum validate; at least one of each stays in training."""
    divided = counts > 1
    wanted = _wanted(int(counts.sum()), share)
    if divided.sum() <= wanted:
        takes = np.clip(np.round(counts * share), 1, np.maximum(counts - 1, 0))
        return np.where(divided, takes, 0).astype(np.intp)
    # One row of each would be more than the share: the largest remainders get one, ties by lot.
    exact = np.where(divided, counts * share, 0.0)
    takes = np.floor(exact)
    free = np.where(takes < counts - 1, exact - takes, 0.0)
    order = np.lexsort((random.random(len(counts)), -free))
    takes[order[: max(0, wanted - int(takes.sum()))]] += 1
    return takes.astype(np.intp)


def _strata(values: pl.Series, share: float) -> NDArray[np.intp]:
    """Answer a code for each row; rows with one code are split together."""
    different = values.n_unique()
    if values.dtype.is_numeric() and (different > _FEW or 2 * different > values.len()):
        values = values.cast(pl.Float64).fill_nan(None)
        bins = min(_BINS, _wanted(values.len(), share))
        cuts = [values.quantile(i / bins) for i in range(1, bins)]
        inner = pl.Series(sorted({cut for cut in cuts if cut is not None}), dtype=pl.Float64)
        values = _when_present(values, inner.search_sorted(values.fill_null(0.0)))
    return _codes(values)


def _when_present(values: pl.Series, codes: pl.Series) -> pl.Series:
    return pl.select(pl.when(values.is_not_null()).then(codes)).to_series()


def _codes(values: pl.Series) -> NDArray[np.intp]:
    """Number the different values in the order in which they come; missing is one of them."""
    known = values.drop_nulls().unique(maintain_order=True)
    numbers = pl.Series(range(known.len()), dtype=pl.Int64)
    codes = values.replace_strict(known, numbers, default=None, return_dtype=pl.Int64)
    return codes.fill_null(known.len()).to_numpy().astype(np.intp)


def _ranks(codes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Answer for each place how many of its code stand before it."""
    order = np.argsort(codes, kind="stable")
    held = codes[order]
    starts = np.flatnonzero(np.r_[True, held[1:] != held[:-1]])
    lengths = np.diff(np.r_[starts, len(held)])
    ranks = np.empty(len(codes), dtype=np.intp)
    ranks[order] = np.arange(len(codes)) - np.repeat(starts, lengths)
    return ranks


def _by_group(values: pl.Series, share: float, seed: int) -> NDArray[np.bool_]:
    _refuse_gaps(values, "group")
    codes = _codes(values)
    sizes = np.bincount(codes)
    if len(sizes) < 2:
        text = "all rows are of one group, which cannot be on both sides"
        raise DataError([Problem(text, column=values.name, value=values[0])])
    wanted = _wanted(len(codes), share)
    order = np.random.default_rng(seed).permutation(len(sizes))
    taken: list[int] = []
    held = 0
    for code in order.tolist():
        nearer = abs(held + sizes[code] - wanted) < abs(held - wanted)
        if nearer and len(taken) < len(sizes) - 1:
            taken.append(code)
            held += int(sizes[code])
    return np.isin(codes, taken or [int(np.argmin(sizes))])


def _by_time(frame: pl.DataFrame, name: str, share: float) -> NDArray[np.bool_]:
    values = _instants(frame, name)
    ordered = values.sort()
    rows = values.len()
    place = rows - _wanted(rows, share)
    at = ordered[place]
    first, after = int((ordered < at).sum()), int((ordered <= at).sum())
    starts = [start for start in (first, after) if 0 < start < rows]
    if not starts:
        text = "all rows are of the same instant, so that no later ones can validate"
        raise DataError([Problem(text, column=name, value=frame[name][0])])
    cut = min(starts, key=lambda start: abs(start - place))
    latest: NDArray[np.bool_] = (values >= ordered[cut]).to_numpy()
    return latest


def _instants(frame: pl.DataFrame, name: str) -> pl.Series:
    """Answer a column that orders the rows; text must be dates."""
    values = frame[name]
    if values.dtype in (pl.String, pl.Categorical, pl.Enum):
        text = frame.lazy().select(pl.col(name).cast(pl.String))
        schema = infer_schema(text, kinds={name: "datetime"})
        values = conform(text, schema).collect()[name]
    if not (values.dtype.is_numeric() or values.dtype.is_temporal()):
        hint = "Give a column of dates or numbers"
        raise DataError([Problem(f"dtype {values.dtype} has no order in time", name, hint=hint)])
    _refuse_gaps(values, "time")
    return values


def _refuse_gaps(values: pl.Series, what: str) -> None:
    gaps = values.is_null()
    if values.dtype.is_float():
        gaps |= values.is_nan().fill_null(value=False)
    if values.dtype == pl.String:
        gaps |= (values == "").fill_null(value=False)
    if values.dtype == pl.Int64 and what == "time":
        gaps |= (values == MISSING_TIME).fill_null(value=False)
    if gaps.any():
        count = int(gaps.sum())
        text = f"{count:,} rows have no {what}, so that nothing says on which side they may be"
        hint = "Drop them or fill the column"
        row = int(gaps.arg_max() or 0)
        raise DataError([Problem(text, column=values.name, row=row, hint=hint)])


def _given(given: Any, rows: int) -> NDArray[np.bool_]:
    chosen = np.asarray(given)
    if chosen.shape != (rows,) or chosen.dtype != np.bool_:
        text = f"given must hold one truth value for each of the {rows:,} rows"
        hint = f"Received shape {chosen.shape} of dtype {chosen.dtype}"
        raise DataError([Problem(text, hint=hint)])
    if chosen.all() or not chosen.any():
        side = "training" if chosen.all() else "validation"
        raise DataError([Problem(f"given leaves no row for {side}")])
    return chosen
