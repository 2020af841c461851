from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.errors import DataError, SettingError
from headrace.evaluate import (
    accumulated_effects,
    attribute,
    counterfactual,
    partial_dependence,
    partial_dependence_pair,
    surrogate_tree,
)
from headrace.evaluate.explanation.explain import Explanation
from headrace.evaluate.explanation.gradients import sources

if TYPE_CHECKING:
    from headrace.pipeline import Pipeline


def _twins(rows: int, seed: int) -> pl.DataFrame:
    """Two columns that go together, a word, and an idle column."""
    random = np.random.default_rng(seed)
    a = random.normal(size=rows)
    b = a + 0.3 * random.normal(size=rows)
    word = random.choice(["red", "größer"], rows)
    frame = pl.DataFrame({"a": a, "b": b, "word": word, "idle": random.normal(size=rows)})
    return frame.with_columns(y=2 * pl.col("a") - pl.col("b") + 3.0 * (pl.col("word") == "red"))


@pytest.fixture(scope="module")
def additive() -> Pipeline:
    """A linear model of numbers and a word."""
    steps = [
        hr.transform.Encode(),
        hr.normalize.Standardize(),
        hr.Network("linear", settings={"embedding": None}, epochs=60, batch_size=32),
    ]
    pipe = hr.Pipeline(steps, target="y")
    pipe.train(_twins(800, 0))
    return pipe


@pytest.mark.parametrize("method", ["gradients", "shapley"])
def test_an_additive_model_gives_each_column_its_own_change(
    additive: Pipeline, method: Any
) -> None:
    rows, other = _twins(6, 1).drop("y"), _twins(1, 2).drop("y")
    found = attribute(additive, rows, method=method, reference=other, baseline="typical")
    base = additive.predict(other)[0]
    for place, name in enumerate(found.columns):
        alone = pl.concat([other] * 6).with_columns(rows[name])
        change = np.asarray(additive.predict(alone)) - base
        assert found.values[:, place] == pytest.approx(change, abs=2e-3)
    assert found.base == pytest.approx(base)
    assert np.abs(found.gap).max() < 5e-3


def test_gradients_and_shapley_values_agree_and_are_complete(
    trained: Pipeline, fresh: pl.DataFrame
) -> None:
    rows = fresh[:40]
    gradients = attribute(trained, rows, baselines=100)
    sampled = attribute(trained, rows, method="shapley", orders=200)
    assert np.abs(gradients.gap).max() < 0.02
    assert np.abs(sampled.gap).max() < 1e-9
    assert np.abs(gradients.values - sampled.values).mean() < 0.03
    assert gradients.effects[0].column == sampled.effects[0].column == "age"


def test_columns_that_no_feature_reads_add_nothing(trained: Pipeline, fresh: pl.DataFrame) -> None:
    for method in ("gradients", "shapley"):
        found = attribute(trained, fresh[:5], method=method)
        places = [found.columns.index(name) for name in ("wage", "grade")]
        assert np.abs(found.values[:, places]).max() == 0


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["fast", "linear", "realmlp", "tabm"])
def test_every_architecture_is_followed(table: pl.DataFrame, preset: str) -> None:
    network = (
        hr.Network(preset="fast", epochs=3) if preset == "fast" else hr.Network(preset, epochs=3)
    )
    pipe = hr.Pipeline(
        [
            hr.transform.Drop(("wage", "grade")),
            hr.transform.Dates(),
            hr.transform.Encode(),
            hr.clean.Impute(),
            hr.normalize.Standardize(),
            network,
        ],
        target="rich",
    )
    pipe.train(table)
    assert np.abs(attribute(pipe, table[:10]).gap).max() < 0.02


def test_more_steps_are_taken_where_the_gap_is_large(
    trained: Pipeline, fresh: pl.DataFrame
) -> None:
    rough = attribute(trained, fresh[:20], steps=1, most_steps=1)
    fine = attribute(trained, fresh[:20], steps=1, most_steps=256, tolerance=1e-3)
    assert (rough.steps, fine.steps > 1) == (1, True)
    assert np.abs(fine.gap).max() < np.abs(rough.gap).max()


def test_a_feature_of_several_columns_is_shared_and_named() -> None:
    steps = [hr.Derive(both=hr.col("a") * hr.col("b")), hr.normalize.Standardize()]
    pipe = hr.Pipeline([*steps, hr.Network([8], epochs=2)], target="y")
    pipe.train(_twins(200, 0).drop("word"))
    assert sources(pipe.plan)["both"] == ("a", "b")
    found = attribute(pipe, _twins(3, 1).drop("word"))
    assert found.shared == {"both": ("a", "b")}
    assert "both is fed by a, b: each has an equal part" in found.summary()


def test_the_dependence_of_a_linear_effect_is_its_slope(additive: Pipeline) -> None:
    found = partial_dependence(additive, _twins(300, 3), "a", points=6)
    slopes = np.diff(found.mean) / np.diff(found.grid)
    assert slopes == pytest.approx(np.full(len(slopes), 2.0), abs=0.25)
    assert (found.low <= found.mean).all()
    assert (found.mean <= found.high).all()
    words = partial_dependence(additive, _twins(300, 3), "word")
    by_word = dict(zip(words.texts, words.mean, strict=True))
    assert by_word["red"] - by_word["größer"] == pytest.approx(3, abs=0.3)


def test_a_pair_of_columns_adds_up(additive: Pipeline) -> None:
    found = partial_dependence_pair(additive, _twins(100, 3), ("a", "word"), points=4)
    assert found.mean.shape == (4, 2)
    steps = np.diff(found.mean, axis=1).ravel()
    assert steps == pytest.approx(np.full(4, steps[0]), abs=1e-3)


def test_local_effects_stay_where_the_rows_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is a where rows are, and something else where a and b are far apart."""
    from headrace.evaluate.explanation.question import Question

    rows = _twins(2000, 4)
    pipe = hr.Pipeline([hr.transform.Encode(), hr.Network([4], epochs=1)], target="y")
    pipe.train(rows)

    def score(self: Question, frame: pl.DataFrame) -> Any:
        a, b = frame["a"].to_numpy(), frame["b"].to_numpy()
        return a + 50 * np.maximum(np.abs(a - b) - 1.5, 0)

    monkeypatch.setattr(Question, "score", score)
    local = accumulated_effects(pipe, rows, "a", points=21)
    naive = partial_dependence(pipe, rows, "a", points=21)
    inner = slice(2, -2)
    slopes = (np.diff(local.mean) / np.diff(local.grid))[inner]
    assert np.median(slopes) == pytest.approx(1, abs=0.01)
    assert slopes == pytest.approx(np.ones(len(slopes)), abs=0.5)
    wrong = naive.mean - naive.mean.mean() - (naive.grid - naive.grid.mean())
    assert np.ptp(wrong) > 5


def test_a_counterfactual_turns_the_pipelines_own_prediction(
    trained: Pipeline, fresh: pl.DataFrame
) -> None:
    row = fresh[:1]
    now = trained.predict(row)[0]
    found = counterfactual(trained, row, frozen=["joined"])
    assert found.found
    assert 1 <= len(found.changes) <= 3
    assert "joined" not in {one.column for one in found.changes}
    assert found.wanted == f"rich = {'no' if now == 'yes' else 'yes'}"
    assert json.loads(json.dumps(found.to_dict()))["found"] is True


def test_a_counterfactual_keeps_directions_and_says_when_there_is_none(
    regression: Pipeline, fresh: pl.DataFrame
) -> None:
    row = fresh.filter(pl.col("age").is_not_null())[:1]
    value = float(regression.predict(row)[0])
    up = counterfactual(regression, row, above=value + 1, columns=["age"], directions={"age": "up"})
    assert up.found
    assert up.after >= value + 1
    none = counterfactual(regression, row, above=1e9)
    assert not none.found
    assert none.changes == ()
    assert "no change within the data was found for wage of at least" in none.summary()


def test_a_surrogate_of_a_tree_like_model_is_faithful(
    monkeypatch: pytest.MonkeyPatch, trained: Pipeline, table: pl.DataFrame
) -> None:
    from headrace.evaluate.explanation.question import Question

    def score(self: Question, frame: pl.DataFrame) -> Any:
        return np.where(frame["job"] == "smith", 1.0, np.where(frame["hours"] > 40, 0.5, 0.0))

    monkeypatch.setattr(Question, "score", score)
    found = surrogate_tree(trained, table, depth=2)
    assert found.fidelity > 0.97
    assert found.rules[0].conditions == ("job is smith",)
    monkeypatch.setattr(Question, "score", lambda _, frame: np.ones(frame.height))
    with pytest.raises(DataError, match="the model answers the same in all rows"):
        surrogate_tree(trained, table)


def test_the_front_door(trained: Pipeline, graded: Pipeline, fresh: pl.DataFrame) -> None:
    found = hr.explain(trained, fresh, top=1)
    assert isinstance(found, Explanation)
    assert "age" in found.summary()
    assert "rules explain" in found.summary()
    json.dumps(found.to_dict())
    assert found._repr_html_().count("<table") == 3
    one = hr.explain(graded, fresh.row(0, named=True))
    assert one.values.shape[0] == 1
    assert "probability of grade" in one.summary()
    for result in (found, one, *found.dependence, found.surrogate):
        result.plot().get_figure().canvas.draw()


def test_bad_input_is_refused(trained: Pipeline, graded: Pipeline, fresh: pl.DataFrame) -> None:
    with pytest.raises(SettingError, match="has 3 classes: say which one is explained"):
        attribute(graded, fresh)
    with pytest.raises(SettingError, match="has no class 'maybe'; the classes are 'no', 'yes'"):
        attribute(trained, fresh, label="maybe")
    with pytest.raises(DataError, match="the table is empty"):
        attribute(trained, fresh[:0])
    with pytest.raises(SettingError, match="method must be one of gradients, shapley"):
        attribute(trained, fresh, method="lime")
    with pytest.raises(SettingError, match="no column 'aeg'; perhaps 'age' is meant"):
        partial_dependence(trained, fresh, "aeg")
    with pytest.raises(SettingError, match="'job' holds words, which have no order"):
        accumulated_effects(trained, fresh, "job")
    gone = fresh.with_columns(age=pl.lit(None, pl.Float64))
    with pytest.raises(DataError, match="no value in any row"):
        partial_dependence(trained, gone, "age")
    with pytest.raises(DataError, match="a counterfactual is for one row, received 300"):
        counterfactual(trained, fresh)
    with pytest.raises(SettingError, match="no column may change: all are frozen"):
        counterfactual(trained, fresh[:1], columns=["age"], frozen=["age"])
    with pytest.raises(DataError, match="a surrogate needs 50 rows, received 10"):
        surrogate_tree(trained, fresh[:10])
