"""A lesson reaches a worker by names and parameters of headrace, and by nothing else."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.errors import SettingError
from headrace.partitions.message import pack, unpack
from headrace.plan.arithmetic import Affine, Fill
from headrace.plan.operation import Operation
from headrace.plan.plan import Node
from headrace.plan.statistic import Covariance, Mean, Quantiles
from headrace.plan.values import Made
from headrace.preprocessing.partial import Lesson, statistic_from_dict


def lesson() -> Lesson:
    node = Node.of(Fill([1.0]), ["x"])
    questions = ((Made(Affine([2.0], [0.0]), Mean()), ["x"]), (Covariance(), ["x", "y"]))
    return Lesson((node, Node.of(hr.Affine([3.0], [1.0]), ["y"])), questions, ("x", "y"))


def test_a_lesson_comes_back_the_same() -> None:
    rows = pl.LazyFrame({"x": [1.0, np.nan, 4.0], "y": [0.0, 2.0, 5.0]})
    here, there = lesson(), Lesson.from_dict(unpack(pack(lesson().to_dict())))
    assert there.nodes == here.nodes
    assert [statistic for statistic, _ in there.questions] == [s for s, _ in here.questions]
    assert pack(there.states(rows)) == pack(here.states(rows))
    assert here.finish(here.states(rows))[0] == pytest.approx(4.0)


class Own(Operation):
    """y = x."""

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        return columns

    def tensorflow(self, block: object) -> object:
        return block


def test_what_is_the_users_own_does_not_travel() -> None:
    assert lesson().travels
    assert not Lesson((Node.of(Own(), ["x"]),), (), ()).travels
    assert not Lesson((), ((Made(Own(), Mean()), ["x"]),), ()).travels
    training = Node.of(Fill([1.0]), ["x"], training=Own())
    assert not Lesson((training,), (), ()).travels


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("os:system", "only headrace's own parts travel by name, received 'os'"),
        ("headrace.plan.plan:Plan", "headrace has no statistic 'Plan'"),
        ("headrace.plan.statistic:math", "headrace has no statistic 'math'"),
    ],
)
def test_other_names_are_refused(name: str, text: str) -> None:
    with pytest.raises(SettingError, match=text):
        statistic_from_dict({"class": name, "parameters": {}})


def test_parameters_may_be_arrays_and_tuples() -> None:
    question = ((Quantiles((0.0, 0.5), k=7), ["x"]),)
    assert (
        Lesson.from_dict(unpack(pack(Lesson((), question, ("x",)).to_dict()))).questions == question
    )
