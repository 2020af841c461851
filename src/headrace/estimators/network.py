"""The steps of an estimator: those that were given, with its own settings of the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.data.infer import infer_schema
from headrace.errors import SettingError
from headrace.model.network import Network
from headrace.preprocessing.defaults import default_steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from headrace.data.schema import Kind
    from headrace.preprocessing.step import Step

__all__ = ["chosen_network", "steps_for"]


def chosen_network(
    steps: Sequence[Step] | None, network: Network | None, stated: Mapping[str, Any]
) -> Network:
    """Answer a copy of the network, with some settings changed.

    Args:
        steps: The steps; the last may be the network.
        network: The network, where it is none of the steps.
        stated: Settings that go before those of the network; those that are None do not.

    Raises:
        SettingError: If there are two networks, the network is none, or has no such setting.

    Example:
        >>> chosen_network(None, Network(epochs=20, patience=4), {"epochs": 5, "hidden": None})
        Network(epochs=5, patience=4)
    """
    if network is not None and not isinstance(network, Network):
        raise SettingError(f"network must be an hr.Network or None, received {network!r}")
    last = steps[-1] if steps else None
    if isinstance(last, Network):
        if network is not None:
            raise SettingError("the steps end in a Network, so network must be None: give one")
        network = last
    chosen = Network() if network is None else network.copy()
    return chosen.set_params(**{name: value for name, value in stated.items() if value is not None})


def steps_for(
    table: pl.DataFrame, steps: Sequence[Step] | None, kinds: Mapping[str, Kind] | None
) -> list[Step]:
    """Answer copies of the steps before the network; without any, those that suit the columns.

    Args:
        table: The feature columns.
        steps: The steps; a network at the end is left out.
        kinds: Kinds of columns, where the inferred ones are not wanted.
    """
    if steps is None:
        return default_steps(infer_schema(table.lazy(), kinds=kinds))
    copies = [step.copy() for step in steps]
    return copies[:-1] if copies and isinstance(copies[-1], Network) else copies
