"""The identity of a training: equal for the same work in any process, different for any other."""

from __future__ import annotations

from typing import Any

import keras
import polars as pl
import pytest

import headrace as hr
from headrace.data.infer import infer_schema
from headrace.train.chosen import ChosenSteps
from headrace.train.identity import identity

ROWS = pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "y": [0, 1, 0, 1]})


def of(network: Any = None, *, steps: Any = (), rows: pl.DataFrame = ROWS, **given: Any) -> Any:
    chosen = ChosenSteps.of(
        [*steps, network or hr.Network([4])], infer_schema(rows.lazy(), exclude=["y"]), "y"
    )
    validation = given.pop("validation", None)
    return identity(rows, chosen, validation, settings={"seed": 0, **given})


def layers(units: int) -> list[Any]:
    return [keras.layers.Dense(units, activation="relu"), keras.layers.Dropout(0.1)]


def test_the_same_work_has_one_identity() -> None:
    assert of() == of()
    # Keras numbers its layers anew each time; that decides nothing.
    assert of(hr.Network(layers(4))) == of(hr.Network(layers(4)))
    assert of(hr.Network([4], callbacks=[keras.callbacks.Callback()])) == of()


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        (lambda: of(rows=ROWS.with_columns(x=pl.col("x") + 1)), {"rows"}),
        (lambda: of(hr.Network([5])), {"steps"}),
        (lambda: of(hr.Network(layers(4))), {"steps"}),
        (lambda: of(steps=[hr.normalize.Standardize()]), {"steps"}),
        (lambda: of(seed=1), {"seed"}),
        (lambda: of(validation=0.3), {"validation rows"}),
        (lambda: of(validation=hr.Split(time="x")), {"validation rows"}),
        (lambda: of(validation=ROWS), {"validation rows"}),
    ],
)
def test_other_work_differs_in_what_is_other(other: Any, differs: set[str]) -> None:
    one, two = of(), other()
    assert {name for name in one if one[name] != two[name]} == differs


def test_keras_layers_of_another_size_are_told_apart() -> None:
    assert of(hr.Network(layers(4)))["steps"] != of(hr.Network(layers(5)))["steps"]
