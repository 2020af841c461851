from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn import metrics

from headrace.visualization import Answers, calibration, confusion, precision_recall, roc


@pytest.mark.parametrize("draw", [confusion, roc, precision_recall, calibration])
@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_every_picture_draws_on_given_axes(
    draw: object, task: str, request: pytest.FixtureRequest
) -> None:
    figure = Figure()
    ax = figure.add_subplot()
    assert callable(draw)
    assert draw(request.getfixturevalue(task), ax) is ax
    assert ax.get_title(loc="left")
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    figure.savefig(BytesIO())


def test_confusion_counts_as_scikit_learn_does(multiclass: Answers) -> None:
    ax = confusion(multiclass)
    shown = [int(text.get_text()) for text in ax.texts[::2]]
    expected = metrics.confusion_matrix(multiclass.y_true, multiclass.output.argmax(axis=1))
    assert shown == expected.ravel().tolist()


def test_curves_have_the_areas_of_scikit_learn(binary: Answers) -> None:
    score = np.round(binary.output.ravel(), 1)  # with many ties
    tied = Answers(binary.y_true, score, binary.classes)
    [area] = [text.get_text() for text in roc(tied).get_legend().get_texts()]
    assert area == rf">50K · area {metrics.roc_auc_score(binary.y_true, score):.3f}"
    [precision] = [text.get_text() for text in precision_recall(tied).get_legend().get_texts()]
    expected = metrics.average_precision_score(binary.y_true, score)
    assert precision == rf">50K · average precision {expected:.3f}"


def test_many_rows_make_a_small_curve(random: np.random.Generator) -> None:
    y_true = random.integers(0, 2, 50_000)
    ax = roc(Answers(y_true, random.random(50_000), ("a", "b")))
    assert len(ax.lines[-1].get_xdata()) <= 401


def test_calibration_of_true_probabilities_lies_on_the_diagonal(
    random: np.random.Generator,
) -> None:
    stated = random.random(40_000)
    ax = calibration(Answers((random.random(40_000) < stated).astype(int), stated, ("a", "b")))
    points = ax.lines[-1].get_xydata()
    assert len(points) == 10
    assert np.abs(points[:, 0] - points[:, 1]).max() < 0.03


def test_one_class_alone_and_few_rows_can_be_drawn() -> None:
    few = Answers(np.array([1, 1]), np.array([0.4, 0.6]), ("no", "yes"))
    for draw in (confusion, roc, precision_recall, calibration):
        draw(few).figure.savefig(BytesIO())


def test_many_classes_with_hostile_names(random: np.random.Generator) -> None:
    names = tuple(f"class ${n}_$ 你好 {'long' * n}" for n in range(30))
    result = Answers(random.integers(0, 30, 300), random.random((300, 30)), names)
    for draw in (confusion, roc, precision_recall, calibration):
        draw(result).figure.savefig(BytesIO())
