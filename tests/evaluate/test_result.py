from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from headrace.errors import SettingError
from headrace.evaluate.clusters import evaluate_clusters
from headrace.evaluate.evaluation import evaluate
from headrace.evaluate.importance import permutation_importance
from headrace.evaluate.stability import stability
from headrace.model.target import TargetSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headrace.evaluate.result import Evaluation

RANDOM = np.random.default_rng(0)
BINARY = TargetSpec("income", "binary", classes=("low", "<high>"))
TRUTH = RANDOM.integers(0, 2, 300)
SAYS = np.clip(0.3 + 0.4 * TRUTH + RANDOM.normal(0, 0.25, 300), 0, 1)


@pytest.fixture(scope="module")
def full() -> Evaluation:
    """An evaluation with everything that one can hold."""
    found = evaluate(
        BINARY,
        TRUTH,
        SAYS,
        baselines={"dummy": np.full(300, 0.5)},
        notes=["12 rows had no target"],
        resamples=100,
    )
    return dataclasses.replace(
        found,
        importance=permutation_importance(
            lambda frame: frame["score"].to_numpy(),
            pl.DataFrame({"score": SAYS}),
            TRUTH,
            task="binary",
            resamples=50,
        ),
        stability=stability(
            lambda seed: np.clip(SAYS + 0.1 * seed, 0, 1), TRUTH, task="binary", seeds=[0, 1]
        ),
    )


def test_the_summary_has_a_table_and_sentences(full: Evaluation) -> None:
    lines = full.summary().splitlines()
    assert lines[0] == "income: binary, 300 rows, 95 % intervals"
    assert lines[2].split() == ["metric", "value", "low", "high"]
    auc = full.metrics["roc_auc"]
    assert lines[3].split() == [
        "roc_auc",
        *(f"{x:.4f}" for x in (auc.value, auc.low, auc.high)),
        "primary",
    ]
    assert any(line.endswith("less is better") for line in lines)
    assert any(line.startswith("Better than dummy: roc_auc") for line in lines)
    assert any("drop of roc_auc" in line for line in lines)
    assert any("Between two of 2 trainings" in line for line in lines)
    assert lines[-1] == "note: 12 rows had no target"


def test_the_html_is_a_table_and_escaped(full: Evaluation) -> None:
    page = full._repr_html_()
    assert page.count("<table") == page.count("</table>") == 3
    assert ">income: binary, 300 rows, 95 % intervals</caption>" in page
    assert "Better than dummy" in page


def test_the_dict_is_json_without_the_rows(full: Evaluation) -> None:
    stored = json.loads(json.dumps(full.to_dict(), allow_nan=False))
    assert stored["metrics"]["roc_auc"]["low"] == full.metrics["roc_auc"].low
    assert stored["comparisons"]["dummy"]["verdict"] == "better"
    assert stored["importance"]["columns"][0]["column"] == "score"
    assert stored["stability"]["seeds"] == [0, 1]
    assert "y_true" not in stored
    assert "output" not in stored


def test_infinite_ends_are_none_in_the_dict() -> None:
    price = TargetSpec("price", "regression")
    found = evaluate(price, np.array([1.0]), np.array([2.0]))
    stored = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert stored["metrics"]["rmse"]["high"] is None


def test_a_result_is_a_record(full: Evaluation) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        full.rows = 3
    assert "y_true" not in repr(full)


@pytest.mark.parametrize(
    ("target", "truth", "output"),
    [
        (BINARY, TRUTH, SAYS),
        (
            TargetSpec("kind", "multiclass", classes=("a", "b", "c")),
            RANDOM.integers(0, 3, 60),
            RANDOM.dirichlet(np.ones(3), 60),
        ),
        (TargetSpec("price", "regression"), SAYS, TRUTH * 1.0),
    ],
    ids=["binary", "multiclass", "regression"],
)
def test_every_task_has_a_picture(
    target: TargetSpec, truth: NDArray[Any], output: NDArray[Any]
) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    ax = evaluate(target, truth, output, resamples=20).plot()
    assert ax.get_title(loc="left")
    plt.close("all")


def test_clusters_have_a_picture() -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = np.concatenate([RANDOM.normal(0, 1, (20, 2)), RANDOM.normal(9, 1, (20, 2))])
    labels = np.repeat([0, 1], 20)
    centres = np.array([[0.0, 0.0], [9.0, 9.0]])
    found = evaluate_clusters(rows, labels, centres, columns=["length", "width"])
    assert found.plot().get_xlabel() == "length"
    narrow = evaluate_clusters(rows[:, :1], labels, centres[:, :1])
    assert narrow.plot() is not None
    with pytest.raises(SettingError, match="without keeping rows to draw"):
        dataclasses.replace(found, matrix=None).plot()
    plt.close("all")
