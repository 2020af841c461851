"""A training that is kept in a folder: one process at a time, and only the same training again."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from headrace.model.loop import Resuming
from headrace.stopping import saves_when_stopped
from headrace.storage.checkpoint import Checkpoint
from headrace.storage.lock import locked
from headrace.train.identity import identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from headrace.data.schema import Kind
    from headrace.train.chosen import ChosenSteps
    from headrace.train.holdout import Validation

__all__ = ["resumed"]

_PATIENCE = 10.0
"""Seconds to wait for another process that trains in the same folder."""


@contextmanager
def resumed(
    folder: Path,
    rows: pl.LazyFrame | pl.DataFrame,
    steps: ChosenSteps,
    validation: Validation,
    *,
    target: str | Sequence[str] | None,
    kinds: Mapping[str, Kind] | None,
    weight: str | None,
    seed: int,
) -> Iterator[Resuming]:
    """Open the folder of a training, with what is kept of it; SIGTERM saves before it ends.

    Args:
        folder: Where the training is kept.
        rows: The raw rows.
        steps: The steps, the model last.
        validation: What the validation rows are.
        target: What is predicted.
        kinds: Kinds of columns that the user stated.
        weight: The column of weights.
        seed: Of the training.

    Raises:
        CheckpointError: The folder belongs to another training, or cannot be written.
    """
    settings: dict[str, Any] = {
        "target": target if target is None or isinstance(target, str) else list(target),
        "kinds": {name: str(kind) for name, kind in (kinds or {}).items()},
        "weight": weight,
        "seed": seed,
    }
    kept = Checkpoint.of_work(folder, identity(rows, steps, validation, settings=settings))
    with locked(folder / "lock", patience=_PATIENCE), saves_when_stopped(folder) as stopping:
        yield Resuming(kept, stopping)
