"""What a network reads: a block of numbers and a block of category codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

__all__ = ["FeatureSpec", "Features"]


@dataclass(frozen=True)
class FeatureSpec:
    """The names and sizes of a network's inputs.

    Attributes:
        numbers: The names of the number columns, in the order of the block.
        categories: The names of the category columns, in the order of the block.
        cardinalities: For each category column the number of codes; every code is smaller.

    Raises:
        SettingError: The cardinalities do not fit the category columns.

    Example:
        >>> spec = FeatureSpec(("age",), ("town",), (12,))
        >>> FeatureSpec.from_dict(spec.to_dict()) == spec
        True
    """

    numbers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    cardinalities: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.categories) != len(self.cardinalities):
            raise SettingError(
                f"expected one cardinality for each of the {len(self.categories)} category "
                f"columns, received {len(self.cardinalities)}"
            )
        for name, cardinality in zip(self.categories, self.cardinalities, strict=True):
            if cardinality < 1:
                raise SettingError(
                    f"the cardinality of column {name!r} must be 1 or more, received {cardinality}"
                )

    def to_dict(self) -> dict[str, Any]:
        """Answer the spec as plain values that JSON can hold."""
        return {
            "numbers": list(self.numbers),
            "categories": list(self.categories),
            "cardinalities": list(self.cardinalities),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FeatureSpec:
        """Read what `to_dict` wrote."""
        return cls(
            numbers=tuple(str(name) for name in values["numbers"]),
            categories=tuple(str(name) for name in values["categories"]),
            cardinalities=tuple(int(size) for size in values["cardinalities"]),
        )


@dataclass(frozen=True, eq=False)
class Features:
    """The rows that a network reads, one array a block.

    Attributes:
        numbers: (rows, number columns) float32, finite.
        categories: (rows, category columns) int32 codes, from 0 to below the cardinality.

    Raises:
        SettingError: A block is not two-dimensional, or the blocks differ in rows.

    Example:
        >>> rows = Features(np.zeros((3, 2)), np.zeros((3, 1)))
        >>> len(rows), rows.take([0, 2]).numbers.shape
        (3, (2, 2))
    """

    numbers: NDArray[np.float32]
    categories: NDArray[np.int32]

    def __post_init__(self) -> None:
        object.__setattr__(self, "numbers", np.asarray(self.numbers, dtype=np.float32))
        object.__setattr__(self, "categories", np.asarray(self.categories, dtype=np.int32))
        for name, block in (("numbers", self.numbers), ("categories", self.categories)):
            if block.ndim != 2:
                raise SettingError(
                    f"the {name} of the features must have the shape (rows, columns), "
                    f"received the shape {block.shape}"
                )
        if len(self.numbers) != len(self.categories):
            raise SettingError(
                "the numbers and the categories of the features must have the same rows, received "
                f"{len(self.numbers)} and {len(self.categories)}"
            )

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, index: ArrayLike | slice) -> Features:
        """Answer some of the rows.

        Args:
            index: Row numbers, a mask or a slice.
        """
        chosen = index if isinstance(index, slice) else np.asarray(index)
        return Features(self.numbers[chosen], self.categories[chosen])
