"""The state of a training on several workers: what any of them can hand on to others.

All workers hold the same weights, so the state of one is that of all. It is kept after each epoch,
and within long ones, in the folder of each worker: whoever is left can hand it on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.model.backend import keras
from headrace.storage.checkpoint import Piece

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Progress", "put_back", "state_of"]

_PLAIN = (bool, int, float, str)


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
    arrays = {
        f"{group}/{place:05d}": np.array(keras().ops.convert_to_numpy(variable))
        for group, variables in _variables(model).items()
        for place, variable in enumerate(variables)
    }
    states = []
    for place, callback in enumerate(callbacks):
        values, own = _remembered(callback)
        states.append(values)
        arrays |= {f"callback {place}/{name}": array for name, array in own.items()}
    return Piece({"progress": asdict(progress), "callbacks": states}, arrays)


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
    for group, variables in _variables(model).items():
        for place, variable in enumerate(variables):
            value = piece.arrays[f"{group}/{place:05d}"]
            if group == "metrics" and not first:
                value = np.zeros_like(value)
            variable.assign(value)
    for place, values in enumerate(piece.document["callbacks"]):
        own = f"callback {place}/"
        arrays = {n.removeprefix(own): a for n, a in piece.arrays.items() if n.startswith(own)}
        _remember(callbacks[place], values, arrays)
    return Progress(**piece.document["progress"])


def _variables(model: Any) -> dict[str, list[Any]]:
    return {
        "model": list(model.variables),
        "optimizer": list(model.optimizer.variables),
        "metrics": list(model.metrics_variables),
    }


def _remembered(callback: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    if hasattr(callback, "state"):
        return callback.state()  # type: ignore[no-any-return]
    # Keras's own callbacks keep counters and best values as plain attributes.
    plain = {n: v for n, v in vars(callback).items() if isinstance(v, _PLAIN) and n[0] != "_"}
    return plain, {}


def _remember(callback: Any, values: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    if hasattr(callback, "restore"):
        callback.restore(values, arrays)
        return
    for name, value in values.items():
        setattr(callback, name, value)
