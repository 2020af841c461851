"""Several targets of one network: a spec for each, and the columns of the output that are its own.

The serving runtime reads this file, so it needs only the standard library and NumPy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from headrace.errors import SettingError, nearest
from headrace.model.target import TargetSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl
    from numpy.typing import NDArray

__all__ = ["Targets", "check_columns"]


@dataclass(frozen=True)
class Targets(TargetSpec):
    """What a network predicts that predicts several targets at once.

    Its output is that of each target, side by side; its answers are those of each target, with
    the target's key before their names. Where a single target is needed, `part` says which.

    Attributes:
        parts: The targets, two or more, with different names.

    Example:
        >>> both = Targets.of(
        ...     [TargetSpec("price", "regression"), TargetSpec("sold", "binary", classes=(0, 1))])
        >>> both.outputs, both.answer_names
        (2, ('price_prediction', 'sold_probabilities'))
    """

    parts: tuple[TargetSpec, ...] = ()

    @classmethod
    def of(cls, parts: Sequence[TargetSpec]) -> Targets:
        """Answer the spec of several targets."""
        names = ", ".join(part.name for part in parts)
        return cls(names, "joint", parts=tuple(parts))

    def __post_init__(self) -> None:
        check_columns([part.name for part in self.parts])

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the targets."""
        return tuple(part.name for part in self.parts)

    @property
    def outputs(self) -> int:
        """The number of output columns of a network for these targets."""
        return sum(part.outputs for part in self.parts)

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """The columns of the output that are each target's own."""
        ends = np.cumsum([part.outputs for part in self.parts]).tolist()
        return tuple(
            slice(end - part.outputs, end) for part, end in zip(self.parts, ends, strict=True)
        )

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The names of the targets as names of graph outputs can hold them."""
        keys: list[str] = []
        for place, name in enumerate(self.columns):
            key = re.sub(r"[^A-Za-z0-9]", "_", name) or "target"
            plain = key not in keys and key[0].isalpha()
            keys.append(key if plain else f"target{place}_{key}")
        return tuple(keys)

    def place(self, name: str) -> int:
        """Answer which of the targets has a name.

        Raises:
            SettingError: None has it.
        """
        if name in self.columns:
            return self.columns.index(name)
        close = nearest(name, self.columns)
        meant = f"; perhaps {close!r} is meant" if close else ""
        raise SettingError(
            f"the targets are {', '.join(map(repr, self.columns))}, received {name!r}{meant}"
        )

    def encode(self, values: pl.Series) -> NDArray[np.float32]:
        """Answer the values as a network is trained on them.

        Args:
            values: A struct with a field for each target; a gap is a value that is not known.

        Returns:
            (rows, targets) float32 class numbers and standardised values, NaN where not known.
        """
        encoded = np.full((len(values), len(self.parts)), np.nan, dtype=np.float32)
        for place, part in enumerate(self.parts):
            known = values.struct.field(part.name)
            rows = known.is_not_null().arg_true().to_numpy()
            if len(rows):
                encoded[rows, place] = part.encode(known.drop_nulls())
        return encoded

    def decode_all(self, output: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Answer the labels or values of each target by its name, (rows,) each."""
        return {
            part.name: part.decode(output[:, columns])
            for part, columns in zip(self.parts, self.slices, strict=True)
        }

    def decode_answers(self, answers: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Answer the same from what the deployed graph answers."""
        found = {}
        for part, own in zip(self.parts, self.split(answers), strict=True):
            if part.task == "regression":
                found[part.name] = np.asarray(own["prediction"], dtype=np.float64)
            else:
                known = own["probabilities"]
                found[part.name] = part.decode(known[:, 1:] if part.task == "binary" else known)
        return found

    @property
    def answer_names(self) -> tuple[str, ...]:
        """The names of what the deployed graph answers, target by target."""
        return tuple(
            f"{key}_{name}"
            for key, part in zip(self.keys, self.parts, strict=True)
            for name in part.answer_names
        )

    def answers(self, output: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Answer what the deployed graph answers for the output of the network."""
        return {
            f"{key}_{name}": value
            for key, part, columns in zip(self.keys, self.parts, self.slices, strict=True)
            for name, value in part.answers(output[:, columns]).items()
        }

    def distribution(self, answers: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Answer the distribution of each row's targets as named columns, (rows,) each.

        A column's name is the target's, "_", and its name in the target's own distribution; a
        target of which only values are predicted has one column with its own name.

        Raises:
            SettingError: Two columns would have the same name.
        """
        columns: dict[str, NDArray[Any]] = {}
        for part, own in zip(self.parts, self.split(answers), strict=True):
            found = _columns_of(part, own)
            for name in found.keys() & columns.keys():
                raise SettingError(
                    f"the distributions of two targets would both be called {name!r}: "
                    f"rename the target {part.name!r}"
                )
            columns |= found
        return columns

    def scaled(self, answers: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float64]]:
        """Answer what paths are compared by, target by target; see `TargetSpec.scaled`."""
        own = zip(self.parts, self.split(answers), strict=True)
        return [column for part, found in own for column in part.scaled(found)]

    def truth(self, values: pl.Series) -> NoReturn:
        """Refuse: metrics read one target."""
        raise self._needs_one(values)

    def decode(self, output: NDArray[Any]) -> NoReturn:
        """Refuse: one array holds one target; see `decode_all`."""
        raise self._needs_one(output)

    def values(self, output: NDArray[Any]) -> NoReturn:
        """Refuse: one array holds one target."""
        raise self._needs_one(output)

    def probabilities(self, output: NDArray[Any]) -> NoReturn:
        """Refuse: one array holds one target."""
        raise self._needs_one(output)

    def to_dict(self) -> dict[str, Any]:
        """Answer the spec as plain values that JSON can hold."""
        return {
            "name": self.name,
            "task": self.task,
            "parts": [part.to_dict() for part in self.parts],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Targets:
        """Read what `to_dict` wrote."""
        return cls.of([TargetSpec.from_dict(part) for part in values["parts"]])

    def split(self, answers: Mapping[str, NDArray[Any]]) -> list[dict[str, NDArray[Any]]]:
        """Answer what the deployed graph answers, target by target, under each one's own names."""
        return [
            {name: answers[f"{key}_{name}"] for name in part.answer_names}
            for key, part in zip(self.keys, self.parts, strict=True)
        ]

    def _needs_one(self, given: object) -> SettingError:
        del given
        return SettingError(
            f"the network predicts {len(self.parts)} targets ({self.name}), and one is needed "
            "here: use predict or predict_distribution, or take one by for_target(name)"
        )


def check_columns(target: str | Sequence[str] | None) -> str | list[str] | None:
    """Answer the name of a target, or the names of several.

    Raises:
        SettingError: Several are fewer than two, or two have one name.

    Example:
        >>> check_columns(("price", "sold"))
        ['price', 'sold']
    """
    if target is None or isinstance(target, str):
        return target
    names = list(target)
    if len(set(names)) < max(2, len(names)):
        raise SettingError(f"several targets need two different columns or more, received {names}")
    return names


def _columns_of(part: TargetSpec, answers: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    if part.likelihood == "point":
        return {part.name: np.asarray(answers["prediction"], dtype=np.float64)}
    found = part.distribution(answers)
    return {f"{part.name}_{name}": column for name, column in found.items()}
