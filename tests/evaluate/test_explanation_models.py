"""Every kind of model and of target is explained, and what cannot be is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.errors import NotTrainedError, SettingError
from headrace.evaluate import attribute, counterfactual, partial_dependence, surrogate_tree
from headrace.model.architectures.ends import answer

if TYPE_CHECKING:
    from collections.abc import Callable

TARGETS = ("value", "visits", "class", "level", "bought")


def _rows(count: int, seed: int) -> pl.DataFrame:
    """Numbers, a gap, a word of few levels and one of many, and a target of every kind."""
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(2, count))
    word, place = random.choice(["red", "größer", "中文"], count), random.integers(0, 90, count)
    signal = a + a * b / 2 + (word == "red") + (place % 3 == 0)
    frame = pl.DataFrame(
        {
            "a": a,
            "b": b,
            "word": word,
            "place": [f"p{one}" for one in place],
            "value": 50 + 10 * signal,
            "visits": random.poisson(np.exp(signal / 3)),
            "class": np.array(["low", "mid", "top"])[np.digitize(signal, [0, 1])],
            "level": np.digitize(signal, [-0.5, 0.5, 1.5]),
            "bought": np.where(signal > 0.5, "yes", "no"),
        }
    )
    return frame.with_columns(a=pl.when(random.random(count) < 0.1).then(None).otherwise("a"))


def _pipe(network: hr.Network, target: str | tuple[str, ...], *, words: bool = True) -> hr.Pipeline:
    wanted = (target,) if isinstance(target, str) else target
    gone = tuple(name for name in TARGETS if name not in wanted)
    steps = [
        hr.transform.Drop(gone if words else (*gone, "word", "place")),
        *([hr.transform.Encode()] if words else []),
        hr.clean.Impute(),
        hr.normalize.Standardize(),
        network,
    ]
    pipe = hr.Pipeline(steps, target=target if isinstance(target, str) else list(target))
    pipe.train(_rows(300, 0))
    return pipe


def _check(pipe: hr.Pipeline, **asked: Any) -> None:
    """The contributions have the right shape, add up, and agree with sampled Shapley values."""
    rows = _rows(12, 1)
    found = attribute(pipe, rows, reference=_rows(200, 2), **asked)
    assert found.values.shape == (12, len(pipe.schema.names))
    assert found.columns == tuple(pipe.schema.names)
    assert np.isfinite(found.values).all()
    spread = float(np.ptp(np.concatenate([found.answer, found.base])))
    assert spread > 0
    assert np.abs(found.gap).max() < 0.02 * spread
    unused = [n for n, name in enumerate(found.columns) if name in TARGETS]
    assert not found.values[:, unused].any()
    exact = attribute(pipe, rows, reference=_rows(200, 2), method="shapley", orders=40, **asked)
    assert exact.answer == pytest.approx(found.answer)
    assert np.abs(exact.gap).max() < 1e-9 * max(1.0, np.abs(exact.answer).max())
    assert np.corrcoef(exact.values.ravel(), found.values.ravel())[0, 1] > 0.8


# -- targets --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "settings", "label"),
    [
        ("value", {}, None),
        ("value", {"quantiles": (0.1, 0.5, 0.9)}, None),
        ("value", {"quantiles": (0.2, 0.4, 0.6, 0.8)}, None),
        ("value", {"loss": "gaussian"}, None),
        ("visits", {"task": "count"}, None),
        ("class", {}, "mid"),
        ("level", {"task": "ordinal"}, 2),
        ("bought", {}, "no"),
        ("bought", {"calibrate": "temperature"}, "yes"),
        ("bought", {"calibrate": "isotonic"}, "yes"),
        ("class", {"calibrate": "temperature"}, "top"),
    ],
)
def test_every_target_is_explained(target: str, settings: dict[str, Any], label: Any) -> None:
    network = hr.Network([16], epochs=8, batch_size=32, **settings)
    _check(_pipe(network, target), label=label)


@pytest.mark.slow
def test_each_of_several_targets_is_explained() -> None:
    network = hr.Network([16], epochs=8, batch_size=32, task={"visits": "count"})
    pipe = _pipe(network, ("value", "class", "visits"))
    for target, label in (("value", None), ("class", "top"), ("visits", None)):
        _check(pipe, target=target, label=label)
    with pytest.raises(SettingError, match="say which one is explained, target='value'"):
        attribute(pipe, _rows(3, 1))
    with pytest.raises(SettingError, match="perhaps 'value' is meant"):
        attribute(pipe, _rows(3, 1), target="vlaue")


# -- architectures --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["linear", "mlp", "realmlp", "tabm"])
@pytest.mark.parametrize("target", ["value", "class"])
def test_every_architecture_is_explained(name: str, target: str) -> None:
    network = hr.Network(name, epochs=8, batch_size=32)
    # An outer class: along the way to a middle one the answer rises and falls, so that path and
    # orders rightly differ.
    _check(_pipe(network, target), label="top" if target == "class" else None)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["bought", "value", ("value", "class")])
def test_an_ensemble_is_explained(target: Any) -> None:
    pipe = _pipe(hr.Network(preset="best", epochs=2, batch_size=64), target)
    assert pipe.fitted.network.architecture == "ensemble"
    _check(pipe, target=None if isinstance(target, str) else "value")


# -- networks that users bring --------------------------------------------------------------------


def _sequential() -> keras.Model:
    """Takes one block."""
    return keras.Sequential([keras.layers.Dense(16, activation="gelu"), keras.layers.Dense(1)])


def _two_inputs(features: Any, target: Any) -> keras.Model:
    """Takes numbers and codes by name, with an embedding of its own."""
    numbers = keras.Input((len(features.numbers),), name="numbers")
    codes = keras.Input((len(features.categories),), dtype="int32", name="categories")
    vectors = keras.layers.Embedding(max(features.cardinalities), 4)(codes)
    block = keras.layers.Concatenate()([numbers, keras.layers.Flatten()(vectors)])
    block = keras.layers.Dense(16, activation="tanh")(block)
    return keras.Model([numbers, codes], answer(block, target))


def _numbers_alone(features: Any, target: Any) -> keras.Model:
    numbers = keras.Input((len(features.numbers),), name="numbers")
    return keras.Model(numbers, answer(keras.layers.Dense(8, "tanh")(numbers), target))


def _nested(features: Any, target: Any) -> keras.Model:
    """A functional model inside of a functional model, both with codes."""
    inner = _two_inputs(features, target)
    given = [keras.Input(one.shape[1:], dtype=one.dtype, name=one.name) for one in inner.inputs]
    return keras.Model(given, inner(given))


@keras.saving.register_keras_serializable(package="tests")
class Written(keras.Model):
    """A model whose call nobody can look into."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden, self.last = keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)

    def call(self, inputs: Any) -> Any:
        return self.last(self.hidden(inputs))


@pytest.mark.slow
@pytest.mark.parametrize(
    "hidden",
    [
        _sequential,
        lambda: [keras.layers.Dense(16, activation="gelu"), keras.layers.BatchNormalization()],
        lambda: _two_inputs,
        lambda: _numbers_alone,
        lambda: _nested,
        Written,
    ],
    ids=["sequential", "layers", "two inputs", "numbers alone", "nested", "written"],
)
def test_networks_that_users_bring_are_explained(hidden: Callable[[], Any]) -> None:
    _check(_pipe(hr.Network(hidden(), epochs=8, batch_size=32), "value"))


def _codes_in_a_written_model(features: Any, target: Any) -> keras.Model:
    """Hands its codes to a model that has no graph."""

    class Hidden(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.vectors = keras.layers.Embedding(max(features.cardinalities), 2)
            self.flat = keras.layers.Flatten()

        def call(self, inputs: Any) -> Any:
            return self.flat(self.vectors(inputs))

    numbers = keras.Input((len(features.numbers),), name="numbers")
    codes = keras.Input((len(features.categories),), dtype="int32", name="categories")
    block = keras.layers.Concatenate()([numbers, Hidden()(codes)])
    return keras.Model([numbers, codes], answer(block, target))


def _mixed(features: Any, target: Any) -> keras.Model:
    """Adds the codes up before they become vectors."""
    codes = keras.Input((len(features.categories),), dtype="int32", name="categories")
    summed = keras.ops.sum(codes, axis=1, keepdims=True)
    vectors = keras.layers.Embedding(sum(features.cardinalities), 4)(summed)
    return keras.Model(codes, answer(keras.layers.Flatten()(vectors), target))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "message"),
    [
        (_codes_in_a_written_model, 'where it cannot be cut: use method="shapley"'),
        (_mixed, "mixes word, place before it turns them into vectors"),
    ],
)
def test_what_has_no_gradient_is_refused_and_sampled(build: Any, message: str) -> None:
    pipe = _pipe(hr.Network(build, epochs=1, batch_size=64), "value")
    with pytest.raises(SettingError, match=message):
        attribute(pipe, _rows(3, 1))
    assert np.abs(attribute(pipe, _rows(3, 1), method="shapley", orders=8).gap).max() < 1e-6


# -- wrong use ------------------------------------------------------------------------------------


def test_a_number_has_no_classes(regression: hr.Pipeline, fresh: pl.DataFrame) -> None:
    with pytest.raises(SettingError, match="'wage' is a number and has no classes, received label"):
        attribute(regression, fresh, label="yes")
    with pytest.raises(SettingError, match="predicts 'wage', received target='rich'"):
        attribute(regression, fresh, target="rich")


def test_a_pipeline_without_a_network_is_refused() -> None:
    rows = pl.DataFrame({"a": [0.0, 1.0, 8.0, 9.0] * 10, "b": [1.0, 2.0, 7.0, 9.0] * 10})
    clusters = hr.Pipeline([hr.normalize.Standardize(), hr.KMeans(2)])
    clusters.train(rows)
    with pytest.raises(NotTrainedError, match="no network: it was trained without a target"):
        attribute(clusters, rows)
    with pytest.raises(NotTrainedError, match="train"):
        attribute(hr.Pipeline([hr.Network([4])], target="a"), rows)


# -- releases -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def released(
    trained: hr.Pipeline, tmp_path_factory: pytest.TempPathFactory
) -> tuple[hr.Pipeline, hr.Runtime]:
    pipe = trained.copy()
    pipe.adopt(trained.fitted, None)
    folder = tmp_path_factory.mktemp("release") / "models"
    pipe.deploy(folder)
    return pipe, hr.Runtime(folder)


def test_a_release_is_explained_as_its_pipeline_is(
    released: tuple[hr.Pipeline, hr.Runtime], fresh: pl.DataFrame
) -> None:
    rows, reference = fresh.head(6), fresh.tail(60)
    asked = {"method": "shapley", "reference": reference, "orders": 8}
    pipeline, release = (attribute(one, rows, **asked) for one in released)
    assert release.columns == pipeline.columns
    assert release.values == pytest.approx(pipeline.values, abs=1e-5)
    effects = [partial_dependence(one, reference, "age").mean for one in released]
    assert effects[1] == pytest.approx(effects[0], abs=1e-5)
    turned = [counterfactual(one, rows.head(1), reference=reference) for one in released]
    assert turned[1].summary() == turned[0].summary()
    assert surrogate_tree(released[1], reference).summary()


def test_a_release_has_no_gradients(
    released: tuple[hr.Pipeline, hr.Runtime], fresh: pl.DataFrame
) -> None:
    with pytest.raises(SettingError, match=r'use method="shapley" with reference=rows'):
        attribute(released[1], fresh.head(3), reference=fresh)


def test_a_release_of_clusters_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    rows = pl.DataFrame({"a": [0.0, 1.0, 8.0, 9.0] * 10, "b": [1.0, 2.0, 7.0, 9.0] * 10})
    clusters = hr.Pipeline([hr.normalize.Standardize(), hr.KMeans(2)])
    clusters.train(rows)
    folder = tmp_path_factory.mktemp("clusters") / "models"
    clusters.deploy(folder)
    with pytest.raises(SettingError, match=r"see hr\.cluster_cards"):
        attribute(hr.Runtime(folder), rows)
