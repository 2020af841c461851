"""The estimators: scikit-learn's own checks, its tools, and the pipeline's own answers."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import headrace as hr
from headrace.data.infer import infer_schema
from headrace.errors import DataError, SettingError
from headrace.preprocessing.defaults import default_steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.preprocessing.step import Step

QUICK: dict[str, Any] = {"epochs": 30, "learning_rate": 0.04}
ROWS = 90


def network(**settings: Any) -> hr.Network:
    """Settings that train in a second."""
    return hr.Network(**{"embedding": None, "patience": 6} | settings)


def classifier(**settings: Any) -> hr.Classifier:
    return hr.Classifier([16], **QUICK | {"network": network()} | settings)


def regressor(**settings: Any) -> hr.Regressor:
    return hr.Regressor([16], **QUICK | {"network": network()} | settings)


# -- scikit-learn's own checks --------------------------------------------------------------------

WEIGHTS = (
    "a row of weight 2 and two equal rows fall into other batches and validation rows, so that "
    "the trained weights agree in expectation only, as with every network trained in batches"
)
EXPECTED: dict[str, dict[str, str]] = {
    "Classifier": {"check_sample_weight_equivalence_on_dense_data": WEIGHTS},
    "Regressor": {"check_sample_weight_equivalence_on_dense_data": WEIGHTS},
    "Clusterer": {},
}
AT_ONCE = {
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_estimators_unfitted",
    "check_do_not_raise_errors_in_init_or_set_param",
    "check_estimator_sparse_tag",
    "check_estimators_empty_data_messages",
    "check_estimators_nan_inf",
    "check_supervised_y_no_nan",
    "check_requires_y_none",
    "check_fit1d",
    "check_fit2d_1sample",
    "check_get_params_invariance",
    "check_set_params",
    "check_estimator_get_tags_default_keys",
    "check_estimator_repr",
}
"""Checks that train little or nothing."""


def checks() -> Iterator[Any]:
    """Every check with its estimator, in parameters with a name."""
    for estimator in (classifier(), regressor(), hr.Clusterer(3)):
        kind = type(estimator).__name__
        found = estimator_checks_generator(
            estimator, expected_failed_checks=EXPECTED[kind], mark="xfail"
        )
        for made in found:
            one, check = getattr(made, "values", made)
            name = check.func.__name__
            quick = kind == "Clusterer" or name in AT_ONCE
            marks = [*getattr(made, "marks", ()), *([] if quick else [pytest.mark.slow])]
            yield pytest.param(one, check, marks=marks, id=f"{kind}-{name}")


@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_scikit_learn_check(estimator: Any, check: Any) -> None:
    check(estimator)


# -- the same answers as the pipeline -------------------------------------------------------------


def people_table(rows: int = ROWS) -> tuple[pd.DataFrame, pd.Series, np.ndarray[Any, Any]]:
    """Numbers with gaps, words and dates; the words of a target, and its groups."""
    random = np.random.default_rng(0)
    age = random.uniform(18, 80, rows)
    job = random.choice(["nurse", "smith", "größer"], rows)
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 900, rows), "D")
    signal = (age - 50) / 15 + 1.5 * (job == "smith")
    frame = pd.DataFrame({"age": np.where(random.random(rows) < 0.1, np.nan, age), "job": job})
    frame["day"] = day
    rich = pd.Series(np.where(signal > 0.4, "yes", "no"), name="rich")
    return frame, rich, np.arange(rows) // 10


@pytest.fixture(scope="module")
def people() -> tuple[pd.DataFrame, pd.Series, Any]:
    return people_table()


@pytest.fixture(scope="module")
def fitted(people: tuple[Any, Any, Any]) -> hr.Classifier:
    """A trained classifier; tests must not change it."""
    return classifier().fit(people[0], people[1])


@pytest.fixture(scope="module")
def blobs() -> tuple[Any, Any]:
    random = np.random.default_rng(1)
    target = random.integers(0, 2, 60)
    return random.normal(size=(60, 3)) + 2 * target[:, None], target


def test_a_classifier_answers_as_the_pipeline(
    people: tuple[Any, Any, Any], fitted: hr.Classifier
) -> None:
    table, y, _ = people
    steps = [
        *default_steps(infer_schema(pl.from_pandas(table).lazy())),
        network(hidden=[16], **QUICK),
    ]
    pipe = hr.Pipeline(steps, target="rich")
    pipe.train(table.assign(rich=y))
    assert fitted.classes_.tolist() == ["no", "yes"] == list(pipe.classes)
    assert fitted.predict(table).tolist() == pipe.predict(table).tolist()
    np.testing.assert_allclose(fitted.predict_proba(table), pipe.predict_proba(table), rtol=1e-6)
    assert fitted.n_iter_ == pipe.fitted.result.epochs  # type: ignore[union-attr]
    assert fitted.feature_names_in_.tolist() == ["age", "job", "day"]


def test_a_regressor_answers_as_the_pipeline_and_polars_as_pandas(blobs: tuple[Any, Any]) -> None:
    table, y = blobs[0], blobs[0] @ [1.0, -2.0, 0.5] * 100 + 1000
    names = ["a", "b", "c"]
    frame = pl.DataFrame(table, schema=names)
    steps = [*default_steps(infer_schema(frame.lazy())), network(hidden=[16], **QUICK)]
    pipe = hr.Pipeline(steps, target="target")
    pipe.train(frame.with_columns(target=y))
    model = regressor().fit(frame, pl.Series(y))
    assert model.predict(frame).tolist() == pipe.predict(frame).to_list()
    assert (
        model.predict(pd.DataFrame(table, columns=names)).tolist() == model.predict(frame).tolist()
    )
    assert model.score(frame, y) > 0.8


def test_labels_keep_their_type_and_order(blobs: tuple[Any, Any]) -> None:
    # As texts "10" stands before "9"; the pipeline reads numbers and sorts them as such.
    table, y = blobs[0], np.where(blobs[1] == 1, "10", "9")
    model = classifier(epochs=10).fit(table, y)
    assert model.classes_.tolist() == ["10", "9"]
    assert model.predict_proba(table)[:, 0].argmax() == table.sum(axis=1).argmax()
    assert set(model.predict(table)) <= {"10", "9"}
    assert model.score(table, y) > 0.8


def test_labels_keep_their_order(blobs: tuple[Any, Any]) -> None:
    table, y = blobs[0], np.digitize(blobs[0][:, 0], [0.0, 2.0])
    levels = pd.Series(pd.Categorical.from_codes(y, ["low", "mid", "high"], ordered=True))
    model = classifier(epochs=3, network=network(task="ordinal")).fit(table, levels)
    assert model.classes_.tolist() == ["high", "low", "mid"]
    assert model.pipeline_.classes == ("low", "mid", "high")
    shares = model.predict_proba(table)
    assert (model.classes_[shares.argmax(axis=1)] == model.predict(table)).all()


def test_the_pipeline_of_an_estimator_goes_on(
    people: tuple[Any, Any, Any], fitted: hr.Classifier
) -> None:
    table, y, _ = people
    assert fitted.pipeline_.target == "rich"
    assert "accuracy" in fitted.pipeline_.evaluate(table.assign(rich=y)).summary()


# -- scikit-learn's tools -------------------------------------------------------------------------


@pytest.mark.slow
def test_cross_val_score(blobs: tuple[Any, Any]) -> None:
    assert cross_val_score(classifier(), *blobs, cv=3, error_score="raise").mean() > 0.8


def test_grid_search_reaches_the_network(blobs: tuple[Any, Any]) -> None:
    grid = {"learning_rate": [1e-6, 0.04], "network__patience": [3]}
    search = GridSearchCV(classifier(), grid, cv=2, error_score="raise").fit(*blobs)
    assert search.best_params_ == {"learning_rate": 0.04, "network__patience": 3}
    assert search.best_estimator_.network.patience == 3


def test_pipeline_of_scikit_learn_and_permutation_importance(blobs: tuple[Any, Any]) -> None:
    table, y = blobs
    model = make_pipeline(StandardScaler(), classifier()).fit(table, y)
    assert model.score(table, y) > 0.8
    found = permutation_importance(model, table, y, n_repeats=2, random_state=0)
    assert found.importances_mean.max() > 0


@pytest.mark.slow
def test_calibrated_classifier(blobs: tuple[Any, Any]) -> None:
    table, y = blobs
    model = CalibratedClassifierCV(classifier(), cv=2).fit(table, y)
    assert model.predict_proba(table).shape == (60, 2)


@pytest.mark.slow
def test_two_processes(blobs: tuple[Any, Any]) -> None:
    alone = cross_val_score(classifier(), *blobs, cv=2, error_score="raise")
    both = cross_val_score(classifier(), *blobs, cv=2, n_jobs=2, error_score="raise")
    assert alone.tolist() == both.tolist()


def test_routed_weights_and_groups(people: tuple[Any, Any, Any]) -> None:
    table, y, groups = people
    given = {"sample_weight": np.ones(ROWS), "groups": groups}
    with config_context(enable_metadata_routing=True):
        model = classifier().set_fit_request(sample_weight=True, groups=True)
        model.set_score_request(sample_weight=True)
        scores = cross_val_score(
            model, table, y, params=given, cv=GroupKFold(2), error_score="raise"
        )
    assert scores.shape == (2,)


# -- weights and groups ---------------------------------------------------------------------------


def test_groups_are_not_divided(
    people: tuple[Any, Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, y, groups = people
    seen: list[Any] = []

    def train(self: Any, data: Any, validation: Any, **settings: Any) -> Any:
        seen.extend([data, validation])
        raise InterruptedError

    monkeypatch.setattr(hr.Pipeline, "train", train)
    with pytest.raises(InterruptedError):
        hr.Classifier().fit(table.assign(group=groups), y, groups=groups)
    left, held = ({*part["group"].to_list()} for part in seen)
    assert left
    assert held
    assert not left & held
    assert seen[0].columns == ["age", "job", "day", "group", "rich"]


def test_classes_of_one_group_stay_to_learn_from(
    people: tuple[Any, Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = np.arange(12.0)[:, None]
    y = np.repeat(["a", "b", "c"], 4)
    text = r"column 'groups': some classes are in so few groups.*Lower validation_fraction"
    with pytest.raises(DataError, match=text):
        hr.Classifier().fit(table, y, groups=np.repeat([0, 1, 2], 4))


def test_weight_0_is_no_row(blobs: tuple[Any, Any]) -> None:
    table, y = blobs
    weight = np.r_[np.ones(40), np.zeros(20)]
    model = classifier(epochs=4)
    all_rows = model.fit(table, y, sample_weight=weight).predict_proba(table)
    some_rows = clone(model).fit(table[:40], y[:40], sample_weight=weight[:40]).predict_proba(table)
    np.testing.assert_array_equal(all_rows, some_rows)


@pytest.mark.slow
def test_weights_count(blobs: tuple[Any, Any]) -> None:
    table, y = blobs
    heavy = classifier(validation_fraction=None, epochs=20).fit(
        table, y, sample_weight=np.where(y == 1, 50.0, 1.0)
    )
    light = clone(heavy).fit(table, y, sample_weight=np.where(y == 1, 1.0, 50.0))
    assert heavy.predict_proba(table)[:, 1].mean() > light.predict_proba(table)[:, 1].mean()


# -- copies ---------------------------------------------------------------------------------------


def test_copies_answer_the_same(people: tuple[Any, Any, Any], fitted: hr.Classifier) -> None:
    wanted = fitted.predict_proba(people[0])
    for other in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(other.predict_proba(people[0]), wanted)
        assert other.get_params().keys() == fitted.get_params().keys()
        assert other.pipeline_.target == "rich"


def test_an_altered_copy_is_refused(fitted: hr.Classifier) -> None:
    state = fitted.__getstate__()
    content = state["_packed"]
    place = content.index(b'"task"')
    state["_packed"] = content[:place] + b'"tusk"' + content[place + 6 :]
    with pytest.raises(Exception, match="CRC|altered"):
        classifier().__setstate__(state)


def test_a_clone_has_a_network_of_its_own() -> None:
    model = classifier()
    other = clone(model).set_params(network__patience=2, epochs=3)
    assert (model.network.patience, other.network.patience) == (6, 2)
    assert (model.epochs, other.epochs) == (30, 3)


STEPS = [
    hr.clean.Impute(),
    hr.transform.Drop(["a"]),
    hr.Derive(ratio=hr.col("a") / hr.col("b")),
    hr.KMeans(3),
]


@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_every_step_can_be_cloned(step: Step) -> None:
    other = clone(step)
    assert other is not step
    assert repr(other) == repr(step)


def test_shown_as_text_and_as_html(fitted: hr.Classifier) -> None:
    assert repr(hr.Classifier(epochs=3)) == "Classifier(epochs=3)"
    assert "epochs=30" in repr(fitted)
    assert "Classifier" in fitted._repr_html_()


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "table", "y", "text"),
    [
        (
            hr.Classifier(),
            sparse.csr_array(np.eye(4)),
            [0, 1, 0, 1],
            "Sparse data was passed for X",
        ),
        (hr.Classifier(), np.eye(4), None, "requires y to be passed, but the target y is None"),
        (hr.Classifier(), np.eye(4), ["a"] * 4, "needs rows of two or more classes.*received 'a'"),
        (
            hr.Classifier(),
            np.eye(4),
            ["a", "b", "", "b"],
            "row 2: an empty text is a missing label",
        ),
        (hr.Classifier(), np.eye(4), ["1", "1.0", "2", "2"], "different texts of the same number"),
        (hr.Classifier(), np.eye(4), [0.5, 0.1, 0.3, 0.7], "Unknown label type: continuous"),
        (hr.Classifier(), np.eye(4), np.eye(4), "y should be a 1d array.*sklearn.multioutput"),
        (hr.Regressor(), np.eye(4), np.eye(4), "y should be a 1d array.*sklearn.multioutput"),
        (hr.Regressor(), np.eye(4), [1, 2, np.nan, 4], "Input y contains NaN"),
        (hr.Regressor(), np.eye(4), [1, 1, 1, 1], "at least two different values in the target"),
        (hr.Regressor(), np.eye(4), [1, 2], "inconsistent numbers of samples"),
        (hr.Regressor(), np.ones((4, 2)), [1, 2, 3, 4], "no column is left: each is constant"),
        (hr.Regressor(), np.full((4, 2), np.inf), [1, 2, 3, 4], "Input X contains infinity"),
        (
            hr.Regressor(validation_fraction=1.5),
            np.eye(4),
            [1, 2, 3, 4],
            "validation_fraction must",
        ),
        (hr.Regressor(network="tabm"), np.eye(4), [1, 2, 3, 4], "network must be an hr.Network"),
        (
            hr.Regressor(network=hr.Network(), steps=[hr.Network()]),
            *(np.eye(4), [1, 2, 3, 4], "the steps end in a Network, so network must be None"),
        ),
        (
            hr.Regressor(network=hr.Network(task="binary")),
            *(np.eye(4), [1, 2, 3, 4], "the task 'binary' has classes: use hr.Classifier"),
        ),
        (
            hr.Classifier(network=hr.Network(task="regression")),
            *(np.eye(4), [0, 1, 0, 1], "the task 'regression' has no classes: use hr.Regressor"),
        ),
        (hr.Clusterer(2, steps=[hr.KMeans(2)]), np.eye(4), None, "end before the clusters"),
        (hr.Clusterer(0), np.eye(4), None, "n_clusters must be a whole number from 1"),
        (hr.Clusterer(5), np.eye(4), None, r"4 sample\(s\).*minimum of 5 is required"),
        (hr.Clusterer(5), pd.DataFrame(np.eye(4)), None, r"4 sample\(s\).*minimum of 5"),
    ],
)
def test_refused_with_reasons(model: Any, table: Any, y: Any, text: str) -> None:
    with pytest.raises((ValueError, TypeError), match=text):
        model.fit(table, y)


def test_other_columns_are_refused(people: tuple[Any, Any, Any], fitted: hr.Classifier) -> None:
    table, _, _ = people
    with pytest.raises(ValueError, match="feature names should match those that were passed"):
        fitted.predict(table[["job", "age", "day"]])
    with pytest.raises(ValueError, match="Feature names seen at fit time, yet now missing"):
        fitted.predict(table[["age", "job"]])
    with pytest.raises(NotFittedError):
        hr.Regressor().predict(table)


def test_an_unknown_setting_of_the_network_is_refused() -> None:
    with pytest.raises(SettingError, match="Network has no parameter 'depht'"):
        classifier().set_params(network__depht=3)


# -- clusters -------------------------------------------------------------------------------------


def test_clusters_of_columns_of_any_kind(people: tuple[Any, Any, Any]) -> None:
    table, _, _ = people
    model = hr.Clusterer(3).fit(table)
    assert model.labels_.tolist() == model.predict(table).tolist()
    assert model.transform(table).shape == (ROWS, 3)
    assert (model.transform(table).argmin(axis=1) == model.labels_).all()
    assert model.get_feature_names_out().tolist() == ["clusterer0", "clusterer1", "clusterer2"]
    assert model.score(table) == pytest.approx(-model.inertia_)
    assert "transform.OneHot()" in repr(model.pipeline_)
    # The words count: rows of one job are rarely in two clusters of all three.
    assert model.cluster_centers_.shape[1] > 4


def test_clusters_with_steps_of_ones_own() -> None:
    rows = np.array([[0.0, 0.0], [0.0, 1.0], [9.0, 9.0], [9.0, 8.0]])
    model = hr.Clusterer(2, steps=[]).fit(rows)
    assert model.inertia_ == pytest.approx(1.0)
    assert sorted(model.cluster_centers_[:, 0].tolist()) == [0.0, 9.0]
