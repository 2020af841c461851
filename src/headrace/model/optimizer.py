"""AdamW with a learning rate and a weight decay of its own for each variable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from headrace.errors import SettingError, nearest
from headrace.model.schedules import make_schedule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headrace.model.recipe import Recipe

__all__ = ["AdamW", "adamw"]

_Schedule = keras.optimizers.schedules.LearningRateSchedule


@keras.saving.register_keras_serializable(package="headrace")
class AdamW(keras.optimizers.Adam):  # type: ignore[misc]
    """Adam with decoupled weight decay, and factors for single variables.

    With the learning rate r and the weight decay d of a step, a variable with the factors f and g
    becomes

        w <- w * (1 - r * f * d * g) - r * f * m / (sqrt(v) + epsilon)

    with Adam's means m and v, corrected for their start at 0: Kingma and Ba, "Adam: a method for
    stochastic optimization" (2015), Loshchilov and Hutter, "Decoupled weight decay regularization"
    (2019). Factors of 1 are not multiplied with, so they cost nothing.

    Args:
        learning_rate: r: a number or a Keras schedule.
        weight_decay: d: a number, or a Keras schedule of the step.
        learning_rate_factors: f of each variable by its path; 1 where none is given.
        weight_decay_factors: g of each variable by its path; 1 where none is given.
        kwargs: Those of `keras.optimizers.Adam`.
    """

    def __init__(
        self,
        learning_rate: Any = 4e-3,
        *,
        weight_decay: Any = 3e-4,
        learning_rate_factors: Mapping[str, float] | None = None,
        weight_decay_factors: Mapping[str, float] | None = None,
        name: str = "adamw",
        **kwargs: Any,
    ) -> None:
        """Store the settings."""
        if isinstance(weight_decay, dict):
            weight_decay = keras.saving.deserialize_keras_object(weight_decay)
        # Keras would decay all variables alike; `update_step` does it here.
        kwargs["weight_decay"] = None
        super().__init__(learning_rate, name=name, **kwargs)
        self.decay = weight_decay
        self.learning_rate_factors = dict(learning_rate_factors or {})
        self.weight_decay_factors = dict(weight_decay_factors or {})

    def build(self, variables: Any) -> None:
        """Make Adam's means, and find the factors of the variables."""
        if self.built:
            return
        super().build(variables)
        paths = [variable.path for variable in variables]
        self._rate_factors = [float(self.learning_rate_factors.get(path, 1)) for path in paths]
        self._decay_factors = [float(self.weight_decay_factors.get(path, 1)) for path in paths]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Decay one variable and take Adam's step with it."""
        place = self._get_variable_index(variable)
        rate = ops.cast(learning_rate, variable.dtype)
        if self._rate_factors[place] != 1:
            rate = rate * self._rate_factors[place]
        factor = self._decay_factors[place]
        if factor and self.decay is not None:
            decay = self.decay(self.iterations) if callable(self.decay) else self.decay
            share = rate * ops.cast(decay * factor, variable.dtype)
            self.assign_sub(variable, variable * share)
        super().update_step(gradient, variable, rate)

    def _update_model_variables_moving_average(self, trainable_variables: Any) -> None:
        """Average the weights; the first steps weigh more, else the start would stay in it."""
        if not self.use_ema:
            return
        done = ops.cast(self.iterations, "float32")
        momentum = ops.minimum(self.ema_momentum, (1 + done) / (10 + done))
        momentum = ops.where(done > 0, momentum, 0.0)  # before the first step there is no average
        for variable, average in zip(
            trainable_variables, self._model_variables_moving_average, strict=True
        ):
            share = ops.cast(momentum, variable.dtype)
            # In this form the average of a weight that stays is that weight to the bit.
            self.assign_add(average, (1 - share) * (variable - average))

    def get_config(self) -> dict[str, Any]:
        """Answer the settings."""
        scheduled = isinstance(self.decay, _Schedule)
        decay = keras.saving.serialize_keras_object(self.decay) if scheduled else self.decay
        return {
            **super().get_config(),
            "weight_decay": decay,
            "learning_rate_factors": self.learning_rate_factors,
            "weight_decay_factors": self.weight_decay_factors,
        }


def adamw(
    model: keras.Model,
    recipe: Recipe,
    *,
    steps: int,
    learning_rate: Any = None,
    schedule: str | None = None,
    factors: Mapping[str, float] | None = None,
) -> AdamW:
    """Answer the optimiser that trains a model after a recipe.

    Biases are not decayed. A layer can say how its own variables are to be trained, by two dicts of
    variable names: `learning_rate_factors` and `weight_decay_factors`.

    Args:
        model: Built.
        recipe: How its architecture is trained.
        steps: Optimiser steps of the whole training, for schedules.
        learning_rate: Replaces the recipe's: a number, or a Keras schedule that is taken as it is.
        schedule: Replaces the recipe's, by name; see `make_schedule`.
        factors: Learning-rate factors by the name of a layer, `{"embedding": 0.1}`, on top of the
            layer's own; 0 keeps a layer as it is.

    Raises:
        SettingError: There is no such schedule or layer, or a factor is negative or no number.
    """
    rate = recipe.learning_rate if learning_rate is None else learning_rate
    if not isinstance(rate, _Schedule):
        rate = make_schedule(schedule or recipe.schedule, rate, steps)
    rates, decays = _factors(model, _checked(model, factors or {}))
    return AdamW(
        rate,
        weight_decay=make_schedule(recipe.decay_schedule, recipe.weight_decay, steps),
        learning_rate_factors=rates,
        weight_decay_factors=decays,
        beta_1=recipe.beta_1,
        beta_2=recipe.beta_2,
        epsilon=recipe.epsilon,
        global_clipnorm=recipe.clip_norm,
        use_ema=recipe.ema_momentum is not None,
        ema_momentum=recipe.ema_momentum or 0.99,
    )


def _factors(
    model: keras.Model, stated: Mapping[str, float]
) -> tuple[dict[str, float], dict[str, float]]:
    """The factors of rate and decay by variable path, those of 1 left out."""
    rates: dict[str, float] = {}
    decays: dict[str, float] = {}
    for layer, factor in _layers(model, stated):
        own_rates = getattr(layer, "learning_rate_factors", {})
        own_decays = getattr(layer, "weight_decay_factors", {})
        # A layer inside of another is come by twice, the outer one first.
        inner = {id(variable) for part in _parts(layer) for variable in part.trainable_variables}
        for variable in layer.trainable_variables:
            if id(variable) in inner:
                continue
            rates[variable.path] = factor * own_rates.get(variable.name, 1)
            free = 0 if "bias" in variable.name else 1
            decays[variable.path] = own_decays.get(variable.name, free)
    return _not_one(rates), _not_one(decays)


def _layers(
    model: Any, stated: Mapping[str, float], outer: float = 1
) -> Iterator[tuple[Any, float]]:
    """Each layer, nested ones too, with the product of the stated factors that hold for it."""
    for layer in _parts(model):
        factor = outer * stated.get(layer.name, 1)
        yield layer, factor
        yield from _layers(layer, stated, factor)


def _parts(layer: Any) -> list[Any]:
    """The layers directly inside of a layer or model."""
    return list(layer._flatten_layers(recursive=False, include_self=False))  # noqa: SLF001


def _not_one(factors: Mapping[str, float]) -> dict[str, float]:
    return {path: float(factor) for path, factor in factors.items() if factor != 1}


def _checked(model: keras.Model, factors: Mapping[str, float]) -> Mapping[str, float]:
    names = [layer.name for layer, _ in _layers(model, {}) if layer.trainable_variables]
    for name, factor in factors.items():
        if name not in names:
            close = nearest(str(name), names)
            meant = f" Perhaps {close!r} is meant." if close else ""
            raise SettingError(
                f"learning_rate_factors names the layer {name!r}, and the network has no trained "
                f"layer of this name; it has {', '.join(names)}.{meant}"
            )
        number = isinstance(factor, int | float) and not isinstance(factor, bool)
        if not number or not 0 <= factor < float("inf"):
            raise SettingError(
                f"the learning-rate factor of the layer {name!r} must be a number, 0 or more, "
                f"received {factor!r}"
            )
    return factors
