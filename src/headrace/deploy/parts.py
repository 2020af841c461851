"""A fitted pipeline as the parts of a release, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from headrace.clustering import deep, hdbscan, kmeans, mixture
from headrace.clustering.fitted import FittedClusters
from headrace.data.profile import Profile
from headrace.data.schema import Schema
from headrace.deploy.card import card_of
from headrace.deploy.registry import find_release
from headrace.deploy.release import write_release
from headrace.errors import ReleaseError
from headrace.model.network import FittedNetwork, Network
from headrace.model.predicted import conformals_of, to_document
from headrace.model.target import TargetSpec
from headrace.plan.plan import ColumnInfo, Plan, PythonNode
from headrace.preprocessing import clean, normalize, transform
from headrace.preprocessing.step import Step
from headrace.preprocessing.stored import decode_parameters, step_from_dict, step_to_dict
from headrace.preprocessing.transformer import PythonTransformer
from headrace.train.fitted import Fitted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from headrace.deploy.release import Release

__all__ = ["Opened", "Parts", "fitted_from", "open_release", "parts_of", "save"]

# Loading finds steps by name among the classes that were imported.
_HOMES = (clean, normalize, transform, deep, hdbscan, kmeans, mixture, Network)


@dataclass(frozen=True)
class Opened:
    """What a release folder holds.

    Attributes:
        fitted: What training learnt.
        steps: The steps, to train again; None when they were chosen from the schema.
        settings: The pipeline's other settings.
        registry: The registry that the release was found in, if any.
        release: The release itself.
    """

    fitted: Fitted
    steps: list[Step] | None
    settings: dict[str, Any]
    registry: Path | None
    release: Release


def save(fitted: Fitted, settings: Mapping[str, Any], path: Path) -> Path:
    """Write a fitted pipeline to a folder, atomically; without the graphs of a deployed release."""
    return write_release(path, parts_of(fitted, settings), notes=fitted.describe()).path


def parts_of(fitted: Fitted, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the files of a release by name (see `headrace.deploy.release.build_release`)."""
    parts: dict[str, Any] = {
        "schema.json": fitted.schema.to_dict(),
        "plan.json": fitted.plan.to_dict(),
        "pipeline.json": {
            "settings": dict(settings),
            "weight": fitted.weight,
            "steps": [step_to_dict(step) for step in fitted.steps],
        },
        "profile.json": fitted.profile.to_dict(),
        "evaluation.json": fitted.scores,
        "card.md": card_of(fitted),
    }
    if fitted.target is not None:
        parts |= _network_parts(fitted)
        if fitted.conformal:
            parts["conformal.json"] = to_document(fitted.conformal)
    elif fitted.model is not None:
        parts["clusters.json"] = fitted.clusters.to_dict()
    return parts


def _network_parts(fitted: Fitted) -> dict[str, Any]:
    network = fitted.network
    parts: dict[str, Any] = {
        "target.json": network.target_spec.to_dict(),
        "network.json": network.description(),
        "weights.npz": {f"{i:05d}": array for i, array in enumerate(network.weights())},
    }
    custom = network.custom()
    return parts if custom is None else parts | {"network.keras": custom}


def open_release(path: Path) -> Opened:
    """Read a saved pipeline, a release, or a registry's champion, after checking every file.

    Raises:
        ReleaseError: If it is no release, was altered, or cannot be rebuilt.
    """
    release, registry = find_release(path)
    inside = release.path.parent
    if registry is None and inside.name == "releases":
        registry = inside.parent
    stored = release.document("pipeline.json")
    fitted = fitted_from(release)
    return Opened(fitted, list(fitted.steps), dict(stored["settings"]), registry, release)


class Parts(Protocol):
    """The parts of a release by name, wherever they lie."""

    def __contains__(self, name: object) -> bool:
        """Say whether there is a part of this name."""

    def document(self, name: str) -> Any:
        """Answer a JSON document, its arrays filled in."""

    def arrays(self, name: str) -> Mapping[str, NDArray[Any]]:
        """Answer named arrays."""

    def bytes(self, name: str) -> bytes:
        """Answer the content of any part."""


def fitted_from(release: Parts) -> Fitted:
    """Rebuild what training learnt from the parts of a release.

    Raises:
        ReleaseError: If a part is missing or does not fit.
    """
    pipeline = release.document("pipeline.json")
    target = (
        TargetSpec.from_dict(release.document("target.json")) if _has_network(release) else None
    )
    return Fitted(
        schema=Schema.from_dict(release.document("schema.json")),
        plan=Plan.from_dict(release.document("plan.json"), _python_node),
        target=target,
        model=_model(release),
        steps=tuple(step_from_dict(step) for step in pipeline["steps"]),
        weight=pipeline["weight"],
        profile=Profile.from_dict(release.document("profile.json")),
        scores=release.document("evaluation.json"),
        conformal=conformals_of(release),
    )


def _has_network(release: Parts) -> bool:
    return "network.json" in release


def _model(release: Parts) -> FittedNetwork | FittedClusters | None:
    if _has_network(release):
        weights = release.arrays("weights.npz")
        custom = release.bytes("network.keras") if "network.keras" in release else None
        return FittedNetwork.rebuild(
            release.document("network.json"), [weights[name] for name in sorted(weights)], custom
        )
    if "clusters.json" in release:
        return FittedClusters.from_dict(release.document("clusters.json"))
    return None


def _python_node(values: Mapping[str, Any]) -> PythonNode:
    name, state = values["python"], values["state"]
    kind = Step.known.get(name)
    if kind is None or not issubclass(kind, PythonTransformer):
        raise ReleaseError(
            f"the pipeline has a free Python step {name!r} that is not known here. "
            "Import the module that defines it before loading."
        )
    step = kind.restored(decode_parameters(state["parameters"]))
    step.restore(state["learnt"])
    outputs = tuple(ColumnInfo(**info) for info in values["outputs"])
    return PythonNode.of(name, step.transform, outputs, state)
