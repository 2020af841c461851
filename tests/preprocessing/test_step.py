"""Steps: parameters in scikit-learn's manner."""

from __future__ import annotations

import pytest
from sklearn.base import clone

from headrace.errors import SettingError
from headrace.preprocessing.step import Step


class Scale(Step):
    """A step with one plain and one named parameter."""

    def __init__(self, factor: float = 1.0, *, columns: str = "all") -> None:
        self.factor = factor
        self.columns = columns


def test_parameters_are_read_and_changed() -> None:
    step = Scale(2.0)
    assert step.get_params() == {"factor": 2.0, "columns": "all"}
    assert step.set_params(columns="x") is step
    assert step.get_params()["columns"] == "x"


def test_an_unknown_parameter_is_an_error_with_the_nearest_one() -> None:
    with pytest.raises(SettingError, match=r"Scale has no parameter 'facto'.*mean 'factor'"):
        Scale().set_params(facto=3)


def test_scikit_learn_can_clone_a_step() -> None:
    copy = clone(Scale(3.0, columns="y"))
    assert copy.get_params() == {"factor": 3.0, "columns": "y"}


def test_a_step_shows_the_code_that_makes_it() -> None:
    assert repr(Scale()) == "Scale()"
    assert repr(Scale(2.0, columns="y")) == "Scale(2.0, columns='y')"
    assert repr(Scale(columns="y")) == "Scale(columns='y')"


def test_steps_are_known_by_name() -> None:
    assert Step.known[Scale.key()] is Scale
