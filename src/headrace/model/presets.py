"""Presets: what a network is when nothing but a wish for speed or accuracy is stated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headrace.errors import SettingError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PRESETS", "Member", "Preset", "preset"]


@dataclass(frozen=True)
class Member:
    """One architecture of a preset, with what differs from the architecture's own ways.

    Attributes:
        architecture: Its name.
        settings: Of the architecture.
        recipe: Fields of its recipe (see `headrace.model.recipe.Recipe`) with other values.
        batch: How many times the automatic batch size a batch has.
    """

    architecture: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    batch: int = 1


@dataclass(frozen=True)
class Preset:
    """A choice between speed and accuracy.

    Attributes:
        name: "fast", "balanced" or "best".
        members: The networks that answer together, one for a single network.
        folds: Into how many parts the rows are divided, each network being trained on all but one;
            1 for a single training.

    Example:
        >>> preset("balanced").members[0].architecture
        'tabm'
    """

    name: str
    members: tuple[Member, ...]
    folds: int = 1

    @property
    def is_ensemble(self) -> bool:
        """Whether several networks are trained."""
        return self.folds > 1


_FAST = Member(
    "tabm",
    settings={"members": 4, "hidden": [128, 128]},
    recipe={"learning_rate": 6e-3, "epochs": 30, "patience": 4},
    batch=2,
)

PRESETS = {
    "fast": Preset("fast", (_FAST,)),
    "balanced": Preset("balanced", (Member("tabm"),)),
    "best": Preset("best", (Member("tabm"), Member("realmlp")), folds=5),
}
"""The presets by name, from the quickest to the most accurate."""


def preset(name: object) -> Preset:
    """Answer a preset by name.

    Raises:
        SettingError: There is none with this name.
    """
    found = PRESETS.get(name) if isinstance(name, str) else None
    if found is None:
        close = nearest(str(name), PRESETS)
        meant = f"; perhaps {close!r} is meant" if close else ""
        raise SettingError(f"preset must be one of {', '.join(PRESETS)}, received {name!r}{meant}")
    return found
