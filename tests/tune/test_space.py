from __future__ import annotations

from typing import Any

import optuna
import pytest

from headrace.errors import SettingError
from headrace.tune.space import (
    Choice,
    Integer,
    Real,
    check_space,
    describe,
    drawn,
    joined,
    restored,
    stored,
)

SPACE = {
    "limits": Choice([None, (0.01, 0.99), "wide", True, 1]),
    "width": Integer(8, 512, log=True),
    "rate": Real(1e-4, 1e-1, log=True),
}


def test_values_are_drawn_from_their_ranges() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = [drawn(study.ask(), SPACE) for _ in range(60)]
    assert {repr(one["limits"]) for one in seen} == {
        "None",
        "(0.01, 0.99)",
        "'wide'",
        "True",
        "1",
    }
    assert all(isinstance(one["width"], int) and 8 <= one["width"] <= 512 for one in seen)
    assert all(1e-4 <= one["rate"] <= 1e-1 for one in seen)
    # On a logarithmic scale half of the draws lie below the geometric mean.
    assert sum(one["rate"] < 10**-2.5 for one in seen) == pytest.approx(30, abs=15)


@pytest.mark.parametrize("option", [None, (0.01, 0.99), "wide", True, 1])
def test_what_is_stored_is_restored_with_its_type(option: Any) -> None:
    parameters = {"limits": option, "width": 64, "rate": 0.01}
    kept = stored(parameters, SPACE)
    assert isinstance(kept["limits"], str)
    back = restored(kept, SPACE)
    assert back == parameters
    assert type(back["limits"]) is type(option)


def test_settings_outside_of_the_space_are_left_out() -> None:
    parameters = {"limits": "narrow", "width": 4, "rate": None, "other": 1}
    assert stored(parameters, SPACE) == {}
    assert stored({"width": True, "rate": 0.05}, SPACE) == {"rate": 0.05}


def test_spaces_of_steps_are_joined() -> None:
    space = joined({"clip": {"limits": Choice([1])}, "network": {"width": Integer(1, 2)}})
    assert list(space) == ["clip__limits", "network__width"]


def test_the_description_tells_spaces_apart() -> None:
    assert describe(SPACE) == describe(dict(reversed(SPACE.items())))
    assert describe(SPACE) != describe({**SPACE, "width": Integer(8, 256)})


@pytest.mark.parametrize(
    ("space", "text"),
    [
        ({}, "there is nothing to tune"),
        ({"rate": (0, 1)}, r"range of 'rate' must be a Choice, an Integer or a Real"),
        ({"size": Choice(["1", 1])}, "two options of 'size' read the same: 1, 1"),
        ({"layer": Choice([object()])}, "reads differently in every run"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused(space: Any, text: str) -> None:
    with pytest.raises(SettingError, match=text):
        check_space(space)
