"""One target of a network that predicts several, seen as a network of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.errors import SettingError
from headrace.model.fitted import FittedNetwork
from headrace.model.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from headrace.plan.features import Features

__all__ = ["NetworkOfTarget"]


class NetworkOfTarget(FittedNetwork):
    """A trained network for several targets, reduced to the output of one.

    Args:
        whole: The network.
        name: The target.

    Raises:
        SettingError: The network does not predict several targets, or not this one.
    """

    def __init__(self, whole: FittedNetwork, name: str) -> None:
        """Find the target's columns of the output."""
        targets = whole.target_spec
        if not isinstance(targets, Targets):
            raise SettingError(f"the network predicts {targets.name!r} alone")
        place = targets.place(name)
        super().__init__(
            whole.model,
            architecture=whole.architecture,
            settings=whole.settings,
            feature_spec=whole.feature_spec,
            target_spec=targets.parts[place],
            training=whole.training,
        )
        self._whole = whole
        self._columns = targets.slices[place]

    def predict(self, features: Features) -> NDArray[np.float32]:
        """Answer the target's columns of the raw output, (rows, outputs)."""
        return self._whole.predict(features)[:, self._columns]

    def tensorflow(self, blocks: Mapping[str, Any]) -> Any:
        """Answer the same inside of a TensorFlow graph."""
        return self._whole.tensorflow(blocks)[:, self._columns]

    def finished(self, output: Any) -> Any:
        """Answer the target's columns of the network's output, as tensors."""
        return self._whole.finished(output)[:, self._columns]
