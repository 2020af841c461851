"""Finished trainings as plain data: kept in a checkpoint, and not done a second time."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from headrace.model.estimate import Estimate
from headrace.model.health import LayerHealth
from headrace.model.loop import TrainedMember, Training

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.model.loop import Resuming

__all__ = ["finished", "is_finished", "keep_finished", "training_from", "training_to"]

_DONE = "done"


def finished(resuming: Resuming | None, model: Any) -> Training | None:
    """Put the weights of a finished training into a model, and answer how it went.

    Args:
        resuming: Where it is kept, if anywhere.
        model: Built as it was for the training.

    Returns:
        How it went; None if no training is finished there.
    """
    piece = None if resuming is None else resuming.kept.load(_DONE)
    if piece is None:
        return None
    model.set_weights([piece.arrays[name] for name in sorted(piece.arrays)])
    return training_from(piece.document)


def is_finished(resuming: Resuming) -> bool:
    """Answer whether a training is finished and kept."""
    return _DONE in resuming.kept.names()


def keep_finished(resuming: Resuming | None, model: Any, training: Training) -> None:
    """Keep a finished training; its states are not needed any more.

    Raises:
        CheckpointError: It cannot be written.
    """
    if resuming is None:
        return
    weights = {f"{place:05d}": array for place, array in enumerate(model.get_weights())}
    resuming.kept.save(_DONE, training_to(training), weights)
    for name in resuming.kept.names():
        if name != _DONE:
            resuming.kept.remove(name)


def training_to(training: Training) -> dict[str, Any]:
    """Answer how the training of one network went as plain values; its threshold is none yet.

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
            "members": tuple(TrainedMember(**member) for member in values["members"]),
        }
    )
