"""The architectures of networks: each one a function from the features and the target to a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from headrace.errors import SettingError, nearest

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from headrace.model.features import Features, FeatureSpec
    from headrace.model.target import TargetSpec

__all__ = ["Architecture", "Build", "Start", "architecture", "names", "register"]


class Build(Protocol):
    """Makes a model with the inputs "numbers" and "categories", those of them that have columns."""

    def __call__(
        self, features: FeatureSpec, target: TargetSpec, **settings: Any
    ) -> keras.Model: ...


class Start(Protocol):
    """Sets what a fresh model learns from the training rows before its first step."""

    def __call__(
        self,
        model: keras.Model,
        features: Features,
        target: NDArray[Any],
        spec: TargetSpec,
        *,
        seed: int,
    ) -> None: ...


@dataclass(frozen=True)
class Architecture:
    """A way to build networks.

    Attributes:
        name: Its name in settings and releases.
        build: Makes the model; the same arguments must give the same layers.
        start: Sets what is learnt before training, such as edges of bins; None for nothing.
        settings: The settings that `build` takes besides those of every architecture, with
            their defaults.
    """

    name: str
    build: Build
    start: Start | None = None
    settings: Mapping[str, Any] | None = None


_registered: dict[str, Architecture] = {}
_BUILT_IN = ("linear", "mlp", "tabm")


def register(
    name: str, build: Build, *, start: Start | None = None, **settings: Any
) -> Architecture:
    ...
