"""How long a trained pipeline takes to answer: its ONNX graph, asked by ONNX Runtime."""

from __future__ import annotations

import statistics
import time as clock
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import ReleaseError, SettingError

if TYPE_CHECKING:
    import polars as pl

    from headrace.train.fitted import Fitted

__all__ = ["BATCH", "Latency", "latency"]

BATCH = 1_000
"""Rows of the batch whose time is measured."""

_SECONDS = 0.15
"""For each of the two, after a first answer that does not count."""

_MOST_CALLS = 300


@dataclass(frozen=True)
class Latency:
    """How long a graph takes to answer, in milliseconds: medians of many calls on one thread.

    Attributes:
        row: One row.
        batch: 1,000 rows together.
    """

    row: float
    batch: float


def latency(fitted: Fitted, canonical: pl.DataFrame) -> Latency:
    """Measure the whole pipeline, raw rows in and answers out, as a release would serve it.

    Args:
        fitted: The pipeline.
        canonical: Rows to ask about; repeated where there are fewer than 1,000.

    Raises:
        SettingError: The pipeline has no graph, such as one with a free Python step.
    """
    from headrace.data.conform import to_blocks
    from headrace.deploy.export import onnx_of
    from headrace.deploy.graph import graph_of
    from headrace.deploy.session import feed_of, open_session

    try:
        session = open_session(onnx_of(graph_of(fitted)))
    except ReleaseError as error:
        raise SettingError(
            f"the latency is that of the ONNX graph, and there is none: {error}"
        ) from error
    places = np.arange(BATCH) % canonical.height
    feed = feed_of(session, to_blocks(canonical, fitted.schema))
    batch = {name: block[places] for name, block in feed.items()}
    row = {name: block[:1] for name, block in batch.items()}
    return Latency(_milliseconds(session, row), _milliseconds(session, batch))


def _milliseconds(session: Any, feed: dict[str, Any]) -> float:
    session.run(None, feed)
    taken: list[float] = []
    end = clock.perf_counter() + _SECONDS
    while len(taken) < 5 or (clock.perf_counter() < end and len(taken) < _MOST_CALLS):
        began = clock.perf_counter()
        session.run(None, feed)
        taken.append(clock.perf_counter() - began)
    return 1000 * statistics.median(taken)
