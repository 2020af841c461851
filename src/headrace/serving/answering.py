"""Answering: rows from outside through one release, with the adjustments that are in force."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.data.rows import RowDoor
from headrace.deploy.body import Refusal
from headrace.deploy.runtime import by_row
from headrace.model.predicted import interval_notes
from headrace.model.targets import Targets
from headrace.serving.attribution import Explainer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headrace.data.rows import Blocks
    from headrace.deploy.runtime import Runtime
    from headrace.serving.adjustments import Adjustments
    from headrace.serving.asking import Asked

__all__ = ["Answerer"]

_MOST_EXPLAINED = 100


class Answerer:
    """One release that answers.

    Args:
        runtime: The release.
        adjustments: What is changed of its answers.
    """

    def __init__(self, runtime: Runtime, adjustments: Adjustments) -> None:
        """Prepare the parts of an answer that never change.

        Raises:
            Refusal: An adjustment does not fit the task.
        """
        self.runtime = runtime
        self.version = runtime.version
        self.adjustments = adjustments
        self.explainer = Explainer(runtime)
        self._binary = runtime.task == "binary"
        if not self._binary and (adjustments.threshold or adjustments.recalibrate):
            raise Refusal(422, f"a threshold needs two classes; the task is {runtime.task}")
        self._known = frozenset(runtime.schema.names)
        self._door = lru_cache(maxsize=64)(self._make_door)

    def answer(self, asked: Asked) -> dict[str, Any]:
        """Answer all that a request asks.

        Raises:
            DataError: Every value that does not fit and every column that is absent.
            Refusal: Something is asked for that the release does not know.
        """
        self.check(asked)
        blocks, ignored = self.read(asked.rows)
        return self.says(asked, blocks, self.runtime.answers(blocks), ignored)

    def check(self, asked: Asked) -> None:
        """Refuse what the release cannot answer."""
        if asked.interval is not None and not self.runtime.conformal:
            raise Refusal(422, f"the release {self.version} has no calibrated intervals")
        if asked.explain:
            self.explainer.check()
            if len(asked.rows) > _MOST_EXPLAINED:
                raise Refusal(
                    413, f"{len(asked.rows)} rows; at most {_MOST_EXPLAINED} are explained at once"
                )

    def read(self, rows: Sequence[Any]) -> tuple[Blocks, tuple[str, ...]]:
        """Answer rows as blocks, and the names of their columns that the release does not know."""
        unknown = self._unknown(rows)
        return self._door(unknown)(rows), unknown

    def says(
        self,
        asked: Asked,
        blocks: Blocks,
        answers: dict[str, NDArray[Any]],
        ignored: tuple[str, ...] = (),
    ) -> dict[str, Any]:
        """Answer what the graph answered, in the words of the interface."""
        says: dict[str, Any] = {"version": self.version, **self._predictions(answers)}
        if not asked.probabilities:
            says.pop("probabilities", None)
            says.pop("classes", None)
        if asked.interval is not None:
            says["interval"] = self._interval(answers, blocks, asked.interval)
        if asked.explain:
            says["explanations"] = [
                self.explainer.explain(blocks, row).to_dict() for row in range(len(asked.rows))
            ]
        if ignored:
            says["ignored"] = ignored
        if self._binary and (
            self.adjustments.threshold is not None or self.adjustments.recalibrate
        ):
            says["adjusted"] = True
        return says

    def fallback(self, rows: int) -> dict[str, Any]:
        """Answer the fallback for every row.

        Raises:
            Refusal: There is none.
        """
        if self.adjustments.fallback is None:
            raise Refusal(503, "the model is switched off")
        return {
            "version": self.version,
            "predictions": [self.adjustments.fallback] * rows,
            "fallback": True,
        }

    def _predictions(self, answers: dict[str, NDArray[Any]]) -> dict[str, Any]:
        """Answer the predictions, and what is known of their spread."""
        runtime = self.runtime
        if isinstance(runtime.target, Targets):
            return {"predictions": by_row(runtime.target.decode_answers(answers))} | _spread(
                runtime, answers
            )
        output = answers[runtime.answer_names[0]]
        if self._binary:
            return self._of_two_classes(output)
        says: dict[str, Any] = {"predictions": runtime.decode(output).tolist()}
        if runtime.classes:
            return says | {"probabilities": output.tolist(), "classes": runtime.classes}
        return says | (_spread(runtime, answers) if len(answers) > 1 else {})

    def _of_two_classes(self, output: NDArray[Any]) -> dict[str, Any]:
        changed, classes = self.adjustments, self.runtime.classes
        if changed.recalibrate:
            output = _recalibrated(output, *changed.recalibrate)
        if changed.threshold is None:
            labels = self.runtime.decode(output).tolist()
        else:
            labels = [classes[int(p >= changed.threshold)] for p in output[:, 1].tolist()]
        return {"predictions": labels, "probabilities": output.tolist(), "classes": classes}

    def _interval(
        self, answers: dict[str, NDArray[Any]], blocks: Blocks, level: float
    ) -> dict[str, Any]:
        """Answer intervals or sets as columns; an end that is not there is null."""
        runtime = self.runtime
        ends = runtime.ends(answers, level, blocks).items()
        says = {"level": level} | {name: _plain_column(column) for name, column in ends}
        notes = interval_notes(runtime.conformal, runtime.target, level)
        return says | ({"notes": notes} if notes else {})

    def _unknown(self, rows: Sequence[Any]) -> tuple[str, ...]:
        """Answer the columns that the schema does not know; the answer names them."""
        known = self._known
        found: set[str] = set()
        for row in rows:
            if isinstance(row, dict) and not row.keys() <= known:
                found |= row.keys() - known
        return tuple(sorted(found)) if found else ()

    def _make_door(self, unknown: tuple[str, ...]) -> RowDoor:
        # A door that knows them already does not warn: the answer does.
        return RowDoor(self.runtime.schema, ignore=unknown) if unknown else self.runtime.door


def _recalibrated(output: NDArray[Any], slope: float, shift: float) -> NDArray[Any]:
    second = np.clip(output[:, 1].astype(np.float64), 1e-7, 1 - 1e-7)
    odds = slope * np.log(second / (1 - second)) + shift
    second = 1 / (1 + np.exp(-odds))
    return np.stack([1 - second, second], axis=1)


def _plain_column(column: Any) -> list[Any]:
    return column if isinstance(column, list) else column.tolist()


def _spread(runtime: Runtime, answers: dict[str, Any]) -> dict[str, Any]:
    columns = runtime.distribution(answers)
    return {"distribution": {name: column.tolist() for name, column in columns.items()}}
