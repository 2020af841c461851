"""The pipeline as a user meets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import polars as pl
import pytest

import headrace as hr

if TYPE_CHECKING:
    from pathlib import Path


def test_predictions_come_back_in_the_container_that_came(
    trained: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    polars = trained.predict(fresh)
    assert isinstance(polars, pl.Series)
    assert polars.name == "rich"
    frame = fresh.to_pandas().set_index(np.arange(300) * 7)
    pandas = trained.predict(frame)
    assert isinstance(pandas, pd.Series)
    assert pandas.index.equals(frame.index)
    rows = trained.predict(fresh.to_dicts())
    assert isinstance(rows, np.ndarray)
    assert polars.to_list() == pandas.tolist() == rows.tolist()
    lazy = trained.predict(fresh.lazy())
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect()["rich"].to_list() == polars.to_list()


def test_it_learns(trained: hr.Pipeline, fresh: pl.DataFrame) -> None:
    accuracy = (trained.predict(fresh) == fresh["rich"]).mean()
    assert accuracy > 0.8
    chances = trained.predict_proba(fresh)
    assert chances.shape == (300, 2)
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-6)
    assert trained.classes == ("no", "yes")


def test_regression_and_many_classes(
    regression: hr.Pipeline, graded: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    wage = regression.predict(fresh)
    assert wage.dtype == pl.Float64
    assert float(np.corrcoef(wage, fresh["wage"])[0, 1]) > 0.7
    with pytest.raises(hr.SettingError, match=r"'wage' is a (number|regression)"):
        regression.predict_proba(fresh)
    grade = graded.predict(fresh)
    assert set(grade.unique()) <= {0, 1, 2}
    assert graded.predict_proba(fresh).shape == (300, 3)


def test_the_same_seed_gives_the_same_weights(table: pl.DataFrame) -> None:
    steps = [hr.transform.Select(["hours", "age"]), hr.clean.Impute(), hr.Network([8], epochs=3)]
    weights = []
    for seed in (0, 0, 1):
        pipe = hr.Pipeline(steps, target="rich", seed=seed)
        pipe.train(table)
        weights.append(pipe.fitted.network.weights())
    for first, second in zip(weights[0], weights[1], strict=True):
        np.testing.assert_array_equal(first, second)
    assert any((a != b).any() for a, b in zip(weights[0], weights[2], strict=True))


def test_early_stopping_cannot_see_the_validation_rows(table: pl.DataFrame) -> None:
    """The steps learn from the training rows alone: other validation rows, same plan."""
    steps = [hr.transform.Select(["hours"]), hr.normalize.Standardize(), hr.Network([4], epochs=2)]
    plans = []
    for held in (table.head(50), table.tail(50).with_columns(pl.col("hours") * 100)):
        pipe = hr.Pipeline(steps, target="rich")
        pipe.train(table, validation=held)
        plans.append(pipe.plan)
    assert plans[0] == plans[1]


def test_steps_are_chosen_and_shown_as_code(table: pl.DataFrame) -> None:
    pipe = hr.Pipeline(target="rich")
    assert repr(pipe) == "Pipeline(target='rich')"
    pipe.train(table.drop("wage", "grade").head(200))
    shown = repr(pipe)
    assert "transform.Encode()" in shown
    assert "Network(" in shown
    names = {name: getattr(hr, name) for name in ("clean", "transform", "normalize", "Pipeline")}
    again = eval(shown, names | {"Network": hr.Network} | _selectors())
    assert repr(again.copy()) == shown


def _selectors() -> dict[str, object]:
    from headrace.preprocessing import selector

    return {name: getattr(selector, name) for name in selector.__all__}


def test_a_saved_pipeline_answers_the_same_and_can_be_trained_on(
    trained: hr.Pipeline, table: pl.DataFrame, fresh: pl.DataFrame, tmp_path: Path
) -> None:
    trained.save(tmp_path / "saved")
    again = hr.load(tmp_path / "saved")
    np.testing.assert_array_equal(again.predict_proba(fresh), trained.predict_proba(fresh))
    assert repr(again) == repr(trained)
    again.train(table)
    np.testing.assert_array_equal(again.predict_proba(fresh), trained.predict_proba(fresh))


def test_nothing_saved_holds_a_pickle(trained: hr.Pipeline, tmp_path: Path) -> None:
    folder = trained.save(tmp_path / "saved")
    for file in folder.rglob("*"):
        if file.is_file():
            start = file.read_bytes()[:2]
            assert start[:1] != b"\x80", f"{file.name} begins like a pickle"
            assert file.suffix not in {".pkl", ".pickle", ".joblib"}


def test_parameters_in_scikit_learns_manner(trained: hr.Pipeline) -> None:
    pipe = trained.copy()
    assert pipe.get_params()["network_5__epochs"] == 15
    pipe.set_params(network_5__epochs=3, seed=4)
    assert pipe.get_params()["network_5__epochs"] == 3
    assert pipe.seed == 4
    assert trained.get_params()["network_5__epochs"] == 15
    with pytest.raises(hr.SettingError, match="a pipeline has no setting 'sede'"):
        pipe.set_params(sede=1)


def test_an_untrained_pipeline_says_so(fresh: pl.DataFrame) -> None:
    with pytest.raises(hr.NotTrainedError, match=r"call train\(data\) first"):
        hr.Pipeline(target="rich").predict(fresh)


def test_a_failed_training_changes_nothing(
    trained: hr.Pipeline, table: pl.DataFrame, fresh: pl.DataFrame
) -> None:
    before = trained.predict_proba(fresh)
    with pytest.raises(hr.DataError):
        trained.train(table.drop("rich"))
    np.testing.assert_array_equal(trained.predict_proba(fresh), before)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([hr.Network], r"step 0 is <class .*Network'>; a step is an object"),
        (["Impute"], "step 0 is 'Impute'"),
    ],
)
def test_a_step_that_is_none_is_an_error(steps: list[object], message: str) -> None:
    with pytest.raises(hr.SettingError, match=message):
        hr.Pipeline(steps, target="x")  # type: ignore[arg-type]


def test_a_network_needs_a_target_and_must_be_last(table: pl.DataFrame) -> None:
    with pytest.raises(hr.SettingError, match="a Network needs a target"):
        hr.Pipeline([hr.Network([4])]).train(table)
    with pytest.raises(hr.SettingError, match="must be the last step"):
        hr.Pipeline([hr.Network([4]), hr.clean.Impute()], target="rich").train(table)
    with pytest.raises(hr.SettingError, match="name the column to predict"):
        hr.Pipeline().train(table)


def test_the_diagram_is_escaped_html(table: pl.DataFrame) -> None:
    pipe = hr.Pipeline([hr.transform.Drop(["<script>"]), hr.clean.Impute()])
    html = pipe._repr_html_()
    assert "Impute" in html
    assert "<script>" not in html


def test_a_network_stands_behind_steps_that_are_chosen() -> None:
    rows = {"x": [float(place % 7) for place in range(60)], "y": ["a", "b"] * 30}
    pipe = hr.Pipeline(target="y", network=hr.Network([4], epochs=1))
    assert "network=Network([4], epochs=1)" in repr(pipe)
    assert pipe.copy().network.epochs == 1
    pipe.train(rows)
    assert isinstance(pipe.fitted.steps[-1], hr.Network)
    assert pipe.fitted.steps[-1].epochs == 1
    assert repr(pipe).count("Network(") == 1


def test_one_network_is_enough() -> None:
    rows = {"x": [1.0, 2.0] * 30, "y": ["a", "b"] * 30}
    twice = hr.Pipeline([hr.Network([4])], target="y", network=hr.Network([2]))
    with pytest.raises(hr.SettingError, match="the steps end in one already"):
        twice.train(rows)
    with pytest.raises(hr.SettingError, match="there is no target"):
        hr.Pipeline([hr.clean.Impute()], network=hr.Network()).train(rows)
