"""The fitted network: predictions, and its own description as data."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from headrace.errors import ReleaseError
from headrace.model.architectures import architecture
from headrace.model.backend import tensorflow
from headrace.model.calibration import Calibration
from headrace.model.composite import ENSEMBLE, build_ensemble
from headrace.model.custom import from_bytes, to_bytes
from headrace.model.estimate import chunk_rows
from headrace.model.loop import Training
from headrace.model.target import TargetSpec
from headrace.plan.features import Features, FeatureSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["CUSTOM", "FittedNetwork", "weights_misfit"]

CUSTOM = "custom"
"""The architecture of networks that users bring; Keras saves them."""

_CHUNK = 8192
_BLOCK = 32
_NOT_TRAINED = Training(history={}, best_epoch=0, seconds={})


class FittedNetwork:
    """A trained network.

    Attributes:
        model: The Keras model.
        architecture: The name of its architecture; "custom" for a user's own.
        settings: The architecture's settings.
        feature_spec: The columns that come in.
        target_spec: What goes out.
        calibration: The map of its probabilities to calibrated ones; None for none.
        training: How the training went; empty in a loaded network.
    """

    def __init__(
        self,
        model: Any,
        *,
        architecture: str,
        settings: Mapping[str, Any],
        feature_spec: FeatureSpec,
        target_spec: TargetSpec,
        calibration: Calibration | None = None,
        training: Training = _NOT_TRAINED,
    ) -> None:
        """Store what training or loading made."""
        self.model = model
        self.architecture = architecture
        self.settings = dict(settings)
        self.feature_spec = feature_spec
        self.target_spec = target_spec
        self.calibration = calibration
        self.training = training

    def changed(self, **parts: Any) -> FittedNetwork:
        """Answer the same network with other parts, by their names in the constructor."""
        own = {
            name: getattr(self, name)
            for name in (
                *("architecture", "settings", "feature_spec", "target_spec"),
                *("calibration", "training"),
            )
        }
        return FittedNetwork(self.model, **{**own, **parts})

    @property
    def history(self) -> dict[str, list[float]]:
        """For each figure its value in each epoch."""
        return self.training.history

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights these are, counted from 1; 0 in a loaded network."""
        return self.training.best_epoch

    @property
    def epochs(self) -> int:
        """How many epochs were trained."""
        return len(self.history.get("loss", ()))

    @property
    def seconds(self) -> float:
        """Seconds of the whole training, compiling included."""
        return sum(self.training.seconds.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about the training."""
        return self.training.notes

    def predict(self, features: Features) -> NDArray[np.float32]:
        """Answer the raw output of the network (see `TargetSpec`).

        Args:
            features: The rows, as the steps before the network give them.

        Returns:
            (rows, outputs) float32.
        """
        rows, out = len(features), self.target_spec.outputs
        if rows == 0:
            return np.zeros((0, out), dtype=np.float32)
        size = min(_CHUNK, chunk_rows(self.model))
        parts = (features.take(slice(first, first + size)) for first in range(0, rows, size))
        chunks = [
            self._compiled(self._blocks(_filled_up(part))).numpy()[: len(part)] for part in parts
        ]
        return chunks[0] if len(chunks) == 1 else np.concatenate(chunks)

    def tensorflow(self, blocks: Mapping[str, Any]) -> Any:
        """Answer the same inside of a TensorFlow graph.

        Args:
            blocks: The tensors `numbers` (rows, numbers) float32 and `categories`
                (rows, categories) int32.

        Returns:
            (rows, outputs) float32 tensor.
        """
        output = self.model({name: blocks[name] for name in self._inputs}, training=False)
        return self.finished(output)

    def finished(self, output: Any) -> Any:
        """Answer the network's output for what the Keras model answers, as tensors."""
        return output if self.calibration is None else self.calibration.tensorflow(output)

    def description(self) -> dict[str, Any]:
        """Answer how the network is built, as plain values that JSON can hold."""
        return {
            "architecture": self.architecture,
            "settings": self.settings,
            "features": self.feature_spec.to_dict(),
            "target": self.target_spec.to_dict(),
            "calibration": None if self.calibration is None else self.calibration.to_dict(),
        }

    def weights(self) -> list[NDArray[Any]]:
        """Answer all arrays of the network, fixed ones such as edges of bins included."""
        return [np.asarray(array) for array in self.model.get_weights()]

    def custom(self) -> bytes | None:
        """Answer a user's own network as Keras saves it; None for an architecture of ours.

        Raises:
            SettingError: Keras could not read it back.
        """
        return to_bytes(self.model) if self.architecture == CUSTOM else None

    @classmethod
    def rebuild(
        cls,
        description: Mapping[str, Any],
        weights: Sequence[NDArray[Any]],
        custom: bytes | None = None,
    ) -> Self:
        """Build the network again from what a release keeps.

        Args:
            description: From `description`.
            weights: From `weights`.
            custom: From `custom`.

        Raises:
            ReleaseError: The parts do not fit each other.
        """
        features = FeatureSpec.from_dict(description["features"])
        target = TargetSpec.from_dict(description["target"])
        name, settings = str(description["architecture"]), dict(description["settings"])
        if name == CUSTOM:
            if custom is None:
                raise ReleaseError("the network is a Keras model of its own, and its file is lost")
            model = from_bytes(custom)
        elif name == ENSEMBLE:
            model = build_ensemble(features, target, **settings)
        else:
            model = architecture(name).build(features, target, **settings)
        misfit = weights_misfit(model, weights)
        if misfit:
            raise ReleaseError(f"the weights do not fit the network: {misfit}")
        model.set_weights(list(weights))
        # Releases from before there was a calibration say nothing of it.
        stored = description.get("calibration")
        return cls(
            model,
            architecture=name,
            settings=settings,
            feature_spec=features,
            target_spec=target,
            calibration=None if stored is None else Calibration.from_dict(stored),
        )

    @cached_property
    def _inputs(self) -> list[str]:
        return [tensor.name for tensor in self.model.inputs]

    @cached_property
    def _compiled(self) -> Any:
        tf = tensorflow()
        signature = {
            tensor.name: tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype)
            for tensor in self.model.inputs
        }
        # Traced at once: a function traced on its first call would complain of many networks.
        return tf.function(self.tensorflow, autograph=False).get_concrete_function(signature)

    def _blocks(self, features: Features) -> dict[str, Any]:
        blocks = {"numbers": features.numbers, "categories": features.categories}
        types = {"numbers": np.float32, "categories": np.int32}
        tensor = tensorflow().constant
        return {name: tensor(np.asarray(blocks[name], types[name])) for name in self._inputs}


def _filled_up(features: Features) -> Features:
    """Answer the rows with the last one repeated up to a multiple of 32.

    A product of matrices is rounded in another way for one row than for many: so that an answer
    does not depend on how many others are asked for, there are always many.
    """
    count = -(-len(features) // _BLOCK) * _BLOCK
    if count == len(features):
        return features
    return features.take(np.minimum(np.arange(count), len(features) - 1))


def weights_misfit(model: Any, weights: Sequence[NDArray[Any]]) -> str | None:
    """Answer how weights do not fit a model; None if they do."""
    expected = [tuple(variable.shape) for variable in model.weights]
    given = [tuple(np.shape(array)) for array in weights]
    if len(expected) != len(given):
        return f"it has {len(expected)} arrays, received {len(given)}"
    for variable, wanted, shape in zip(model.weights, expected, given, strict=True):
        if wanted != shape:
            return f"its {variable.path} has the shape {wanted}, received {shape}"
    return None
