"""Steps as plain values and back."""

from __future__ import annotations

import json

import pytest

from headrace.errors import ReleaseError
from headrace.plan.expression import col
from headrace.preprocessing import clean, normalize, transform
from headrace.preprocessing.selector import columns, numbers
from headrace.preprocessing.step import Step
from headrace.preprocessing.stored import LostStep, step_from_dict, step_to_dict

STEPS = [
    clean.Impute("mean", columns=numbers() - columns("x")),
    clean.Clip(quantiles=(0.01, 0.99)),
    clean.Replace({"?": "", 0: 1}),
    transform.Derive(ratio=col("debt") / col("income")),
    transform.Drop(["a", "b"]),
    normalize.Quantile(),
]


@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_round_trip_through_json(step: Step) -> None:
    again = step_from_dict(json.loads(json.dumps(step_to_dict(step))))
    assert type(again) is type(step)
    assert repr(again) == repr(step)


def test_an_unknown_step_is_refused_and_nothing_is_imported() -> None:
    with pytest.raises(ReleaseError, match=r"a step 'os.Popen' that is not known here"):
        step_from_dict({"step": "os.Popen", "parameters": {}, "lost": []})


def test_a_parameter_that_cannot_be_stored_is_named() -> None:
    class Free(Step):
        def __init__(self, function: object) -> None:
            self.function = function

    lost = step_from_dict(json.loads(json.dumps(step_to_dict(Free(print)))))
    assert isinstance(lost, LostStep)
    assert "made with function, which a release cannot hold" in lost.explain()


def test_parameters_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ReleaseError, match=r"clean.Clip cannot be rebuilt"):
        step_from_dict({"step": "clean.Clip", "parameters": {"nonsense": 1}, "lost": []})
