"""Labelled rows: feature blocks with their target, and with weights where there are any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError
from headrace.plan.features import Features

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Labelled", "Window"]


@dataclass(frozen=True)
class Window:
    """How rows on disk are read.

    Attributes:
        rows: Rows held at a time, a multiple of `block`.
        block: Rows that lie together; a window is made of blocks from anywhere.

    Raises:
        SettingError: A window holds no whole number of blocks.

    Example:
        >>> Window(262_144, 1_024).rows // Window(262_144, 1_024).block
        256
    """

    rows: int
    block: int

    def __post_init__(self) -> None:
        """Check that both fit."""
        if self.block < 1 or self.rows < self.block or self.rows % self.block:
            raise SettingError(
                f"a window must hold 1 block or more of 1 row or more each, received {self.rows} "
                f"rows in blocks of {self.block}"
            )


@dataclass(frozen=True, eq=False)
class Labelled:
    """Rows that can be learnt from or compared with.

    Attributes:
        features: The feature blocks.
        target: The encoded target, (rows,) or, for several targets, (rows, targets).
        weight: (rows,) weight of each row; None for equal weights.
        window: How the rows are read where they lie on disk; None for rows in memory.

    Example:
        >>> features = Features(np.zeros((3, 2), np.float32), np.zeros((3, 0), np.int32))
        >>> rows = Labelled(features, np.array([0, 1, 0]))
        >>> len(rows.take(np.array([0, 2]))), len(rows.joined(rows))
        (2, 6)
    """

    features: Features
    target: NDArray[Any]
    weight: NDArray[Any] | None = None
    window: Window | None = None

    def __len__(self) -> int:
        return len(self.features)

    def take(self, rows: NDArray[np.intp] | slice) -> Labelled:
        """Answer the given rows."""
        weight = None if self.weight is None else self.weight[rows]
        return Labelled(self.features.take(rows), self.target[rows], weight)

    def joined(self, other: Labelled) -> Labelled:
        """Answer these rows with others behind them; rows without weights weigh 1."""
        weights = None
        if self.weight is not None or other.weight is not None:
            weights = np.concatenate([self._weights(), other._weights()])
        features = Features(
            np.concatenate([self.features.numbers, other.features.numbers]),
            np.concatenate([self.features.categories, other.features.categories]),
        )
        return Labelled(features, np.concatenate([self.target, other.target]), weights)

    def _weights(self) -> NDArray[np.float64]:
        if self.weight is None:
            return np.ones(len(self))
        return np.asarray(self.weight, dtype=np.float64)
