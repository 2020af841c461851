from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from headrace.data.schema import Column, Schema
from headrace.deploy.parity import Verification
from headrace.deploy.result import DeployResult
from headrace.evaluate.result import ClusterEvaluation, Evaluation, Metric
from headrace.maintain.finding import Finding
from headrace.maintain.quality import QualityReport
from headrace.train.result import TrainResult
from headrace.visualization.content import Numbers, render

SCORE = Metric("r2", 0.9, 0.8, 0.95, higher_is_better=True)


def shown(content: Any) -> str:
    return render(content, Numbers())


def test_a_training_shows_its_curve_and_what_was_learnt() -> None:
    page = shown(
        TrainResult(800, history={"loss": [2.0, 1.0]}, best_epoch=2, learnt={"Impute()": "age 39"})
    )
    assert page.count("<svg") == 1
    assert "<td>Impute()</td><td>age 39</td>" in page
    assert "<dt>rows</dt><dd>800</dd>" in page


def test_a_training_without_epochs_has_no_picture() -> None:
    assert "<svg" not in shown(TrainResult(800, seconds={"model": 1.0}))


def test_an_evaluation_without_its_rows_shows_its_metrics() -> None:
    page = shown(Evaluation("price", "regression", 100, {"r2": SCORE}, "r2", notes=("few rows",)))
    assert '<td class="number" data-value="0.90">0.90</td>' in page
    assert "<li>few rows</li>" in page


def test_an_undefined_metric_is_a_dash_with_its_note() -> None:
    missing = Metric("roc_auc", *[float("nan")] * 3, higher_is_better=True, note="one class only")
    page = shown(Evaluation("rich", "binary", 10, {"roc_auc": missing}, "roc_auc"))
    assert '<td class="number">–</td>' in page
    assert "one class only" in page


def test_clusters_show_their_points_their_sizes_and_their_silhouettes() -> None:
    random = np.random.default_rng(0)
    result = ClusterEvaluation(
        rows=30,
        sizes=(10, 20),
        inertia=1.5,
        metrics={},
        recovery=(0.9, 0.8),
        matrix=random.random((30, 3)),
        labels=np.repeat([0, 1], [10, 20]),
        centres=random.random((2, 3)),
        silhouettes=random.random(30),
    )
    page = shown(result)
    assert page.count("<svg") == 4
    assert "found again" in page


def test_a_deployment_shows_the_verification_that_let_it_pass(tmp_path: Any) -> None:
    verification = Verification(1000, {"ONNX": 3e-7})
    page = shown(DeployResult(tmp_path, "3f9a2c77d01b4e65", "champion", {}, verification))
    assert "3f9a2c77d01b4e65" in page
    assert "<h3>Verification</h3>" in page
    assert page.count("<svg") == 1


def test_findings_are_a_table_and_a_picture() -> None:
    finding = Finding("column gone", "error", "age", 50, "the column <age> is gone")
    page = shown(QualityReport(50, 3, (finding,), 0.1))
    assert '<span class="pill bad">error</span>' in page
    assert "the column &lt;age&gt; is gone" in page
    assert page.count("<svg") == 1


def test_a_schema_describes_itself() -> None:
    page = shown(Schema((Column("age", "number", reason="all values are numbers"),)))
    assert "<td>age</td><td>number</td><td>all values are numbers</td>" in page


@pytest.mark.parametrize("content", [None, [], {}, "", ()])
def test_nothing_shows_nothing(content: Any) -> None:
    assert shown(content) in {"", "<p></p>"}


def test_where_nothing_is_wrong_there_is_no_picture() -> None:
    assert "<svg" not in shown(QualityReport(50, 3, (), 0.1))
