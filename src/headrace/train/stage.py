"""The stage that trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.stage import Context, Stage

if TYPE_CHECKING:
    from headrace.pipeline import Pipeline
    from headrace.train.result import TrainResult
    from headrace.train.training import Validation

__all__ = ["Train"]


class Train(Stage):
    """Fit the steps and train the model on the rows to learn from.

    Args:
        validation: What decides when the network stops; see `Pipeline.train`.
    """

    def __init__(self, *, validation: Validation = None) -> None:
        """Store the settings."""
        self.validation = validation

    def run(self, pipeline: Pipeline, context: Context) -> TrainResult:
        """Train on `context.train`."""
        return pipeline.train(context.train, self.validation, cache=context.cache)
