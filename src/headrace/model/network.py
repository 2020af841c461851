"""The network step: an unfitted `Network` holds settings, a `FittedNetwork` answers predictions.

(Signatures; the body follows.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headrace.model.features import Features, FeatureSpec
    from headrace.model.target import TargetSpec

__all__ = ["FittedNetwork", "Network"]


class Network:
    """The settings of a network and its training; `fit` answers a `FittedNetwork`."""

    def __init__(
        self,
        hidden: Any = None,
        *,
        activation: str = "relu",
        loss: Any = None,
        optimizer: Any = "adamw",
        learning_rate: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        patience: int | None = 16,
        embedding: str | None = "piecewise",
        dropout: float = 0.1,
        class_weight: Any = None,
        metrics: Any = None,
        callbacks: Sequence[Any] = (),
        task: str | None = None,
    ) -> None:
        self.hidden = hidden

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        raise NotImplementedError

    def set_params(self, **params: Any) -> Network:
        raise NotImplementedError

    def fit(
        self,
        features: Features,
        target: NDArray[Any],
        *,
        feature_spec: FeatureSpec,
        target_spec: TargetSpec,
        validation: tuple[Features, NDArray[Any]] | None = None,
        sample_weight: NDArray[Any] | None = None,
        start: Sequence[NDArray[Any]] | None = None,
        seed: int = 0,
    ) -> FittedNetwork:
        raise NotImplementedError


class FittedNetwork:
    """A trained network."""

    model: Any
    feature_spec: FeatureSpec
    target_spec: TargetSpec
    history: dict[str, list[float]]
    best_epoch: int
    seconds: dict[str, float]
    notes: tuple[str, ...]

    def predict(self, features: Features) -> NDArray[Any]:
        raise NotImplementedError

    def tensorflow(self, blocks: Mapping[str, Any]) -> Any:
        raise NotImplementedError

    def description(self) -> dict[str, Any]:
        raise NotImplementedError

    def weights(self) -> list[NDArray[Any]]:
        raise NotImplementedError

    def custom(self) -> bytes | None:
        raise NotImplementedError

    @classmethod
    def rebuild(
        cls,
        description: Mapping[str, Any],
        weights: Sequence[NDArray[Any]],
        custom: bytes | None = None,
    ) -> FittedNetwork:
        raise NotImplementedError
