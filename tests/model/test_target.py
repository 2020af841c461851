"""The target: which task, which labels, and back from network output to answers."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headrace.errors import DataError, SettingError
from headrace.model.target import TargetSpec

LABELS = st.one_of(
    st.lists(st.integers(-5, 5), min_size=4, max_size=40),
    st.lists(st.booleans(), min_size=4, max_size=40),
    st.lists(st.text(max_size=3), min_size=4, max_size=40),
)


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        ([0, 1, 1, 0], "binary", (0, 1)),
        ([False, True, True], "binary", (False, True)),
        (["b", "a", "b"], "binary", ("a", "b")),
        (["b", "a", "c"], "multiclass", ("a", "b", "c")),
        ([1.0, 2.5, 1.0], "binary", (1.0, 2.5)),
        ([3, 1, 2] * 2, "multiclass", (1, 2, 3)),
        ([3, 1, 2, 4], "regression", ()),  # each integer is seen once: amounts, not classes
        (list(range(21)) * 2, "regression", ()),
        ([1.0, 2.0, 3.0] * 9, "regression", ()),
    ],
)
def test_the_task_follows_from_the_values(
    values: list[Any], task: str, classes: tuple[Any, ...]
) -> None:
    spec = TargetSpec.infer(pl.Series("y", values))
    assert (spec.name, spec.task, spec.classes) == ("y", task, classes)
    assert [type(label) for label in spec.classes] == [type(label) for label in classes]


def test_a_stated_task_goes_first() -> None:
    values = pl.Series("y", [1, 2, 3] * 5)
    assert TargetSpec.infer(values, task="regression").classes == ()
    assert TargetSpec.infer(values.cast(pl.Float64), task="multiclass").classes == (1.0, 2.0, 3.0)


def test_categorical_and_enum_labels_are_text() -> None:
    for dtype in (pl.Categorical, pl.Enum(["b", "a"])):
        spec = TargetSpec.infer(pl.Series("y", ["b", "a"], dtype=dtype))
        assert sorted(spec.classes) == ["a", "b"]
        assert spec.decode(spec.encode(pl.Series("y", ["b"], dtype=dtype))).tolist() == ["b"]


@given(LABELS.filter(lambda labels: len(set(labels)) > 1))
@example(["", "", "\x00"])
def test_labels_come_back_in_their_own_type(labels: list[Any]) -> None:
    values = pl.Series("y", labels)
    spec = TargetSpec.infer(values, task="multiclass")
    spec = TargetSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    decoded = spec.decode(np.eye(len(spec.classes))[spec.encode(values)]).tolist()
    assert decoded == labels
    assert [type(label) for label in decoded] == [type(label) for label in labels]


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_regression_is_standardised_and_comes_back(numbers: list[float]) -> None:
    values = pl.Series("y", numbers)
    if np.std(numbers) < 1e-3:
        return
    spec = TargetSpec.infer(values, task="regression")
    encoded = spec.encode(values)
    assert encoded.dtype == np.float32
    assert abs(encoded.mean()) < 1e-3
    assert encoded.std() == pytest.approx(1, rel=1e-3)
    error = np.abs(spec.decode(encoded[:, None]) - numbers).max()
    assert error <= 1e-6 * (np.abs(numbers).max() + spec.scale * 10)


def test_one_and_one_point_zero_and_the_text_are_one_label() -> None:
    spec = TargetSpec("y", "binary", classes=(0, 1))
    for values in ([0, 1], [0.0, 1.0], ["0", "1"]):
        assert spec.encode(pl.Series("y", values)).tolist() == [0, 1]
    assert TargetSpec("y", "binary", classes=(False, True)).encode(
        pl.Series("y", ["true", "false"])
    ).tolist() == [1, 0]


def test_probabilities_and_labels_agree() -> None:
    binary = TargetSpec("y", "binary", classes=("a", "b"))
    output = np.array([[0.2], [0.5], [0.9]], dtype=np.float32)
    probabilities = binary.probabilities(output)
    assert probabilities.shape == (3, 2)
    assert np.allclose(probabilities.sum(axis=1), 1)
    places = probabilities.argmax(axis=1)
    assert binary.decode(output).tolist() == [binary.classes[place] for place in places]
    several = TargetSpec("y", "multiclass", classes=(1, 2, 3))
    assert several.outputs == 3
    assert several.decode(np.array([[0.1, 0.2, 0.7]])).tolist() == [3]


def test_one_row_may_come_without_its_second_dimension() -> None:
    spec = TargetSpec("y", "regression", mean=10.0, scale=2.0)
    assert spec.decode(np.array([1.0], dtype=np.float32)).tolist() == [12.0]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([1, 1, 1], "at least two different values .* every row has the same, received 1"),
        ([1, None, 2], "the target is missing in 1 of 3 rows. Drop these rows"),
        ([1.0, float("nan"), 2.0], "the target is missing in 1 of 3 rows"),
        ([1.0, float("inf"), 2.0], "column 'y', row 1: expected a finite number, received inf"),
        ([], "the target has no rows"),
        ([date(2020, 1, 1), date(2020, 1, 2)], "its type is Date"),
        ([[1], [2]], "its type is List"),
    ],
)
def test_a_target_that_cannot_be_learnt_is_refused(values: list[Any], text: str) -> None:
    with pytest.raises(DataError, match=text):
        TargetSpec.infer(pl.Series("y", values))


def test_a_stated_task_must_suit_the_values() -> None:
    with pytest.raises(DataError, match="the binary task needs two different labels, .* has 3"):
        TargetSpec.infer(pl.Series("y", ["a", "b", "c"]), task="binary")
    with pytest.raises(DataError, match="row 1: expected a number, received 'b'"):
        TargetSpec.infer(pl.Series("y", ["1", "b"]), task="regression")
    with pytest.raises(SettingError, match="received 'binari'; perhaps 'binary' is meant"):
        TargetSpec.infer(pl.Series("y", [0, 1]), task="binari")  # type: ignore[arg-type]


def test_unknown_labels_are_all_named() -> None:
    spec = TargetSpec("income", "binary", classes=("low", "high"))
    with pytest.raises(DataError, match="received 'hihg'. Perhaps 'high' is meant") as caught:
        spec.encode(pl.Series("income", ["low", "hihg", "none"]))
    assert {problem.value for problem in caught.value.problems} == {"hihg", "none"}


def test_classes_must_fit_the_task() -> None:
    with pytest.raises(SettingError, match="'binary' needs two classes, received 3"):
        TargetSpec("y", "binary", classes=(1, 2, 3))
    with pytest.raises(SettingError, match="a finite scale above 0, received 0.0 and 0.0"):
        TargetSpec("y", "regression", scale=0.0)
    with pytest.raises(SettingError, match="use predict instead of predict_proba"):
        TargetSpec("y", "regression").probabilities(np.zeros((1, 1)))


def test_the_runtime_reads_this_with_numpy_alone() -> None:
    code = "import sys, headrace.model.target as _; print(*({'polars', 'keras'} & {*sys.modules}))"
    source = Path(__file__).resolve().parents[2] / "src"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=source, check=True, capture_output=True, text=True
    )
    assert not done.stdout.split()


def test_a_spec_of_before_there_were_likelihoods_loads() -> None:
    old = {"name": "y", "task": "binary", "classes": ["a", "b"], "mean": 0.0, "scale": 1.0}
    spec = TargetSpec.from_dict(old)
    assert spec == TargetSpec("y", "binary", classes=("a", "b"))
    assert (spec.likelihood, spec.quantiles, spec.threshold) == ("bernoulli", (), 0.5)


@pytest.mark.parametrize(
    "spec",
    [
        TargetSpec("y", "binary", classes=(0, 1), threshold=0.3),
        TargetSpec("y", "multiclass", classes=(1, 2, 3), likelihood="ordinal"),
        TargetSpec("y", "regression", likelihood="quantiles", quantiles=(0.1, 0.5), scale=3.0),
        TargetSpec("y", "regression", likelihood="normal", mean=1.0),
    ],
)
def test_specs_come_back_from_json(spec: TargetSpec) -> None:
    assert TargetSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_the_threshold_decides() -> None:
    spec = TargetSpec("y", "binary", classes=("no", "yes"), threshold=0.3)
    assert spec.decode(np.array([[0.3], [0.31]])).tolist() == ["no", "yes"]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"task": "binary", "classes": (0, 1), "likelihood": "poisson"}, "can have the likelihood"),
        ({"task": "regression", "likelihood": "quantiles"}, "needs them"),
        ({"task": "regression", "quantiles": (0.5,)}, "belong to the likelihood 'quantiles'"),
        ({"task": "binary", "classes": (0, 1), "threshold": 1.0}, "between 0 and 1, received 1.0"),
    ],
)
def test_likelihoods_that_do_not_fit(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingError, match=text):
        TargetSpec("y", **settings)


@pytest.mark.parametrize(
    ("levels", "value"), [((0.1, 0.5, 0.9), 12), ((0.1, 0.9), 13), ((0.1, 0.2, 0.4, 0.9), 13)]
)
def test_the_prediction_is_the_median_or_the_middle(levels: tuple[float, ...], value: int) -> None:
    spec = TargetSpec(
        "y", "regression", mean=10.0, scale=2.0, likelihood="quantiles", quantiles=levels
    )
    output = np.array([[0.0, 1.0, 2.0, 3.0][: len(levels)]])
    if len(levels) == 2:
        output[0, 1] = 3.0
    assert spec.decode(output).tolist() == [value]
    answers = spec.answers(output)
    assert tuple(answers) == spec.answer_names == ("prediction", "quantiles")
    columns = spec.distribution(answers)
    assert list(columns) == [f"q{level}" for level in levels]
    assert columns["q0.1"].tolist() == [10]


def test_paths_are_compared_in_units_of_the_spread() -> None:
    spec = TargetSpec("y", "regression", mean=1000.0, scale=10.0, likelihood="normal")
    near, far = ({"prediction": np.array([v]), "deviation": np.array([10.0])} for v in (1e3, 1e9))
    assert [one.tolist() for one in spec.scaled(near)] == [[0.0], [np.arcsinh(1.0)]]
    moved = {**far, "prediction": far["prediction"] * (1 + 1e-7)}
    assert np.abs(spec.scaled(moved)[0] - spec.scaled(far)[0]) == pytest.approx(1e-7, rel=1e-3)


def test_distributions_by_name() -> None:
    rate = TargetSpec("y", "regression", scale=4.0, likelihood="poisson")
    assert rate.distribution(rate.answers(np.array([[0.5]])))["rate"].tolist() == [2]
    point = TargetSpec("y", "regression")
    with pytest.raises(SettingError, match=r"no distribution: train it with quantiles="):
        point.distribution(point.answers(np.array([[0.5]])))
