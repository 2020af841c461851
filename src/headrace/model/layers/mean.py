"""The weighted mean of several models' answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from headrace.model.layers.register import register

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["WeightedMean"]


@register
class WeightedMean(keras.layers.Layer):  # type: ignore[misc]
    """Answer the weighted mean of several inputs of one shape: `y = sum of share_i * x_i`.

    Shapes: a list of (B, M) to (B, M).

    Args:
        shares: The share of each input; their sum is 1.
    """

    def __init__(self, shares: Sequence[float], **kwargs: Any) -> None:
        """Store the shares."""
        super().__init__(**kwargs)
        self.shares = [float(share) for share in shares]
        self.built = True

    def call(self, inputs: Sequence[Any]) -> Any:
        """Answer the mean."""
        parts = [share * block for share, block in zip(self.shares, inputs, strict=True)]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    def compute_output_shape(self, input_shape: Sequence[tuple[int | None, ...]]) -> Any:
        """Answer the shape of one input."""
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        """Answer the shares."""
        return {**super().get_config(), "shares": self.shares}
