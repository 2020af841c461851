"""From the settings of a network to a Keras model that is ready to be trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError
from headrace.model import custom
from headrace.model.architectures import architecture
from headrace.model.backend import keras
from headrace.model.choices import (
    check_rate,
    choose_activation,
    choose_loss,
    choose_metrics,
    choose_optimizer,
    takes_smoothing,
)
from headrace.model.fitted import CUSTOM, weights_misfit
from headrace.model.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from headrace.model.choices import Loss
    from headrace.model.labelled import Labelled
    from headrace.model.network import Network
    from headrace.model.presets import Member
    from headrace.model.target import TargetSpec
    from headrace.plan.features import FeatureSpec

__all__ = ["Assembly", "are_widths", "assemble"]


@dataclass(frozen=True, eq=False)
class Assembly:
    """A new model, and how it is to be trained.

    Attributes:
        model: The Keras model, built.
        name: Its architecture; "custom" for a user's own.
        settings: All settings of the architecture.
        recipe: How it is trained, with what the user stated.
        network: The settings of the user.
        target: What is predicted.
    """

    model: Any
    name: str
    settings: dict[str, Any]
    recipe: Recipe
    network: Network
    target: TargetSpec

    def start(self, rows: Labelled, weights: Sequence[NDArray[Any]] | None) -> None:
        """Set the first weights: given ones, or what the architecture takes from the rows.

        Raises:
            SettingError: The given weights are of another network.
        """
        if weights is not None:
            misfit = weights_misfit(self.model, weights)
            if misfit:
                raise SettingError(f"the weights to start with are of another network: {misfit}")
            self.model.set_weights(list(weights))
            return
        begin = _fix_edges if self.name == CUSTOM else architecture(self.name).start
        if begin is not None:
            begin(self.model, rows.features, rows.target, self.target)

    def compile(self, steps: int) -> Loss:
        """Compile the model for a training of so many optimiser steps; answer the loss.

        Raises:
            SettingError: Loss, optimiser, schedule or metrics cannot be used.
        """
        network = self.network
        loss, optimizer = network.loss, network.optimizer
        if isinstance(network.hidden, keras().Model) and network.hidden.compiled:
            loss = network.hidden.loss if loss is None else loss
            optimizer = network.hidden.optimizer if optimizer is None else optimizer
        from headrace.model.schedules import start_schedules

        smoothing = self.recipe.label_smoothing
        if network.label_smoothing is None and not takes_smoothing(loss, self.target):
            smoothing = 0.0
        chosen = choose_loss(loss, self.target, label_smoothing=smoothing)
        self.model.compile(
            optimizer=self._optimizer(optimizer, steps),
            loss=chosen.function,
            metrics=choose_metrics(network.metrics, self.target),
            jit_compile=False,
        )
        start_schedules(self.model, steps)
        return chosen

    def _optimizer(self, optimizer: Any, steps: int) -> Any:
        from headrace.model.optimizer import adamw

        network = self.network
        check_rate(network.learning_rate)
        if optimizer is None:
            return adamw(
                self.model,
                self.recipe,
                steps=steps,
                learning_rate=network.learning_rate,
                schedule=network.schedule,
                factors=network.learning_rate_factors,
            )
        for name in ("schedule", "learning_rate_factors", "weight_decay"):
            if getattr(network, name) is not None:
                raise SettingError(
                    f"{name} goes with headrace's own optimizer; leave out optimizer={optimizer!r},"
                    " or give that one a Keras schedule as its learning rate"
                )
        return choose_optimizer(optimizer, network.learning_rate)


def assemble(
    network: Network, member: Member, features: FeatureSpec, target: TargetSpec
) -> Assembly:
    """Build the model that the settings of a network ask for.

    Args:
        network: The settings.
        member: What the preset chooses where the settings say nothing.
        features: The columns that come in.
        target: What is predicted.

    Raises:
        SettingError: A setting cannot be used.
    """
    model, name, settings = _build(network, member, features, target)
    recipe = Recipe() if name == CUSTOM else architecture(name).recipe_for(target)
    if name == member.architecture:
        recipe = replace(recipe, **member.recipe)
    return Assembly(model, name, settings, _stated(recipe, network), network, target)


def are_widths(hidden: Any) -> bool:
    """Answer whether `hidden` lists the widths of dense layers.

    Example:
        >>> are_widths([64, 64]), are_widths("mlp")
        (True, False)
    """
    if isinstance(hidden, str) or not isinstance(hidden, Sequence | np.ndarray):
        return False
    return all(isinstance(width, int | float | np.number) for width in hidden)


def _stated(recipe: Recipe, network: Network) -> Recipe:
    """Answer the recipe with what the user stated instead."""
    stated: dict[str, Any] = {
        name: getattr(network, name)
        for name in ("epochs", "label_smoothing", "weight_decay")
        if getattr(network, name) is not None
    }
    # Spread labels make the right class win more often, and its probability worse.
    if network.label_smoothing is None and network.monitor != "accuracy":
        stated["label_smoothing"] = 0.0
    if network.patience != "auto":
        stated["patience"] = network.patience
    if network.epochs is not None:
        stated |= {"epochs_without_validation": network.epochs, "most_steps": None}
    return replace(recipe, **stated)


def _build(
    network: Network, member: Member, features: FeatureSpec, target: TargetSpec
) -> tuple[Any, str, dict[str, Any]]:
    """Answer a new model, the name of its architecture and all settings of that."""
    hidden = network.hidden
    if hidden is None:
        return _named(network, member.architecture, dict(member.settings), features, target)
    if isinstance(hidden, str):
        return _named(network, hidden, {}, features, target)
    if are_widths(hidden):
        widths = {"hidden": [int(width) for width in hidden]}
        return _named(network, "mlp", widths, features, target)
    _check_own(network)
    if isinstance(hidden, keras().Model):
        model = custom.from_model(hidden, features, target)
    elif isinstance(hidden, Sequence):
        model = custom.from_layers(hidden, features, target, embedding=network.embedding)
    elif callable(hidden):
        model = custom.from_function(hidden, features, target)
    else:
        raise SettingError(
            "hidden must be widths, Keras layers, a keras.Model, a function "
            f"build(features, target), the name of an architecture or None, received {hidden!r}"
        )
    return model, CUSTOM, {}


def _named(
    network: Network,
    name: str,
    given: dict[str, Any],
    features: FeatureSpec,
    target: TargetSpec,
) -> tuple[Any, str, dict[str, Any]]:
    found = architecture(name)
    settings = found.settings({**_shared(network, found.defaults()), **given, **_own(network)})
    return found.build(features, target, **settings), name, settings


def _shared(network: Network, known: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the settings that many architectures have, where they are stated and known."""
    stated = {"embedding": network.embedding, "dropout": network.dropout}
    if network.activation is not None:
        stated["activation"] = choose_activation(network.activation)
    kept = {name: value for name, value in stated.items() if name in known}
    if network.dropout is None:
        kept.pop("dropout", None)
    else:
        kept["dropout"] = network.dropout  # an architecture without it says so
    return kept


def _own(network: Network) -> dict[str, Any]:
    return dict(network.settings or {})


def _check_own(network: Network) -> None:
    """Check that nothing is stated that a user's own layers or model would not hear of."""
    for name in ("dropout", "settings"):
        if getattr(network, name) is not None:
            raise SettingError(
                f"{name} has no effect on Keras layers or models of your own: set it in them"
            )


def _fix_edges(model: Any, *rows: Any) -> None:
    from headrace.model.architectures.ends import fix_edges

    fix_edges(model, *rows)
