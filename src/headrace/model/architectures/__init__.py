"""The architectures of networks: each is a function from the features and the target to a model."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from headrace.errors import SettingError, nearest
from headrace.model.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import keras
    from numpy.typing import NDArray

    from headrace.model.target import TargetSpec
    from headrace.plan.features import Features

__all__ = [
    "Architecture",
    "Build",
    "Recipes",
    "Start",
    "architecture",
    "architecture_names",
    "register",
]


Build: TypeAlias = "Callable[..., keras.Model]"
"""`build(features: FeatureSpec, target: TargetSpec, *, setting=default, …) -> keras.Model`.

The model takes a dict with the inputs `numbers` (rows, numbers) float32 and `categories`
(rows, categories) int32, without those that have no columns, and answers (rows, outputs) as
`TargetSpec` describes it. The same arguments must give the same layers, since a release keeps
only them and the weights; so settings must be values that JSON can hold.
"""

Start: TypeAlias = "Callable[[keras.Model, Features, NDArray[Any], TargetSpec], None]"
"""`start(model, features, target, spec)` sets in place what a new model takes from the training
rows before its first step, such as edges of bins.
"""

Recipes: TypeAlias = "Recipe | Callable[[TargetSpec], Recipe]"
"""How an architecture is trained, or a function of the target that says so."""


@dataclass(frozen=True)
class Architecture:
    """A way to build networks, known by name.

    Attributes:
        name: Its name in settings and releases.
        build: Makes the model.
        start: Sets what the model takes from the training rows at once, such as edges of bins.
        recipe: How it is trained unless the user says otherwise; `recipe_for` answers that.

    Example:
        >>> def wide(features, target, *, width=512): ...
        >>> Architecture("wide", wide).settings({"width": 256})
        {'width': 256}
    """

    name: str
    build: Build
    start: Start | None = None
    recipe: Recipes = field(default_factory=Recipe)

    def recipe_for(self, target: TargetSpec) -> Recipe:
        """Answer how the architecture is trained to predict a target."""
        return self.recipe if isinstance(self.recipe, Recipe) else self.recipe(target)

    def defaults(self) -> dict[str, Any]:
        """Answer the settings that `build` takes, with their defaults."""
        parameters = list(inspect.signature(self.build).parameters.values())[2:]
        return {parameter.name: parameter.default for parameter in parameters}

    def settings(self, stated: Mapping[str, Any]) -> dict[str, Any]:
        """Answer all settings: those that are stated, and the defaults of the others.

        Raises:
            SettingError: A stated setting is none of this architecture.
        """
        defaults = self.defaults()
        for name in stated:
            if name not in defaults:
                close = nearest(name, defaults)
                meant = f" Perhaps {close!r} is meant." if close else ""
                raise SettingError(
                    f"the architecture {self.name!r} has no setting {name!r}; "
                    f"it has {', '.join(defaults) or 'none'}.{meant}"
                )
        return {**defaults, **stated}


_BUILT_IN = ("linear", "mlp", "realmlp", "tabm")
_registered: dict[str, Architecture] = {}


def register(
    name: str, build: Build, *, start: Start | None = None, recipe: Recipes | None = None
) -> Architecture:
    """Make an architecture known, so that `Network(name)` and releases find it.

    Args:
        name: How it is called.
        build: Makes the model; see `Build`.
        start: Sets what a new model takes from the training rows; see `Start`.
        recipe: How it is trained, or a function of the target that says so; None for TabM's way.

    Raises:
        SettingError: Another architecture has this name.
    """
    known = _registered.get(name)
    if name in _BUILT_IN or (known is not None and known.build is not build):
        raise SettingError(f"the architecture {name!r} exists already: choose another name")
    _registered[name] = Architecture(name, build, start, recipe or Recipe())
    return _registered[name]


def architecture(name: str) -> Architecture:
    """Answer an architecture by name.

    Raises:
        SettingError: There is none with this name.
    """
    if name in _BUILT_IN:
        # Imported on demand: an architecture cannot exist without TensorFlow.
        found: Architecture = import_module(f"{__name__}.{name}").ARCHITECTURE
        return found
    if name not in _registered:
        close = nearest(name, architecture_names())
        meant = f" Perhaps {close!r} is meant." if close else ""
        raise SettingError(
            f"there is no architecture {name!r}; there are {', '.join(architecture_names())}."
            f"{meant} Your own are made known by headrace.model.architectures.register."
        )
    return _registered[name]


def architecture_names() -> tuple[str, ...]:
    """Answer the names of all architectures.

    Example:
        >>> architecture_names()[:3]
        ('linear', 'mlp', 'realmlp')
    """
    return (*_BUILT_IN, *_registered)
