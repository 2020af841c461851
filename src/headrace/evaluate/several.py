"""The evaluation of a network that predicts several targets: one evaluation for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrace.errors import SettingError
from headrace.result import Result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from headrace.evaluate.result import Evaluation

__all__ = ["SeveralEvaluations"]


@dataclass(frozen=True, eq=False)
class SeveralEvaluations(Result):
    """How good a model is at each of its targets.

    Attributes:
        targets: The evaluation of each target, by its name.
    """

    targets: Mapping[str, Evaluation]

    def __getitem__(self, name: str) -> Evaluation:
        return self.targets[name]

    def scores(self) -> dict[str, Any]:
        """Answer what a release remembers: the metrics of all targets, and each target's own."""
        own = {name: one.scores() for name, one in self.targets.items()}
        metrics = {
            f"{name}: {metric}": figures
            for name, scores in own.items()
            for metric, figures in scores["metrics"].items()
        }
        rows = max(one.rows for one in self.targets.values())
        told = {
            key: [f"{name}: {line}" for name, scores in own.items() for line in scores[key]]
            for key in ("slices", "verdicts", "notes")
        }
        stated = [
            f"{name}: {one['calibration']}" for name, one in own.items() if one["calibration"]
        ]
        return {
            "rows": rows,
            "metrics": metrics,
            "calibration": " ".join(stated),
            **told,
            "targets": own,
        }

    def summary(self) -> str:
        """Answer the evaluations, one after the other."""
        return "\n\n".join(one.summary() for one in self.targets.values())

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values that JSON can hold, without the rows."""
        return {"targets": {name: one.to_dict() for name, one in self.targets.items()}}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Refuse: a picture shows one target.

        Raises:
            SettingError: Always; it says how to draw one.
        """
        del ax
        raise SettingError(
            f"a picture shows one target: result[{next(iter(self.targets))!r}].plot()"
        )

    def _repr_html_(self) -> str:
        return "".join(one._repr_html_() for one in self.targets.values())
