"""The network step: what it builds, that chance is repeatable, what it refuses."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from sklearn.base import clone

from headrace.errors import DataError, SettingError
from headrace.model.network import Network
from headrace.model.target import TargetSpec
from headrace.plan.features import Features, FeatureSpec

XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float32)


def fit_xor(network: Network, seed: int = 0) -> Any:
    return network.fit(
        Features(XOR, np.zeros((4, 0), dtype=np.int32)),
        np.array([0, 1, 1, 0], dtype=np.int32),
        feature_spec=FeatureSpec(("a", "b")),
        target_spec=TargetSpec("xor", "binary", classes=(0, 1)),
        seed=seed,
    )


def fit_quick(network: Network, table: Any, **more: Any) -> Any:
    network.set_params(epochs=network.epochs or 1)
    return table.fit(network, **more)


# -- parameters -----------------------------------------------------------------------------------


def test_parameters_are_those_of_scikit_learn() -> None:
    network = Network([64, 64], activation="tanh", loss="mse", learning_rate=0.1)
    assert network.get_params()["activation"] == "tanh"
    assert clone(network).get_params() == network.get_params()
    assert network.set_params(epochs=3).epochs == 3
    with pytest.raises(SettingError, match="no parameter 'epoch'.* 'epochs'"):
        network.set_params(epoch=3)


def test_the_constructor_only_stores() -> None:
    layers = [keras.layers.Dense(3)]
    network = Network(layers, callbacks=(1, 2))
    assert network.hidden is layers
    assert network.callbacks == (1, 2)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"hidden": [8, 0]}, "a hidden width must be a whole number, 1 or more, received 0"),
        ({"hidden": [8, -3]}, "received -3"),
        ({"hidden": [8, 2.5]}, "received 2.5"),
        ({"hidden": 3}, "hidden must be widths, Keras layers, a keras.Model, .*received 3"),
        ({"hidden": "tabn"}, "there is no architecture 'tabn'.* Perhaps 'tabm' is meant"),
        ({"epochs": 0}, "epochs must be a whole number, 1 or more, received 0"),
        ({"batch_size": 1.5}, "batch_size must be a whole number"),
        ({"patience": True}, "patience must be a whole number"),
        ({"dropout": 1.0}, "dropout must be a number from 0 to below 1, received 1.0"),
        ({"task": "binari"}, "perhaps 'binary' is meant"),
        ({"activation": "rellu"}, "activation 'rellu' is not known; perhaps 'relu' is meant"),
        ({"loss": "mde"}, "loss 'mde' is not known; perhaps 'mse' is meant"),
        ({"optimizer": "adan"}, "optimizer 'adan' is not known; perhaps 'adam' is meant"),
        ({"learning_rate": -1}, "learning_rate must be a number above 0"),
        ({"embedding": "pieces"}, "must be one of piecewise or None, .* 'piecewise' is meant"),
        ({"settings": {"member": 2}}, "no setting 'member'.* Perhaps 'members' is meant"),
        ({"hidden": "linear", "dropout": 0.1}, "'linear' has no setting 'dropout'"),
        ({"hidden": [keras.layers.Dense(2)], "dropout": 0.1}, "dropout has no effect on Keras"),
        ({"class_weight": {"may": 2}}, "the label 'may', which 'y' does not have"),
    ],
)
def test_settings_that_cannot_be_used(settings: Any, text: str, table: Any) -> None:
    with pytest.raises(SettingError, match=text):
        table(rows=20).fit(Network(**settings))


def test_rows_that_cannot_be_used(table: Any) -> None:
    broken = table(rows=20)
    broken.features.numbers[3, 1] = np.nan
    with pytest.raises(DataError, match="column 'n1', row 3: the network needs finite numbers"):
        broken.fit(Network())
    fine = table(rows=20)
    with pytest.raises(DataError, match="there are no validation rows"):
        fine.fit(Network(), validation=fine.part(slice(0, 0)))
    with pytest.raises(SettingError, match="needs at least one feature column"):
        table(rows=20, numbers=0, cardinalities=()).fit(Network())


# -- what is built --------------------------------------------------------------------------------


def test_the_table_of_exclusive_or_as_keras_users_write_it() -> None:
    network = Network(
        [2],
        activation="relu",
        loss="binary_crossentropy",
        optimizer="adam",
        epochs=100,
        batch_size=1,
        patience=None,
        embedding=None,
    )
    fitted = fit_xor(network)
    first, second = [layer for layer in fitted.model.layers if layer.weights]
    assert (type(first), first.units, first.activation.__name__) == (keras.layers.Dense, 2, "relu")
    assert (type(second), second.units, second.activation.__name__) == (
        *(keras.layers.Dense, 1, "sigmoid"),
    )
    assert len(fitted.history["loss"]) == len(fitted.history["accuracy"]) == 100
    assert int(fitted.model.optimizer.iterations) == 400
    assert type(fitted.model.optimizer) is keras.optimizers.Adam


def test_exclusive_or_is_learnt_by_a_wider_network() -> None:
    settings: dict[str, Any] = {"learning_rate": 0.05, "epochs": 200, "batch_size": 4}
    network = Network([8], activation="tanh", patience=None, embedding=None, **settings)
    fitted = fit_xor(network)
    output = fitted.predict(Features(XOR, np.zeros((4, 0), dtype=np.int32)))
    assert fitted.target_spec.decode(output).tolist() == [0, 1, 1, 0]
    assert fitted.history["accuracy"][-1] == 1


def test_the_default_is_an_ensemble_with_embedded_numbers(table: Any) -> None:
    fitted = fit_quick(Network(settings={"members": 2, "hidden": [4]}), table(rows=40))
    assert fitted.architecture == "tabm"
    names = [type(layer).__name__ for layer in fitted.model.layers]
    assert {"PiecewiseLinear", "OneHot", "CategoryEmbedding", "MemberScale"} <= set(names)
    assert fitted.settings["members"] == 2


# -- chance ---------------------------------------------------------------------------------------


def test_one_seed_gives_the_same_bits_and_another_seed_others(table: Any) -> None:
    rows = table("multiclass", rows=60)
    network = Network([8], epochs=2, dropout=0.5)
    first, second, third = (rows.fit(network, seed=seed).weights() for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, third, strict=True))


# -- learning -------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_each_task_is_learnt(task: Any, table: Any) -> None:
    rows = table(task, rows=1000, cardinalities=(4,))
    train, held = slice(0, 800), slice(800, None)
    features, target = rows.part(train)
    network = Network([32], learning_rate=0.01, epochs=30, patience=5)
    fitted = network.fit(
        features,
        target,
        feature_spec=rows.feature_spec,
        target_spec=rows.target_spec,
        validation=rows.part(held),
    )
    output = fitted.predict(rows.features.take(held))
    if task == "regression":
        assert np.mean((output[:, 0] - rows.target[held]) ** 2) < 0.2 * rows.target.var()
    else:
        answers = fitted.target_spec.decode(output)
        truth = fitted.target_spec.labels[rows.target[held]]
        assert np.mean(answers == truth) > 0.85
    assert fitted.best_epoch <= fitted.epochs <= 30


def test_class_weights_and_row_weights_move_the_answer(table: Any) -> None:
    rows = table(rows=200)
    network = Network([], embedding=None, epochs=30, learning_rate=0.05, patience=None)
    plain = rows.fit(network).predict(rows.features).mean()
    heavy = rows.fit(Network(**{**network.get_params(), "class_weight": {"yes": 20}}))
    assert heavy.predict(rows.features).mean() > plain + 0.1
    weighted = rows.fit(network, sample_weight=np.where(rows.target == 1, 20.0, 1.0))
    assert np.allclose(weighted.predict(rows.features), heavy.predict(rows.features), atol=1e-4)


def test_training_goes_on_from_given_weights(table: Any) -> None:
    rows = table(rows=60)
    network = Network([4], epochs=1, learning_rate=1e-12, optimizer="sgd")
    first = rows.fit(network, seed=1)
    second = rows.fit(network, seed=2, start=first.weights())
    for mine, hers in zip(first.weights(), second.weights(), strict=True):
        assert np.allclose(mine, hers, atol=1e-6)
    with pytest.raises(SettingError, match="of another network: .* has the shape"):
        rows.fit(Network([5], epochs=1), start=first.weights())


# -- odd tables -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape",
    [
        {"rows": 1},
        {"rows": 7, "numbers": 0},
        {"rows": 7, "cardinalities": ()},
        {"rows": 50, "cardinalities": (10_000, 1)},
    ],
    ids=str,
)
def test_odd_tables_can_be_learnt(shape: Any, table: Any) -> None:
    rows = table("regression", **shape)
    rows.features.numbers[:, :1] = 3.0  # a column that does not vary
    network = Network([4], epochs=1, batch_size=1000)
    assert np.isfinite(rows.fit(network).predict(rows.features)).all()


# -- tuning ---------------------------------------------------------------------------------------


def test_tuning_may_try_what_the_network_has() -> None:
    bins = {"settings__bins", "settings__width"}
    rates = {"learning_rate", "weight_decay"}
    assert set(Network().search_space()) == {*rates, "dropout", "settings__hidden", *bins}
    assert set(Network([8]).search_space()) == {*rates, "dropout", "hidden", *bins}
    assert set(Network("linear").search_space()) == {*rates, *bins}
    assert set(Network([keras.layers.Dense(2)]).search_space()) == {"learning_rate"}


def test_weights_decay_as_stated(table: Any) -> None:
    rows = table("regression", rows=60)
    sizes = []
    for decay in (0.0, 0.9):
        network = Network(
            [4], epochs=20, learning_rate=0.05, patience=None, embedding=None, weight_decay=decay
        )
        fitted = rows.fit(network)
        sizes.append(sum(float(np.abs(array).sum()) for array in fitted.weights()[-4::2]))
    assert sizes[1] < 0.9 * sizes[0]
    with pytest.raises(SettingError, match="weight_decay must be a number from 0 to below 1"):
        rows.fit(Network([4], weight_decay=-1.0))
    with pytest.raises(SettingError, match="weight_decay goes with headrace's own optimizer"):
        rows.fit(Network([4], weight_decay=0.1, optimizer="sgd"))


def test_validation_rows_have_weights_too(table: Any) -> None:
    whole = table("regression", rows=120)
    network = Network([4], epochs=1, embedding=None)
    first, both = whole.part(slice(0, 30)), whole.part(slice(0, 60))
    weight = np.repeat([1.0, 0.0], 30)
    alone = whole.fit(network, validation=first)
    weighed = whole.fit(network, validation=both, validation_weight=weight)
    losses = [fitted.history["val_loss"][0] for fitted in (alone, weighed)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
