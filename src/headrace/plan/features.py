"""The model's inputs: the plan's last columns in typed blocks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FeatureSpec", "Features"]


@dataclass(frozen=True)
class FeatureSpec:
    """Names and sizes of the feature blocks.

    Attributes:
        numbers: Names of the number features.
        categories: Names of the category features.
        cardinalities: How many codes each category feature has; every code is smaller.

    Example:
        >>> spec = FeatureSpec(("age",), ("job",), (12,))
        >>> FeatureSpec.from_dict(spec.to_dict()) == spec
        True
    """

    numbers: tuple[str, ...]
    categories: tuple[str, ...] = ()
    cardinalities: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Answer the specification as plain values."""
        return {name: list(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FeatureSpec:
        """Rebuild a specification from `to_dict`."""
        return cls(tuple(data["numbers"]), tuple(data["categories"]), tuple(data["cardinalities"]))


@dataclass(frozen=True, eq=False)
class Features:
    """The rows of the feature blocks.

    Attributes:
        numbers: (rows, numbers) float32.
        categories: (rows, categories) int32 codes.

    Example:
        >>> import numpy as np
        >>> features = Features(np.zeros((3, 2), np.float32), np.zeros((3, 0), np.int32))
        >>> len(features), len(features.take(np.array([0, 2])))
        (3, 2)
    """

    numbers: NDArray[np.float32]
    categories: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: NDArray[np.intp] | slice) -> Features:
        """Answer the given rows."""
        return Features(self.numbers[rows], self.categories[rows])
