"""AdamW against its formula, with factors for single variables; and inside of the compiled loop."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

import keras
import numpy as np
import pytest

from headrace.errors import SettingError
from headrace.model import loop
from headrace.model.optimizer import AdamW, adamw
from headrace.model.recipe import Recipe
from headrace.model.rows import Rows
from headrace.model.schedules import make_schedule, schedule_callbacks

RECIPE = Recipe(
    learning_rate=0.1,
    weight_decay=0.2,
    schedule="coslog4",
    decay_schedule="flat_cos",
    beta_2=0.95,
    epsilon=1e-8,
    clip_norm=None,
)
STEPS = 8


@keras.saving.register_keras_serializable(package="tests")
class Slow(keras.layers.Layer):  # type: ignore[misc]
    """A layer that says how its own variables are to be trained."""

    learning_rate_factors: ClassVar[dict[str, float]] = {"scale": 0.5}
    weight_decay_factors: ClassVar[dict[str, float]] = {"scale": 3.0}

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(name="scale", shape=input_shape[1:], initializer="ones")

    def call(self, inputs: Any) -> Any:
        return inputs * self.scale


def make_model() -> Any:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,), name="numbers")
    inner = keras.Sequential([keras.layers.Dense(4, name="deep")], name="inner")
    block = inner(Slow(name="slow")(inputs))
    return keras.Model({"numbers": inputs}, keras.layers.Dense(1, name="answer")(block))


def gradients(model: Any, seed: int) -> list[Any]:
    random = np.random.default_rng(seed)
    return [
        random.normal(size=variable.shape).astype(np.float32)
        for variable in model.trainable_variables
    ]


def by_hand(start: Any, gradients: list[Any], rates: Any, decays: Any) -> Any:
    """Adam with decoupled weight decay, for one variable."""
    w, m, v = start.astype(np.float64), 0.0, 0.0
    for step, gradient in enumerate(gradients):
        m = 0.9 * m + 0.1 * gradient
        v = 0.95 * v + 0.05 * np.square(gradient)
        w = w * (1 - rates[step] * decays[step])
        m_hat, v_hat = m / (1 - 0.9 ** (step + 1)), v / (1 - 0.95 ** (step + 1))
        w = w - rates[step] * m_hat / (np.sqrt(v_hat) + 1e-8)
    return w


def test_each_variable_follows_its_own_formula() -> None:
    model = make_model()
    optimizer = adamw(model, RECIPE, steps=STEPS, factors={"inner": 2.0, "deep": 0.05})
    before = model.get_weights()
    drawn = [gradients(model, seed) for seed in range(STEPS)]
    for step in drawn:
        optimizer.apply(step, model.trainable_variables)
    rate, decay = make_schedule("coslog4", 0.1, STEPS), make_schedule("flat_cos", 0.2, STEPS)
    assert callable(rate)
    assert callable(decay)
    factors = {
        "slow/scale": (0.5, 3),
        "deep/kernel": (0.1, 1),
        "deep/bias": (0.1, 0),
        "answer/kernel": (1, 1),
        "answer/bias": (1, 0),
    }
    for place, variable in enumerate(model.trainable_variables):
        f, g = next(value for name, value in factors.items() if variable.path.endswith(name))
        rates = [f * float(rate(step)) for step in range(STEPS)]
        decays = [g * float(decay(step)) for step in range(STEPS)]
        expected = by_hand(before[place], [step[place] for step in drawn], rates, decays)
        assert np.allclose(variable, expected, atol=2e-5), variable.path


def test_without_factors_it_is_keras_adamw() -> None:
    kept = []
    for kind in ("ours", "keras"):
        model = make_model()
        model.get_layer("slow").trainable = False
        recipe = Recipe(learning_rate=2e-3, ema_momentum=None)
        optimizer = adamw(model, recipe, steps=1)
        if kind == "keras":
            optimizer = keras.optimizers.AdamW(2e-3, weight_decay=3e-4, global_clipnorm=1.0)
            optimizer.exclude_from_weight_decay(var_names=["bias"])
        for seed in range(3):
            optimizer.apply(gradients(model, seed), model.trainable_variables)
        kept.append(model.get_weights())
    for ours, theirs in zip(*kept, strict=True):
        assert np.allclose(ours, theirs, atol=1e-7)


def test_it_can_be_made_again_from_its_settings() -> None:
    model = make_model()
    optimizer = adamw(model, RECIPE, steps=STEPS, factors={"answer": 0.5})
    again = AdamW.from_config(optimizer.get_config())
    assert again.get_config() == optimizer.get_config()
    assert again.learning_rate_factors == {
        "slow/scale": 0.5,
        "answer/kernel": 0.5,
        "answer/bias": 0.5,
    }
    stored = keras.saving.serialize_keras_object(optimizer)
    assert keras.saving.deserialize_keras_object(stored).get_config() == optimizer.get_config()


def test_what_is_stated_goes_before_the_recipe() -> None:
    model = make_model()
    assert float(adamw(model, RECIPE, steps=9, schedule="cosine").learning_rate) == pytest.approx(
        0.1
    )
    constant = adamw(model, RECIPE, steps=9, learning_rate=0.3, schedule="constant")
    assert constant.get_config()["learning_rate"] == pytest.approx(0.3)
    own = keras.optimizers.schedules.ExponentialDecay(0.7, 10, 0.5)
    assert float(adamw(model, RECIPE, steps=9, learning_rate=own).learning_rate) == pytest.approx(
        0.7
    )


def test_an_unknown_layer_or_a_bad_factor_is_an_error() -> None:
    model = make_model()
    with pytest.raises(
        SettingError,
        match=r"the layer 'slwo', .* it has slow, inner, deep, answer\. Perhaps 'slow'",
    ):
        adamw(model, Recipe(), steps=1, factors={"slwo": 0.1})
    with pytest.raises(
        SettingError, match="of the layer 'slow' must be a number, 0 or more, received -1"
    ):
        adamw(model, Recipe(), steps=1, factors={"slow": -1})
    with pytest.raises(SettingError, match="received 'fast'"):
        adamw(model, Recipe(), steps=1, factors={"slow": "fast"})  # type: ignore[dict-item]


def make_rows(count: int, seed: int) -> Rows:
    numbers = np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)
    return Rows({"numbers": numbers}, numbers.sum(axis=1, keepdims=True))


def train(schedule: str, factors: dict[str, float]) -> tuple[Any, loop.Training]:
    model = make_model()
    optimizer = adamw(model, RECIPE, steps=5 * 4, schedule=schedule, factors=factors)
    model.compile(optimizer=optimizer, loss="mse", jit_compile=False)
    callbacks = schedule_callbacks(schedule, patience=1)
    rows, held = make_rows(40, 0), make_rows(20, 1)
    training = loop.train(
        model, rows, held, epochs=4, batch_size=8, patience=None, callbacks=callbacks
    )
    return model, training


def test_the_compiled_loop_trains_with_it_to_the_bit() -> None:
    first, training = train("coslog4", {"deep": 0.0})
    assert training.notes == ()  # XLA compiles it
    assert training.history["loss"][-1] < training.history["loss"][0]
    again, _ = train("coslog4", {"deep": 0.0})
    for one, other in zip(first.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(one, other)
    # The factor 0 keeps a layer where it began.
    deep = first.get_layer("inner").get_layer("deep")
    started = make_model().get_layer("inner").get_layer("deep")
    assert np.array_equal(deep.kernel, started.kernel)


def test_plateau_lowers_the_rate_inside_of_the_compiled_loop() -> None:
    model, training = train("plateau", {})
    assert training.notes == ()
    rates = training.history["learning_rate"]
    lowered = sum(after < before for before, after in itertools.pairwise(rates))
    worse = [
        later >= min(training.history["val_loss"][: place + 1])
        for place, later in enumerate(training.history["val_loss"][1:])
    ]
    assert rates[0] == pytest.approx(0.1)
    assert lowered == sum(worse[:-1])
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1 * 0.5 ** sum(worse))
