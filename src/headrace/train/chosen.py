"""The steps of a training by what they do: row steps, transformers, and the model at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.clustering.step import ClusterStep
from headrace.errors import SettingError
from headrace.model.network import Network
from headrace.preprocessing.defaults import default_steps
from headrace.preprocessing.stored import LostStep
from headrace.preprocessing.transform import Select
from headrace.preprocessing.transformer import RowStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.data.schema import Schema
    from headrace.preprocessing.step import Step

__all__ = ["ChosenSteps"]


@dataclass(frozen=True)
class ChosenSteps:
    """The steps by what they do."""

    rows: tuple[RowStep, ...]
    transformers: tuple[Step, ...]
    model: Network | ClusterStep | None

    @property
    def all(self) -> tuple[Step, ...]:
        """All steps, the model last."""
        end = (self.model,) if self.model is not None else ()
        return (*self.rows, *self.transformers, *end)

    @property
    def before_model(self) -> tuple[Step, ...]:
        """The steps to fit; a clusterer at the end sees its own columns only."""
        if isinstance(self.model, ClusterStep):
            return (*self.transformers, Select(self.model.columns))
        return self.transformers

    @classmethod
    def of(
        cls,
        steps: Sequence[Step] | None,
        schema: Schema,
        target: str | Sequence[str] | None,
        network: Network | None = None,
    ) -> ChosenSteps:
        """Sort the given steps, or those that suit the schema, with the network behind them.

        Raises:
            SettingError: They do not end in a model, or not in one that suits the target.
        """
        chosen = list(steps) if steps is not None else default_steps(schema)
        for step in chosen:
            if isinstance(step, LostStep):
                raise SettingError(step.explain())
        model: Network | ClusterStep | None = None
        ends_in_network = bool(chosen) and isinstance(chosen[-1], Network)
        if network is not None and (ends_in_network or target is None):
            other = "the steps end in one already" if ends_in_network else "there is no target"
            raise SettingError(f"network={network!r} has no place: {other}")
        if ends_in_network:
            model = chosen.pop()  # type: ignore[assignment]
            if target is None:
                raise SettingError(
                    "a Network needs a target: hr.Pipeline(steps, target='the column to predict')"
                )
        elif target is not None:
            model = network or Network()
        elif chosen and isinstance(chosen[-1], ClusterStep):
            model = chosen.pop()  # type: ignore[assignment]
        elif steps is None:
            raise SettingError(
                "name the column to predict, hr.Pipeline(target=...), or end the steps in a "
                "clusterer, hr.Pipeline([..., hr.KMeans(3)])"
            )
        misplaced = [step for step in chosen if isinstance(step, Network)]
        if misplaced:
            raise SettingError("a Network must be the last step of a pipeline")
        return cls(
            tuple(step for step in chosen if isinstance(step, RowStep)),
            tuple(step for step in chosen if not isinstance(step, RowStep)),
            model,
        )
