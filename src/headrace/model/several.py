"""The settings of a network that several targets share, and those that only one can have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.errors import SettingError
from headrace.model.targets import Targets

if TYPE_CHECKING:
    from headrace.model.network import Network
    from headrace.model.target import TargetSpec

__all__ = ["check_shared"]

_OF_ONE = {"monitor": "loss", "calibrate": None, "threshold": None, "class_weight": None}
"""Settings that speak of one target, with the value that says nothing."""


def check_shared(network: Network, target: TargetSpec) -> None:
    """Check that a network for several targets has no setting that speaks of one.

    Raises:
        SettingError: It has.
    """
    if not isinstance(target, Targets):
        return
    for name, silent in _OF_ONE.items():
        value = getattr(network, name)
        if value != silent:
            raise SettingError(
                f"{name}={value!r} belongs to one target, and the network predicts {target.name}: "
                "leave it out, or train a pipeline for each target"
            )
