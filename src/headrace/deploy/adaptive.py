"""Intervals for a stream of rows that drifts, whose labels come late."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.conformal.adaptive import AdaptiveReach
from headrace.conformal.learning import score_rows
from headrace.conformal.settings import check_level
from headrace.deploy.runtime import as_rows
from headrace.errors import DataError, Problem, ReleaseError, SettingError
from headrace.model.targets import Targets
from headrace.storage.documents import canonical_json, strict_json
from headrace.storage.files import write_file

if TYPE_CHECKING:
    import os
    from collections.abc import Hashable, Mapping, Sequence

    from numpy.typing import NDArray

    from headrace.conformal.fitted import FittedConformal
    from headrace.data.rows import Blocks
    from headrace.data.schema import Schema
    from headrace.deploy.runtime import Runtime
    from headrace.model.target import TargetSpec
    from headrace.pipeline import Pipeline

__all__ = ["AdaptiveIntervals"]

_FORMAT = 1


@dataclass(frozen=True, eq=False)
class _Pending:
    """A row that was answered and whose label has not come yet.

    Attributes:
        answers: What the network answered, one row.
        lot: The row's lot, (1,); None where none decides.
        code: The number of its group; -1 for none.
        reach: How far its interval reached, (classes or 1,).
    """

    answers: dict[str, NDArray[Any]]
    lot: NDArray[np.float64] | None
    code: int
    reach: NDArray[np.float64]


class AdaptiveIntervals:
    """Intervals or sets that go with the times: they learn from labels as these come in.

    `predict` answers rows with the reach of the moment; `learn` is told the truth of some of them,
    late and in any order, and corrects the reach (adaptive conformal inference, see
    `headrace.conformal.adaptive`). Over a long time the share of rows whose truth was inside comes
    to the level, even where the rows drift and a calibration of the past does not hold any more.

    Args:
        model: A calibrated `hr.Pipeline`, or an `hr.Runtime` of a release with intervals.
        interval: How often the truth shall be inside.
        rate: How far one miss moves the level: larger follows faster and swings more.
        window: How many of the newest labelled rows the reach is read from.
        most_pending: How many rows may wait for their label; the oldest are then forgotten.

    Attributes:
        labels: How many labels came in.
        inside: Of how many of them the interval that was given held the truth.
        forgotten: How many rows were given up waiting for.

    Raises:
        SettingError: Nothing has calibrated the model's intervals, it has several targets, or a
            setting cannot be used.

    Example:
        >>> import headrace as hr
        >>> rows = {"x": [float(x % 50) for x in range(300)]}
        >>> rows["y"] = [2 * x for x in rows["x"]]
        >>> pipe = hr.Pipeline([hr.Network("linear", epochs=2)], target="y")
        >>> _ = pipe.train(rows)
        >>> _ = pipe.calibrate(rows)
        >>> live = AdaptiveIntervals(pipe, 0.9)
        >>> answer = live.predict([{"x": 3.0}], keys=["a"])
        >>> list(answer)
        ['prediction', 'low', 'high']
        >>> live.learn(["a"], [6.0])
        1
    """

    def __init__(
        self,
        model: Pipeline | Runtime,
        interval: float = 0.9,
        *,
        rate: float = 0.02,
        window: int = 1000,
        most_pending: int = 100_000,
    ) -> None:
        """Start from the calibration of the model."""
        self._model = _Model.of(model)
        self.interval = check_level(interval)
        self.rate = rate
        self.window = window
        self.most_pending = most_pending
        self.labels = 0
        self.inside = 0
        self.forgotten = 0
        conformal, spec = self._model.conformal, self._model.spec
        table = conformal.table(spec, self.interval)
        self._reaches = [
            [AdaptiveReach.of(one, self.interval, rate=rate, window=window) for one in row]
            for row in table
        ]
        self._pending: dict[Hashable, _Pending] = {}

    @property
    def coverage(self) -> float:
        """The share of labelled rows whose interval held the truth; NaN before the first label."""
        return self.inside / self.labels if self.labels else math.nan

    @property
    def pending(self) -> int:
        """How many rows wait for their label."""
        return len(self._pending)

    def predict(self, rows: object, keys: Sequence[Hashable] | None = None) -> dict[str, Any]:
        """Answer rows with the intervals or sets of the moment.

        Args:
            rows: A list of dicts, one dict, or a pandas or Polars frame.
            keys: A name for each row, under which its label comes later; None for rows whose
                label never comes.

        Returns:
            Columns as `hr.Runtime.predict(rows, interval=...)` answers them.

        Raises:
            DataError: The rows do not fit, or there are more or fewer keys than rows.
        """
        found = as_rows(rows)
        if keys is not None and len(keys) != len(found):
            raise DataError([Problem(f"{len(found)} rows came with {len(keys)} keys")])
        model = self._model
        blocks = model.door(found)
        answers = model.answers(blocks)
        codes = model.conformal.codes(len(found), model.schema, blocks)
        reach, lot = self._now()[codes], model.conformal.lot(model.schema, blocks)
        for place, key in enumerate(keys or ()):
            one = slice(place, place + 1)
            self._remember(
                key,
                _Pending(
                    {name: np.array(values[one]) for name, values in answers.items()},
                    None if lot is None else np.array(lot[one]),
                    int(codes[place]),
                    np.array(reach[place]),
                ),
            )
        said = model.conformal.within(model.spec, answers, self.interval, reach, lot)
        return said.columns()

    def learn(self, keys: Sequence[Hashable], labels: Sequence[Any]) -> int:
        """Take the labels of rows that were answered.

        Args:
            keys: The names that the rows were given.
            labels: Their labels or values.

        Returns:
            How many of them were waited for; other keys are ignored.

        Raises:
            DataError: There are more or fewer labels than keys, or a label is none of the classes.
        """
        if len(keys) != len(labels):
            raise DataError([Problem(f"{len(keys)} keys came with {len(labels)} labels")])
        truths = self._model.truth(labels)
        taken = 0
        for key, truth in zip(keys, truths, strict=True):
            row = self._pending.pop(key, None)
            if row is not None:
                self._learn(row, truth)
                taken += 1
        return taken

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write what was learnt to a JSON file; rows that wait for their label are not kept."""
        stored = {
            "format": _FORMAT,
            "interval": self.interval,
            "rate": self.rate,
            "window": self.window,
            "counts": [self.labels, self.inside, self.forgotten + self.pending],
            "reaches": [[one.to_dict() for one in row] for row in self._reaches],
        }
        write_file(Path(path), canonical_json(stored))

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], model: Pipeline | Runtime, *, most_pending: int = 100_000
    ) -> AdaptiveIntervals:
        """Go on from what `save` wrote, with the same model.

        Raises:
            ReleaseError: The file is another, or belongs to a model with other groups.
        """
        try:
            stored = strict_json(Path(path).read_bytes())
            rate, window = float(stored["rate"]), int(stored["window"])
            again = cls(
                model, stored["interval"], rate=rate, window=window, most_pending=most_pending
            )
            again.labels, again.inside, again.forgotten = (int(one) for one in stored["counts"])
            reaches = [
                [
                    AdaptiveReach.from_dict(one, again.interval, rate=rate, window=window)
                    for one in row
                ]
                for row in stored["reaches"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise ReleaseError(f"{path} does not hold adaptive intervals: {error!r}") from error
        if [len(row) for row in reaches] != [len(row) for row in again._reaches]:
            raise ReleaseError(f"{path} belongs to a model whose intervals have other groups")
        again._reaches = reaches
        return again

    def _now(self) -> NDArray[np.float64]:
        return np.array([[one.reach for one in row] for row in self._reaches])

    def _remember(self, key: Hashable, row: _Pending) -> None:
        self._pending.pop(key, None)
        self._pending[key] = row
        if len(self._pending) > self.most_pending:
            self._pending.pop(next(iter(self._pending)))
            self.forgotten += 1

    def _learn(self, row: _Pending, truth: Any) -> None:
        model = self._model
        value = np.array([truth])
        scores = score_rows(model.conformal.settings, model.spec, row.answers, value, row.lot)
        score = float(scores[model.conformal.variant(model.spec, self.interval), 0])
        column = int(truth) if model.conformal.by_class else 0
        self.labels += 1
        self.inside += bool(score <= row.reach[column])
        for code in {row.code, -1}:
            self._reaches[code][column].learn(score)


class _Model:
    """What a pipeline and a runtime have in common."""

    def __init__(
        self,
        spec: TargetSpec | None,
        conformals: Mapping[str, FittedConformal],
        schema: Schema,
        door: Any,
        answers: Any,
    ) -> None:
        if spec is None or isinstance(spec, Targets) or spec.name not in conformals:
            raise SettingError(
                "adaptive intervals need a model with one target whose intervals were calibrated: "
                "call pipe.calibrate(data) first"
            )
        self.spec = spec
        self.conformal = conformals[spec.name]
        self.schema = schema
        self.door = door
        self.answers = answers
        self._codes = {str(label): place for place, label in enumerate(spec.classes)}

    @classmethod
    def of(cls, model: Any) -> _Model:
        """Answer what is needed of a pipeline or a runtime."""
        if not hasattr(model, "fitted"):
            return cls(model.target, model.conformal, model.schema, model.door, model.answers)
        from headrace.data.rows import RowDoor
        from headrace.deploy.python_runtime import frame_of

        fitted = model.fitted
        door = RowDoor(fitted.schema, ignore=fitted.beside)

        def answers(blocks: Blocks) -> dict[str, NDArray[Any]]:
            return dict(fitted.answers(fitted.output(frame_of(blocks, fitted.schema))))

        return cls(fitted.target, fitted.conformal, fitted.schema, door, answers)

    def truth(self, labels: Sequence[Any]) -> NDArray[Any]:
        """Answer labels as class numbers, or values.

        Raises:
            DataError: A label is none of the classes, or no finite number.
        """
        if self.spec.task != "regression":
            codes = [self._codes.get(str(label), -1) for label in labels]
            known = np.array(codes, dtype=np.intp)
            if (known < 0).any():
                row = int((known < 0).argmax())
                text = f"expected one of the {len(self._codes)} labels seen in training"
                raise DataError([Problem(text, self.spec.name, row, labels[row])])
            return known
        try:
            values = np.asarray(labels, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise DataError([Problem(f"expected numbers: {error}", self.spec.name)]) from error
        if not np.isfinite(values).all():
            row = int((~np.isfinite(values)).argmax())
            raise DataError([Problem("expected a finite number", self.spec.name, row, labels[row])])
        return values
