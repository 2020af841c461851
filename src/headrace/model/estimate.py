"""What a training will take: seconds and memory, told before it begins."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.model.fused import FusedSteps, FusedTest
    from headrace.model.stored import AnyRows

__all__ = ["Estimate", "Pace", "chunk_rows", "estimate_bytes", "floats_per_row"]

MOST_CHUNK = 16_384
"""Rows of one pass outside of training, at most."""

_CHUNK_BYTES = 256 * 2**20
_PROGRAM_BYTES = 400 * 2**20
_LIKELY = 2.5
_COPIES = 7
"""The weights, Adam's two means, the gradients, the best and the last epoch's weights, a spare."""


@dataclass(frozen=True)
class Estimate:
    """What a training is expected to take.

    Attributes:
        seconds: Seconds of the epochs that are likely needed.
        most_seconds: Seconds of all epochs that are allowed.
        bytes: Memory beyond what the process held before, which is not exceeded.

    Example:
        >>> print(Estimate(seconds=31.0, most_seconds=140.0, bytes=300_000_000).text())
        about 31 s, at most 140 s, at most 300 MB of memory
    """

    seconds: float
    most_seconds: float
    bytes: int

    def text(self) -> str:
        """Answer the estimate in words."""
        return (
            f"about {self.seconds:,.0f} s, at most {self.most_seconds:,.0f} s, "
            f"at most {self.bytes / 1e6:,.0f} MB of memory"
        )

    def to_dict(self) -> dict[str, float]:
        """Answer the estimate as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Pace:
    """How fast a compiled model trains on this machine, measured.

    Attributes:
        epoch: Seconds of an epoch, the validation included.
        validation: Seconds of the validation alone.

    Example:
        >>> Pace(2.0, 0.5).estimate(100, 16, None, 0).seconds
        80.0
    """

    epoch: float
    validation: float

    @classmethod
    def of(cls, steps: FusedSteps, test: FusedTest | None) -> Pace:
        """Measure compiled steps and a compiled validation; no weight changes."""
        validation = 0.0 if test is None else test.pace()
        return cls(steps.steps * steps.pace() + validation, validation)

    def epochs_until(self, deadline: float, most: int) -> int:
        """Answer how many epochs fit in before a moment of `time.perf_counter`; at least 1."""
        left = deadline - time.perf_counter()
        return max(1, min(most, int(left / max(self.epoch, 1e-9))))

    def estimate(
        self, epochs: int, patience: int | None, deadline: float | None, memory: int
    ) -> Estimate:
        """Answer what a training will take.

        Early stopping comes, over many tables, after about two and a half times the patience.

        Args:
            epochs: The most epochs.
            patience: Of early stopping; None for none.
            deadline: The moment to stop at the latest; None for none.
            memory: In bytes.
        """
        likely = epochs if patience is None else min(epochs, _LIKELY * patience)
        left = math.inf if deadline is None else max(0.0, deadline - time.perf_counter())
        return Estimate(min(left, likely * self.epoch), min(left, epochs * self.epoch), int(memory))


def floats_per_row(model: Any) -> int:
    """Answer how many numbers a model computes for one row, those inside of layers included.

    Args:
        model: A built Keras model.
    """
    own = sum(_floats(tensor) for layer in model.layers for tensor in _outputs(layer))
    inside = sum(
        floats_per_row(layer) if hasattr(layer, "layers") else getattr(layer, "floats_inside", 0)
        for layer in model.layers
    )
    return max(1, own + inside)


def chunk_rows(model: Any) -> int:
    """Answer how many rows may pass through a model at once without taking much memory."""
    return max(32, min(MOST_CHUNK, _CHUNK_BYTES // (4 * floats_per_row(model))))


def estimate_bytes(model: Any, rows: AnyRows, validation: AnyRows | None, batch_size: int) -> int:
    """Answer the most memory that the training of a model takes, in bytes.

    The rows are held once as tensors; a training step holds what it computed on the way there and
    back; a validation pass holds it for a chunk of rows.
    """
    data = rows.nbytes + (0 if validation is None else validation.nbytes)
    weights = _COPIES * 4 * int(model.count_params())
    floats = floats_per_row(model)
    step = 3 * batch_size * floats * 4
    passed = 0 if validation is None else min(len(validation), chunk_rows(model)) * floats * 4
    return int(2 * data + weights + max(step, passed) + _PROGRAM_BYTES)


def _outputs(layer: Any) -> list[Any]:
    try:
        output = layer.output
    except (AttributeError, ValueError):  # a layer that was never called on its own
        return []
    return list(output) if isinstance(output, list | tuple) else [output]


def _floats(tensor: Any) -> int:
    shape = getattr(tensor, "shape", ())
    return math.prod(int(size) for size in shape[1:] if size is not None)
