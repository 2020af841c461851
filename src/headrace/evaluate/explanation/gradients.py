"""Integrated gradients through the Keras model, mapped back to the raw columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from headrace.errors import SettingError
from headrace.model.backend import tensorflow
from headrace.model.split import split_model
from headrace.plan.features import Features
from headrace.plan.plan import Node

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from headrace.evaluate.explanation.question import Question
    from headrace.model.split import SplitModel
    from headrace.plan.features import FeatureSpec
    from headrace.plan.plan import Plan

__all__ = ["Path", "integrate", "sources"]

_POINTS = 8192
"""Points of all paths that go through the network at once, at most."""

_TRIALS = 256
"""Values of a column that are tried to find where it goes; all codes of a one-hot column."""


class Path(NamedTuple):
    """What the features add on the way from the baselines to the rows.

    Attributes:
        values: (rows, features), numbers first, then categories.
        base: (rows,), the mean answer of the baselines.
        steps: The most steps that a path needed.
    """

    values: NDArray[np.float64]
    base: NDArray[np.float64]
    steps: int


def integrate(
    question: Question,
    rows: pl.DataFrame,
    baselines: pl.DataFrame,
    *,
    steps: int,
    most_steps: int,
    tolerance: float,
) -> Path:
    """Integrate the gradient along straight lines from each baseline to each row.

    Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks" (2017); the mean over
    several baselines is that of Erion et al. (2021). The line is straight behind the embeddings:
    each column moves from the baseline's vector (numbers as they are or embedded, zeros and ones
    or trained vectors of categories) to that of the row. The rows
    whose contributions miss the change of the answer by more than the tolerance are integrated
    again with four times the steps.

    Args:
        question: What is explained.
        rows: Canonical rows.
        baselines: Canonical rows, all of which each row is compared with.
        steps: Steps of a path at first.
        most_steps: Steps of a path at most.
        tolerance: The gap that is allowed, as a share of the spread of all answers.

    Raises:
        SettingError: The network has no gradient that can be followed.
    """
    fitted = question.fitted
    ours, theirs = fitted.features(rows), fitted.features(baselines)
    answer, before = question.score(rows), question.score(baselines)
    walk = _Walk(question)
    values = np.zeros((len(ours), ours.numbers.shape[1] + ours.categories.shape[1]))
    allowed = tolerance * max(float(np.ptp(np.concatenate([answer, before]))), 1e-12)
    left, used = np.arange(len(ours)), steps
    while True:
        values[left] = walk.mean(ours.take(left), theirs, steps)
        used = steps
        missed = np.abs(values[left].sum(axis=1) - (answer[left] - before.mean()))
        left = left[missed > allowed]
        if not len(left) or steps * 4 > most_steps:
            return Path(values, np.full(len(ours), before.mean()), used)
        steps *= 4


class _Walk:
    """The compiled function, and how rows are handed to it."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.parts = split_model(question.fitted.network.model)
        self.owners = _owners(self.parts, question.fitted.network.feature_spec)
        self.compiled = tensorflow().function(self._step, autograph=False, reduce_retracing=True)

    def mean(self, ours: Features, theirs: Features, steps: int) -> NDArray[np.float64]:
        """Answer the mean over the baselines, (rows, features)."""
        rows, count = len(ours), len(theirs)
        ends, starts = self._vectors(ours), self._vectors(theirs)
        _check_owned(ends, starts, self.owners)
        tf, pairs = tensorflow(), rows * count
        size = min(pairs, max(1, _POINTS // steps))
        alphas = tf.constant((np.arange(steps, dtype=np.float32) + 0.5) / steps)
        found = []
        for first in range(0, pairs, size):
            # The last chunk is filled up, so that one compiled function serves all.
            places = np.minimum(np.arange(first, first + size), pairs - 1)
            start, end = tf.constant(starts[places % count]), tf.constant(ends[places // count])
            added = self.compiled(start, end, alphas).numpy()[: pairs - first]
            found.append(added.astype(np.float64) @ self.owners.T)
        mean: NDArray[np.float64] = np.concatenate(found).reshape(rows, count, -1).mean(axis=1)
        return mean

    def _vectors(self, features: Features) -> NDArray[np.float32]:
        parts = [
            self.parts.head(_blocks(features.take(slice(first, first + _POINTS))))
            for first in range(0, len(features), _POINTS)
        ]
        return np.concatenate([np.asarray(part) for part in parts])

    def _step(self, start: Any, end: Any, alphas: Any) -> Any:
        """Answer the mean gradient along each pair's path, times the change, (pairs, width)."""
        tf = tensorflow()
        width = self.parts.width
        change = end - start
        points = tf.reshape(start[:, None] + alphas[:, None] * change[:, None], (-1, width))
        with tf.GradientTape() as tape:
            tape.watch(points)
            output = self.question.fitted.network.finished(self.parts.body(points))
            answer = self.question.tensorflow(output)
        slopes = tape.gradient(answer, points, unconnected_gradients="zero")
        mean = tf.reduce_mean(tf.reshape(slopes, (-1, tf.shape(alphas)[0], width)), axis=1)
        return mean * change


def _blocks(features: Features) -> dict[str, Any]:
    tf = tensorflow()
    return {
        "numbers": tf.constant(np.asarray(features.numbers, np.float32)),
        "categories": tf.constant(np.asarray(features.categories, np.int32)),
    }


def _owners(parts: SplitModel, spec: FeatureSpec) -> NDArray[np.float64]:
    """Find by trial which feature each number of the vectors comes from, (features, width).

    Raises:
        SettingError: One comes from several features.
    """
    random = np.random.default_rng(0)
    count, codes = len(spec.numbers), len(spec.categories)
    found = np.zeros((count + codes, parts.width), dtype=bool)
    first = Features(
        random.normal(size=(1, count)).astype(np.float32), np.zeros((1, codes), dtype=np.int32)
    )
    before = np.asarray(parts.head(_blocks(first)))
    for place in range(count):
        tried = first.take(np.zeros(_TRIALS, dtype=np.intp))
        tried.numbers[:, place] = random.normal(size=_TRIALS) * 3
        found[place] = (np.asarray(parts.head(_blocks(tried))) != before).any(axis=0)
    for place, size in enumerate(spec.cardinalities):
        values = random.permutation(size)[:_TRIALS]
        tried = first.take(np.zeros(len(values), dtype=np.intp))
        tried.categories[:, place] = values
        found[count + place] = (np.asarray(parts.head(_blocks(tried))) != before).any(axis=0)
    if (found.sum(axis=0) > 1).any():
        names = [*spec.numbers, *spec.categories]
        mixed = [names[n] for n in np.flatnonzero(found[:, found.sum(axis=0) > 1].any(axis=1))]
        raise SettingError(
            f"the network mixes {', '.join(mixed[:5])} before it turns them into vectors, so their "
            'gradients cannot be told apart: use method="shapley"'
        )
    return found.astype(np.float64)


def _check_owned(
    ends: NDArray[np.float32], starts: NDArray[np.float32], owners: NDArray[np.float64]
) -> None:
    free = owners.sum(axis=0) == 0
    both = np.concatenate([ends, starts])[:, free]
    if both.size and np.ptp(both, axis=0).max() > 0:
        raise SettingError(
            "the network's embeddings hold numbers of which no trial showed the column: use "
            'method="shapley"'
        )


def sources(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Answer for each of the plan's last columns the raw columns that it depends on.

    Raises:
        SettingError: A free Python step is in the plan, whose inputs nobody knows.
    """
    known: dict[str, frozenset[str]] = {info.name: frozenset({info.name}) for info in plan.inputs}
    for node in plan.nodes:
        if not isinstance(node, Node):
            raise SettingError(
                f"the step {node.name} is free Python, and it cannot be known which columns it "
                'reads: use method="shapley"'
            )
        known |= {
            name: frozenset[str]().union(*(known[one] for one in node.needs({name})))
            for name in node.outputs
        }
    order = [info.name for info in plan.inputs]
    return {
        info.name: tuple(name for name in order if name in known[info.name])
        for info in plan.outputs
    }
