"""The state of a training on several workers: what any of them can hand on to others.

All workers hold the same weights, so the state of one is that of all. It is kept after each epoch,
and within long ones, in the folder of each worker: whoever is left can hand it on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from headrace.model.state import callbacks_from, callbacks_to, variables_from, variables_to
from headrace.storage.checkpoint import Piece

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Progress", "put_back", "state_of"]


@dataclass(frozen=True)
class Progress:
    """How far a training has come.

    Attributes:
        epoch: The epoch to go on with, counted from 0.
        step: How many steps of it are done.
        over: Whether early stopping has ended it.
        history: The figures of the finished epochs.
    """

    epoch: int = 0
    step: int = 0
    over: bool = False
    history: dict[str, list[float]] = field(default_factory=dict)


def state_of(model: Any, progress: Progress, callbacks: Sequence[Any] = ()) -> Piece:
    """Answer the state of a training; within an epoch the metrics must be those of all workers."""
    values, arrays = callbacks_to(callbacks)
    document = {"progress": asdict(progress), "callbacks": values}
    return Piece(document, {**variables_to(model), **arrays})


def put_back(piece: Piece, model: Any, callbacks: Sequence[Any], *, first: bool) -> Progress:
    """Put a state into a model and its callbacks.

    Args:
        piece: From `state_of`, without callbacks at the very start.
        model: Built and compiled, its metrics and optimiser too.
        callbacks: Those of the training.
        first: Whether this is the first worker, who goes on with the metrics of an epoch that was
            begun; the others count on from zero.

    Returns:
        How far the training had come.
    """
    variables_from(model, piece.arrays, metrics=first)
    callbacks_from(callbacks, piece.document["callbacks"], piece.arrays)
    return Progress(**piece.document["progress"])
