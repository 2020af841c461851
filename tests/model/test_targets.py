"""Several targets: the spec, and the loss of all of them."""

from __future__ import annotations

import json
from typing import Any

import keras
import numpy as np
import polars as pl
import pytest
import tensorflow as tf

from headrace.errors import SettingError
from headrace.model.choices import choose_loss
from headrace.model.target import TargetSpec
from headrace.model.targets import Targets

PRICE = TargetSpec("my price", "regression", mean=10.0, scale=2.0, likelihood="normal")
SOLD = TargetSpec("sold", "binary", classes=("no", "yes"))
KIND = TargetSpec("kind", "multiclass", classes=(1, 2, 3))
ALL = Targets.of([PRICE, SOLD, KIND])
ROWS = pl.DataFrame({"my price": [12.0, None], "sold": ["yes", "no"], "kind": [3, None]})


def test_each_target_has_its_columns_of_the_output() -> None:
    assert ALL.outputs == 6
    assert [(one.start, one.stop) for one in ALL.slices] == [(0, 2), (2, 3), (3, 6)]
    assert ALL.columns == ("my price", "sold", "kind")
    output = np.array([[1.0, 0.5, 0.7, 0.1, 0.2, 0.7]])
    said = {name: values.tolist() for name, values in ALL.decode_all(output).items()}
    assert said == {"my price": [12.0], "sold": ["yes"], "kind": [3]}
    answers = ALL.answers(output)
    assert tuple(answers) == ALL.answer_names
    again = {name: values.tolist() for name, values in ALL.decode_answers(answers).items()}
    assert again == said
    assert ALL.distribution(answers)["my price_deviation"].tolist() == [1.0]


def test_what_is_not_known_is_nan() -> None:
    encoded = ALL.encode(ROWS.to_struct("all"))
    np.testing.assert_array_equal(encoded, [[1.0, 1.0, 2.0], [np.nan, 0.0, np.nan]])


def test_specs_come_back_from_json() -> None:
    assert TargetSpec.from_dict(json.loads(json.dumps(ALL.to_dict()))) == ALL


def test_keys_are_plain_and_different() -> None:
    names = ["a b", "a_b", "ä", "1"]
    keys = Targets.of([TargetSpec(name, "regression") for name in names]).keys
    assert keys == ("a_b", "target1_a_b", "target2__", "target3_1")


def test_a_struct_is_inferred_target_by_target() -> None:
    rows = pl.DataFrame({"n": [0, 1, 5, None], "c": ["a", None, "b", "c"]})
    spec = TargetSpec.infer(rows.to_struct("all"), task={"n": "count"})  # type: ignore[arg-type]
    assert isinstance(spec, Targets)
    assert [part.likelihood for part in spec.parts] == ["poisson", "categorical"]
    with pytest.raises(SettingError, match="'m', which is not among the targets 'n', 'c'"):
        TargetSpec.infer(rows.to_struct("all"), task={"m": "count"})  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="'n' is the only one"):
        TargetSpec.infer(rows["n"].drop_nulls(), task={"n": "count"})  # type: ignore[arg-type]


def own_loss(spec: TargetSpec, truth: Any, output: Any) -> Any:
    loss = choose_loss(None, spec)
    return np.asarray(loss.function(loss.target(np.asarray(truth), spec.outputs), output))


def test_the_loss_is_the_mean_of_those_that_are_known() -> None:
    output = np.array([[1, 0.5, 0.7, 0.1, 0.2, 0.7], [0, 1, 0.4, 0.3, 0.3, 0.4]], np.float32)
    truth = ALL.encode(ROWS.to_struct("all"))
    loss = choose_loss(None, ALL)
    found = np.asarray(loss.function(loss.target(truth, 6), output))
    sold = own_loss(SOLD, [1, 0], output[:, 2:3])
    price = own_loss(PRICE, [1.0], output[:1, :2])
    kind = own_loss(KIND, [2], output[:1, 3:])
    expected = np.array([price[0] + sold[0] + kind[0], sold[1]]) / 3
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_gaps_leave_the_gradient_finite() -> None:
    output = tf.Variable(np.full((2, 6), 0.5, np.float32))
    loss = choose_loss({"sold": keras.losses.BinaryFocalCrossentropy()}, ALL)
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(loss.function(tf.constant(ALL.encode(ROWS.to_struct("a"))), output))
    gradient = tape.gradient(value, output).numpy()
    assert np.isfinite(gradient).all()
    assert (gradient[1, :2] == 0).all()
    assert (gradient[1, 3:] == 0).all()
    assert gradient[1, 2] != 0


def test_one_hot_losses_do_not_go_together() -> None:
    with pytest.raises(SettingError, match="must read class numbers"):
        choose_loss({"kind": "categorical_crossentropy"}, ALL)


def test_columns_of_one_name_are_refused() -> None:
    parts = [
        TargetSpec("a", "binary", classes=("b_c", "x")),
        TargetSpec("a_b", "binary", classes=("c", "y")),
    ]
    both = Targets.of(parts)
    with pytest.raises(SettingError, match="would both be called 'a_b_c': rename the target 'a_b'"):
        both.distribution(both.answers(np.array([[0.2, 0.3]])))
