"""What a worker is given and what it gives back: plain documents and arrays, nothing else."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError
from headrace.model.architectures import architecture
from headrace.model.network import Network
from headrace.model.presets import Member
from headrace.model.rows import Rows
from headrace.model.target import TargetSpec
from headrace.plan.features import FeatureSpec
from headrace.preprocessing.stored import step_from_dict, step_to_dict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["Job", "Shard", "check_can_travel", "check_known"]

_INPUT = "input/"
_OWN = "own/"
_HELD = "held/"
_TRUTH = "truth"
_TRUTH_WEIGHT = "truth weight"


@dataclass(frozen=True, eq=False)
class Job:
    """What all workers of a training are told alike.

    Attributes:
        network: The settings.
        member: What the preset chooses where they say nothing.
        features: The columns that come in.
        target: What is predicted.
        rows: All rows to learn from.
        held: All validation rows; 0 for none.
        batch: Rows of a batch, over all workers.
        epochs: The most epochs.
        seed: Of the order of the rows and of the dropout.
    """

    network: Network
    member: Member
    features: FeatureSpec
    target: TargetSpec
    rows: int
    held: int
    batch: int
    epochs: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Answer the job as plain values."""
        return {
            "network": step_to_dict(self.network),
            "member": asdict(self.member),
            "features": self.features.to_dict(),
            "target": self.target.to_dict(),
            "rows": self.rows,
            "held": self.held,
            "batch": self.batch,
            "epochs": self.epochs,
            "seed": self.seed,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Job:
        """Rebuild a job from `to_dict`."""
        network = step_from_dict(values["network"])
        if not isinstance(network, Network):
            raise SettingError(f"a job needs a Network, received {network!r}")
        numbers = {name: values[name] for name in ("rows", "held", "batch", "epochs", "seed")}
        return cls(
            network,
            Member(**values["member"]),
            FeatureSpec.from_dict(values["features"]),
            TargetSpec.from_dict(values["target"]),
            **numbers,
        )


@dataclass(frozen=True, eq=False)
class Shard:
    """The rows of one worker.

    Attributes:
        own: To learn from.
        held: To validate with; None where there are none.
        truth: (rows,) the encoded target of all validation rows, where a metric decides; else None.
        truth_weight: (rows,) their weights; None for equal ones.
    """

    own: Rows
    held: Rows | None = None
    truth: NDArray[Any] | None = None
    truth_weight: NDArray[Any] | None = None

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Answer the shard as named arrays."""
        named = _named(self.own, _OWN)
        if self.held is not None:
            named |= _named(self.held, _HELD)
        if self.truth is not None:
            named[_TRUTH] = self.truth
        if self.truth_weight is not None:
            named[_TRUTH_WEIGHT] = self.truth_weight
        return named

    @classmethod
    def of_arrays(cls, named: Mapping[str, NDArray[Any]]) -> Shard:
        """Rebuild a shard from `arrays`."""
        held = _rows(named, _HELD) if f"{_HELD}target" in named else None
        return cls(_rows(named, _OWN), held, named.get(_TRUTH), named.get(_TRUTH_WEIGHT))


def check_can_travel(network: Network) -> None:
    """Check that the settings of a network can be sent to workers as plain values.

    Raises:
        SettingError: Some are Keras objects or functions, or go with one process only.
    """
    lost = step_to_dict(network)["lost"]
    if lost:
        raise SettingError(
            f"workers={network.workers} sends the settings of the network to other processes as "
            f"plain values, which {_listed(lost)} cannot become: give names and numbers (widths or "
            "the name of an architecture as hidden, a loss by name), or leave workers out"
        )
    if network.time is not None:
        raise SettingError(
            f"time={network.time!r} goes with a training in one process, and workers="
            f"{network.workers}: state epochs instead, or leave workers out"
        )


def check_known(name: str) -> None:
    """Check that a worker will know the architecture: it imports headrace, and no other module.

    Raises:
        SettingError: It is registered elsewhere.
    """
    module = architecture(name).build.__module__
    if module.partition(".")[0] != "headrace":
        raise SettingError(
            f"the architecture {name!r} is registered by the module {module!r}, which workers do "
            "not import: they know headrace's own; leave workers out"
        )


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _named(rows: Rows, prefix: str) -> dict[str, NDArray[Any]]:
    named = {f"{prefix}{_INPUT}{name}": block for name, block in rows.inputs.items()}
    named[f"{prefix}target"] = rows.target
    if rows.weight is not None:
        named[f"{prefix}weight"] = rows.weight
    return named


def _rows(named: Mapping[str, NDArray[Any]], prefix: str) -> Rows:
    start = f"{prefix}{_INPUT}"
    inputs = {n.removeprefix(start): a for n, a in named.items() if n.startswith(start)}
    weight = named.get(f"{prefix}weight")
    return Rows(
        inputs,
        named[f"{prefix}target"],
        None if weight is None else np.asarray(weight, dtype=np.float32),
    )
