"""How a layer becomes known to Keras."""

from __future__ import annotations

import keras

__all__ = ["register"]


def register(layer: type) -> type:
    """Make a layer known to Keras as `headrace>Name`, the name that saved models call it by."""
    return keras.saving.register_keras_serializable(package="headrace")(layer)  # type: ignore[no-any-return]
