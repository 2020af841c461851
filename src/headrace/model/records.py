"""Finished trainings as plain data: kept in a checkpoint, and not done a second time."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from headrace.model.estimate import Estimate
from headrace.model.health import LayerHealth
from headrace.model.loop import Training

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.model.loop import Keeping

__all__ = ["finished", "keep_finished", "training_from", "training_to"]

_DONE = "done"


def finished(keeping: Keeping | None, model: Any) -> Training | None:
    """Put the weights of a finished training into a model, and answer how it went.

    Args:
        keeping: Where it is kept, if anywhere.
        model: Built as it was for the training.

    Returns:
        How it went; None if no training is finished there.
    """
    piece = None if keeping is None else keeping.kept.load(_DONE)
    if piece is None:
        return None
    model.set_weights([piece.arrays[name] for name in sorted(piece.arrays)])
    return training_from(piece.document)


def keep_finished(keeping: Keeping | None, model: Any, training: Training) -> None:
    """Keep a finished training; its states are not needed any more.

    Raises:
        CheckpointError: It cannot be written.
    """
    if keeping is None:
        return
    weights = {f"{place:05d}": array for place, array in enumerate(model.get_weights())}
    keeping.kept.save(_DONE, training_to(training), weights)
    for name in keeping.kept.names():
        if name != _DONE:
            keeping.kept.remove(name)


def training_to(training: Training) -> dict[str, Any]:
    """Answer how the training of one network went as plain values.

    Example:
        >>> training = Training({"loss": [0.5]}, 1, {"epochs": 2.0})
        >>> training_from(training_to(training)) == training
        True
    """
    return asdict(training)


def training_from(values: Mapping[str, Any]) -> Training:
    """Answer what `training_to` was given."""
    estimate = values["estimate"]
    return Training(
        **{
            **values,
            "notes": tuple(values["notes"]),
            "estimate": None if estimate is None else Estimate(**estimate),
            "layers": tuple(LayerHealth(**layer) for layer in values["layers"]),
            "members": (),
        }
    )
