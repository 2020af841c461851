"""The time of an answer, measured on the graph that would be served."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import headrace as hr
from headrace.errors import SettingError
from headrace.tune import latency as module
from headrace.tune.latency import latency

if TYPE_CHECKING:
    import polars as pl


def test_the_whole_pipeline_is_asked(
    trained: hr.Pipeline, fresh: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, int]] = []
    answers = []

    def once(session: object, feed: dict[str, np.ndarray]) -> float:
        asked.append({name: len(block) for name, block in feed.items()})
        answers.append(session.run(None, feed)[0])
        return float(len(asked))

    monkeypatch.setattr(module, "_milliseconds", once)
    fitted = trained.fitted
    found = latency(fitted, fitted.conform(fresh))
    assert (found.row, found.batch) == (1.0, 2.0)
    blocks = ("numbers", "strings", "times")
    assert asked == [dict.fromkeys(blocks, 1), dict.fromkeys(blocks, 1000)]
    expected = trained.predict_proba(fresh)
    np.testing.assert_allclose(answers[1][:300], expected, atol=1e-5)
    np.testing.assert_array_equal(answers[1][300:600], answers[1][:300])  # rows are repeated


def test_many_answers_are_waited_for() -> None:
    class Session:
        calls = 0

        def run(self, names: None, feed: dict[str, int]) -> None:
            self.calls += 1

    session = Session()
    assert module._milliseconds(session, {}) >= 0
    assert session.calls == module._MOST_CALLS + 1


def test_a_pipeline_without_a_graph_has_no_latency(fresh: pl.DataFrame) -> None:
    class Doubled(hr.PythonTransformer):
        def transform(self, frame: pl.DataFrame) -> pl.DataFrame:
            return frame.with_columns(frame["hours"] * 2)

    rows = fresh.select("hours", "rich")
    network = hr.Network("linear", epochs=1, embedding=None)
    pipe = hr.Pipeline([Doubled(), network], target="rich")
    pipe.train(rows)
    with pytest.raises(SettingError, match="free Python step has no graph"):
        latency(pipe.fitted, pipe.fitted.conform(rows))
