from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from headrace.tune.front import Goal, pareto_front
from headrace.tune.result import Trial

GOALS = (Goal("roc_auc", higher_is_better=True), Goal("latency", unit="ms"))


def trials(values: list[tuple[float, float]]) -> list[Trial]:
    return [
        Trial(number, "complete", first, {}, 1.0, further=(second,))
        for number, (first, second) in enumerate(values)
    ]


few = some.integers(0, 4).map(float)


@given(some.lists(some.tuples(few, few), max_size=12))
def test_the_front_is_what_nothing_beats(values: list[tuple[float, float]]) -> None:
    every = trials(values)
    front = pareto_front(every, GOALS)
    numbers = {one.number for one in front}

    def beats(a: Trial, b: Trial) -> bool:
        no_worse = a.values[0] >= b.values[0] and a.values[1] <= b.values[1]
        return no_worse and a.values != b.values

    for one in every:
        assert (one.number in numbers) == (not any(beats(other, one) for other in every))
    assert [-one.values[0] for one in front] == sorted(-one.values[0] for one in front)


def test_trials_without_all_values_are_left_out() -> None:
    pruned = Trial(9, "pruned", None, {}, 1.0)
    half = Trial(8, "complete", 0.99, {}, 1.0)
    broken = Trial(7, "complete", 0.99, {}, 1.0, further=(float("nan"),))
    assert pareto_front([pruned, half, broken], GOALS) == ()
    assert [one.number for one in pareto_front([half, pruned], GOALS[:1])] == [8]
