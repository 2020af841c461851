"""Networks trained by workers: settings and rows travel as plain data, weights come back as arrays.

For networks that do not need each other while they are trained: the members of an ensemble.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from headrace.errors import ReleaseError
from headrace.model.fitted import FittedNetwork
from headrace.model.labelled import Labelled
from headrace.model.network import Network
from headrace.model.presets import Member
from headrace.model.records import training_from, training_to
from headrace.model.single import Fitting, fit_single
from headrace.model.target import TargetSpec
from headrace.partitions.crew import map_tasks
from headrace.partitions.task import task
from headrace.plan.features import Features, FeatureSpec
from headrace.preprocessing.stored import step_from_dict, step_to_dict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from headrace.engine import Engine

__all__ = [
    "MemberJob",
    "TrainedElsewhere",
    "fit_member",
    "fit_members",
    "travels",
]


@dataclass(frozen=True, eq=False)
class MemberJob:
    """One network to train.

    Attributes:
        member: What the preset chooses for it.
        seed: Of first weights, order of rows and dropout.
        rest: Places among the rows of the fitting that it learns from; None for all of them.
        held: Places among the rows of the fitting that decide when it stops; None for the fitting's
            own held rows.
        seconds: How long it may take; None for any time.
    """

    member: Member
    seed: int
    rest: NDArray[np.intp] | None = None
    held: NDArray[np.intp] | None = None
    seconds: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Answer the job as plain values and arrays."""
        names = ("seed", "rest", "held", "seconds")
        return {"member": asdict(self.member)} | {name: getattr(self, name) for name in names}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MemberJob:
        """Rebuild a job from `to_dict`."""
        return cls(**{**data, "member": Member(**data["member"])})


@dataclass(frozen=True, eq=False)
class TrainedElsewhere:
    """A network that a worker has trained.

    Attributes:
        network: The network, with the record of its training.
        output: (held rows, outputs) what it says of the rows that decided when it stopped.
    """

    network: FittedNetwork
    output: NDArray[np.float32] | None


@dataclass(frozen=True, eq=False)
class _Shared:
    network: Network
    fitting: Fitting

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> _Shared:
        network = step_from_dict(data["network"])
        if not isinstance(network, Network):
            raise ReleaseError(f"expected the settings of a network, received {network!r}")
        fitting = Fitting(
            FeatureSpec.from_dict(data["features"]),
            TargetSpec.from_dict(data["target"]),
            _labelled(data["rows"]),
            None if data["held"] is None else _labelled(data["held"]),
        )
        return cls(network, fitting)


def travels(network: Network) -> bool:
    """Answer whether a network can be trained by workers: its settings are plain values.

    Example:
        >>> travels(Network([8])), travels(Network([8], callbacks=(print,)))
        (True, False)
    """
    return type(network) is Network and not step_to_dict(network)["lost"]


@task(prepare=_Shared.from_dict)
def fit_member(job: Mapping[str, Any], shared: _Shared) -> dict[str, Any]:
    """Train one network; the same job gives the same weights as it would here."""
    wanted = MemberJob.from_dict(job)
    fitting = _part(shared.fitting, wanted)
    fitted = fit_single(shared.network, wanted.member, fitting)
    return {
        "description": fitted.description(),
        "weights": fitted.weights(),
        "training": training_to(fitted.training),
        "output": None if fitting.held is None else fitted.predict(fitting.held.features),
    }


def fit_members(
    network: Network, fitting: Fitting, jobs: Iterable[MemberJob], engine: Engine
) -> Iterator[TrainedElsewhere]:
    """Train networks on the workers of an engine, and give them in the order of the jobs.

    Args:
        network: The settings; `travels` must hold.
        fitting: What to fit to; start weights and deadline do not travel.
        jobs: What to train.
        engine: Who works.

    Raises:
        WorkerError: A job was lost with its worker again and again.
    """
    shared = {
        "network": step_to_dict(network),
        "features": fitting.feature_spec.to_dict(),
        "target": fitting.target_spec.to_dict(),
        "rows": _labelled_to_dict(fitting.rows),
        "held": None if fitting.held is None else _labelled_to_dict(fitting.held),
    }
    sent = (job.to_dict() for job in jobs)
    for answer in map_tasks(engine, fit_member, sent, shared=shared):
        rebuilt = FittedNetwork.rebuild(answer["description"], answer["weights"])
        training = training_from(answer["training"])
        yield TrainedElsewhere(rebuilt.changed(training=training), answer["output"])


def _part(fitting: Fitting, job: MemberJob) -> Fitting:
    rows = fitting.rows if job.rest is None else fitting.rows.take(job.rest)
    held = fitting.held if job.held is None else fitting.rows.take(job.held)
    deadline = None if job.seconds is None else time.perf_counter() + job.seconds
    return replace(fitting, rows=rows, held=held, seed=job.seed, deadline=deadline)


def _labelled_to_dict(rows: Labelled) -> dict[str, Any]:
    return {
        "numbers": rows.features.numbers,
        "categories": rows.features.categories,
        "target": rows.target,
        "weight": rows.weight,
    }


def _labelled(data: Mapping[str, Any]) -> Labelled:
    features = Features(data["numbers"], data["categories"])
    return Labelled(features, data["target"], data["weight"])
