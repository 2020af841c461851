"""Every statistic gives the same answer however the rows are split."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass, replace
from functools import reduce
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import headrace.plan
from headrace.partitions.message import pack, unpack
from headrace.plan.arithmetic import Affine
from headrace.plan.counts import FOLD, TARGET, TargetMeans, ValueCounts, target_column
from headrace.plan.sample import RowSample
from headrace.plan.statistic import (
    BlockStatistic,
    Count,
    Covariance,
    Extremes,
    Mean,
    Missing,
    Moments,
    Quantiles,
    Statistic,
    Variance,
    learn,
    observe,
)
from headrace.plan.values import Made, Mode, Varies
from headrace.preprocessing.partial import statistic_from_dict, statistic_to_dict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

NAN = float("nan")
WORDS = ["", "a", "b", "é", "日本語", "a "]


@dataclass(frozen=True)
class Example:
    """A statistic, the columns it learns from, and how two answers are compared."""

    statistic: Statistic | BlockStatistic
    columns: str | Sequence[str] = "x"
    plain: Callable[[Any], Any] = np.asarray


def counts(value: Any) -> Any:
    return (value.values, value.counts.tolist(), value.missing, value.other)


def target_table(value: Any) -> Any:
    order = np.argsort(value.values)
    return [np.array(value.values)[order].tolist(), value.sums[:, order], value.counts[order]]


def sample(value: Any) -> Any:
    rows = value.rows[np.lexsort(value.rows.T)] if len(value.rows) else value.rows.reshape(0, 2)
    return [rows, value.count, value.missing]


EXAMPLES = [
    Example(Count()),
    Example(Missing()),
    Example(Mean()),
    Example(Variance()),
    Example(Moments()),
    Example(Extremes()),
    Example(Mode()),
    Example(Made(Affine([2.0], [1.0]), Mean())),
    Example(Varies(), plain=lambda v: (v.varies, repr(v.value))),
    Example(Varies(), "w", plain=lambda v: (v.varies, repr(v.value))),
    Example(ValueCounts(), "w", plain=counts),
    Example(ValueCounts(cap=2), "w", plain=counts),
    Example(TargetMeans(3), "w", plain=target_table),
    Example(Covariance(), ("x", "y")),
    Example(RowSample(), ("x", "y"), plain=sample),
    Example(RowSample(cap=3), ("i", "y"), plain=sample),
]


def classes(base: type) -> Iterator[type]:
    for found in base.__subclasses__():
        yield found
        yield from classes(found)


def test_every_statistic_has_an_example() -> None:
    for module in pkgutil.iter_modules(headrace.plan.__path__):
        import_module(f"headrace.plan.{module.name}")
    ours = {
        found
        for base in (Statistic, BlockStatistic)
        for found in classes(base)
        if found.__module__.startswith("headrace.plan")
    }
    assert ours - {type(example.statistic) for example in EXAMPLES} == {Quantiles}  # see below


numbers = st.one_of(
    st.just(NAN),
    st.floats(-1e6, 1e6).map(lambda x: round(x, 3)),
    st.sampled_from([0.0, 1.0, -1.0, 1e12, -1e12]),
)
rows = st.lists(st.tuples(numbers, numbers, st.sampled_from(WORDS), numbers), max_size=30)


def frame_of(drawn: list[tuple[float, float, str, float]]) -> pl.DataFrame:
    columns = list(zip(*drawn, strict=True)) or [(), (), (), ()]
    x, y, w, target = (list(column) for column in columns)
    targets = [0.0 if np.isnan(t) else t for t in target]
    return pl.DataFrame(
        {
            "x": pl.Series(x, dtype=pl.Float64),
            "y": pl.Series(y, dtype=pl.Float64),
            "i": pl.Series(range(len(x)), dtype=pl.Int64).cast(pl.Float64),
            "w": pl.Series(w, dtype=pl.String),
            FOLD: pl.Series([place % 3 for place in range(len(x))], dtype=pl.Int32),
            TARGET: pl.Series(targets, dtype=pl.Float64),
        }
    )


def state(example: Example, chunk: pl.DataFrame) -> Any:
    names = [example.columns] if isinstance(example.columns, str) else example.columns
    return example.statistic.start(observe(chunk, [(example.statistic, names)])[0])


def same(left: Any, right: Any) -> bool:
    if isinstance(left, tuple | list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, np.ndarray) and left.dtype.kind == "f":
        # Sums in another order differ by rounding, in proportion to the largest number.
        near = np.isclose(left, right, rtol=1e-9, atol=1e-3, equal_nan=True)
        return left.shape == right.shape and bool(np.all(near))
    return bool(np.array_equal(left, right))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: repr(e.statistic)[:40])
@settings(max_examples=40, deadline=None)
@given(drawn=rows, cuts=st.lists(st.integers(0, 30), max_size=4), seed=st.integers(0, 99))
def test_any_split_gives_the_same_answer(
    example: Example, drawn: list[Any], cuts: list[int], seed: int
) -> None:
    frame, statistic = frame_of(drawn), example.statistic
    edges = [0, *sorted(min(cut, frame.height) for cut in cuts), frame.height]
    chunks = [frame[a:b] for a, b in pairwise(edges)]
    states = [state(example, chunk) for chunk in chunks]

    whole = example.plain(learn(frame, example.columns, statistic))
    if isinstance(statistic, RowSample) and frame.height > statistic.cap:
        whole = example.plain(statistic.finish(state(example, frame)))  # the sample, not all rows
    one_by_one = example.plain(statistic.finish(reduce(statistic.merge, states)))
    assert same(whole, one_by_one)

    states = [state(example, chunk) for chunk in chunks]
    if not isinstance(statistic, Varies):  # its first value is that of the first chunk
        np.random.default_rng(seed).shuffle(states)
    while len(states) > 1:  # as a tree, and in another order
        states = [
            reduce(statistic.merge, states[place : place + 2]) for place in range(0, len(states), 2)
        ]
    assert same(whole, example.plain(statistic.finish(states[0])))


@pytest.mark.parametrize(
    "example", [*EXAMPLES, Example(Quantiles(k=2))], ids=lambda e: repr(e.statistic)[:40]
)
@settings(max_examples=40, deadline=None)
@given(drawn=rows, cut=st.integers(0, 30))
def test_states_that_have_travelled_give_the_same_answer_to_the_bit(
    example: Example, drawn: list[Any], cut: int
) -> None:
    frame = frame_of(drawn)
    chunks = [frame[:cut], frame[cut:]]
    here = reduce(example.statistic.merge, [state(example, chunk) for chunk in chunks])
    # The workers have been told of the statistic, and their states have come back.
    told = statistic_from_dict(unpack(pack(statistic_to_dict(example.statistic))))
    assert told == example.statistic
    elsewhere = replace(example, statistic=told)
    states = [unpack(pack(state(elsewhere, chunk))) for chunk in chunks]
    there = reduce(example.statistic.merge, states)
    found, expected = (example.plain(example.statistic.finish(s)) for s in (there, here))
    assert exactly_the_same(found, expected)


def exactly_the_same(left: Any, right: Any) -> bool:
    if isinstance(left, tuple | list):
        return len(left) == len(right) and all(map(exactly_the_same, left, right))
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and left.tobytes() == right.tobytes()
    return type(left) is type(right) and repr(left) == repr(right)


def test_of_several_classes_each_has_its_own_target() -> None:
    frame = pl.DataFrame({"w": ["a", "a", "b"], FOLD: [0, 1, 0], TARGET: [0.0, 2.0, 1.0]})
    for place in range(3):
        frame = frame.with_columns(
            (pl.col(TARGET) == place).cast(pl.Float64).alias(target_column(place))
        )
    table = learn(frame, "w", TargetMeans(2))
    assert table.values == ("a", "b")
    assert table.means(0.0).tolist() == [[0.5, 0.0], [0.0, 1.0], [0.5, 0.0]]


LEVELS = (0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0)


@pytest.mark.parametrize("split", [1, 3, 40])
@pytest.mark.parametrize("k", [400, 4000])
def test_sketched_quantiles_keep_to_their_stated_error(split: int, k: int) -> None:
    values = np.random.default_rng(split).lognormal(0, 2, 60_000)
    values[::7] = NAN
    statistic = Quantiles(LEVELS, k=k)
    chunks = [pl.DataFrame({"x": part}) for part in np.array_split(values, split)]
    found = learn(iter(chunks), "x", statistic)
    present = np.sort(values[~np.isnan(values)])
    ranks = np.searchsorted(present, found) / len(present)
    stated = 0.0067 * 400 / k * 2  # for all levels at once, twice that of a single one
    assert np.abs(ranks - LEVELS).max() <= stated
    assert found[0] == present[0]
    assert found[-1] == present[-1]


@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize("levels", [LEVELS, tuple(np.linspace(0, 1, 101).tolist())])
def test_quantiles_of_a_whole_table_are_exact(linear: bool, levels: tuple[float, ...]) -> None:
    values = np.random.default_rng(0).normal(size=997)
    frame = pl.DataFrame({"x": np.concatenate([values, [NAN] * 13])})
    found = learn(frame, "x", replace(Quantiles(levels), linear=linear))
    method = "linear" if linear else "inverted_cdf"
    assert found == pytest.approx(np.quantile(values, levels, method=method), abs=1e-12)


def test_quantiles_of_nothing_are_missing() -> None:
    frame = pl.DataFrame({"x": [NAN, NAN]})
    for statistic in (Quantiles((0.5,)), Quantiles(tuple(np.linspace(0, 1, 30).tolist()))):
        assert np.isnan(learn(frame, "x", statistic)).all()
        assert np.isnan(learn([frame, frame], "x", statistic)).all()
