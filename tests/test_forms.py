"""Every form of a target through its whole life: trained, evaluated, deployed, served, kept."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import headrace as hr
from headrace.deploy.stream import score
from headrace.errors import DataError, SettingError
from headrace.serving.app import create_app

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.evaluate.result import Evaluation

ROWS = 1200
CUTS = (-1.0, 0.5, 2.0)
GRADES = pl.Enum(["low", "mid", "high", "top"])
FORMS: dict[str, dict[str, Any]] = {
    "ordinal": {"task": "ordinal"},
    "count": {"task": "count"},
    "normal": {"loss": "gaussian"},
    "quantiles": {"quantiles": (0.05, 0.5, 0.95)},
}


def make_rows(form: str, rows: int = ROWS, seed: int = 0) -> pl.DataFrame:
    """A linear score, and a target that is drawn from the form's own distribution."""
    random = np.random.default_rng(seed)
    x, kind = random.normal(size=rows), random.choice(["a", "b"], rows)
    score = x + (kind == "a")
    target: Any
    if form == "ordinal":
        codes = np.searchsorted(CUTS, score + random.logistic(size=rows))
        target = pl.Series(GRADES.categories.gather(codes), dtype=GRADES)
    elif form == "count":
        target = random.poisson(np.exp(1 + 0.5 * score))
    else:
        target = 100 + 10 * score + np.exp(0.5 * x) * random.normal(size=rows)
    return pl.DataFrame({"x": x, "kind": kind, "y": target})


@dataclass
class Life:
    """A trained and published pipeline with rows that it has not seen."""

    form: str
    pipe: hr.Pipeline
    test: pl.DataFrame
    folder: Path

    @property
    def rows(self) -> pl.DataFrame:
        return self.test.drop("y")


@pytest.fixture(scope="module", params=list(FORMS))
def life(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Life:
    form = request.param
    network = hr.Network("linear", embedding=None, epochs=60, learning_rate=0.03, **FORMS[form])
    pipe = hr.Pipeline([hr.transform.Encode(), network], target="y")
    pipe.train(make_rows(form))
    folder = tmp_path_factory.mktemp(form)
    pipe.deploy(folder)
    return Life(form, pipe, make_rows(form, seed=1), folder)


def test_the_truth_is_found(life: Life) -> None:
    found = life.pipe.predict_distribution(life.rows)
    x, a = life.test["x"].to_numpy(), life.test["kind"].to_numpy() == "a"
    score = x + a
    if life.form == "ordinal":
        below = 1 / (1 + np.exp(score[:, None] - np.array(CUTS)))
        true = np.diff(np.column_stack([np.zeros(len(x)), below, np.ones(len(x))]), axis=1)
        assert found.columns == ["low", "mid", "high", "top"]
        assert np.abs(found.to_numpy() - true).mean() < 0.03
    elif life.form == "count":
        assert np.abs(found["rate"].to_numpy() / np.exp(1 + 0.5 * score) - 1).mean() < 0.06
    elif life.form == "normal":
        assert np.abs(found["mean"].to_numpy() - 100 - 10 * score).mean() < 0.4
        ratio = found["deviation"].to_numpy() / np.exp(0.5 * x)
        assert np.median(np.abs(np.log(ratio))) < 0.2
    else:
        assert found.columns == ["q0.05", "q0.5", "q0.95"]
        inside = life.test["y"].is_between(found["q0.05"], found["q0.95"]).mean()
        assert 0.85 < float(inside or 0) < 0.95


def test_predictions_are_of_the_distribution(life: Life) -> None:
    found, says = life.pipe.predict_distribution(life.rows), life.pipe.predict(life.rows)
    if life.form == "ordinal":
        likeliest = np.array(found.columns)[found.to_numpy().argmax(axis=1)]
        assert says.to_list() == likeliest.tolist()
    else:
        name = {"count": "rate", "normal": "mean", "quantiles": "q0.5"}[life.form]
        np.testing.assert_allclose(says.to_numpy(), found[name].to_numpy())


def test_every_output_of_every_path_agrees(life: Life) -> None:
    assert life.pipe.verify(life.test).passed


def test_the_runtime_answers_the_same(life: Life) -> None:
    runtime = hr.Runtime(life.folder)
    expected = life.pipe.predict_distribution(life.rows)
    found = runtime.predict_distribution(life.rows)
    assert list(found) == expected.columns
    for name, column in found.items():
        np.testing.assert_allclose(column, expected[name].to_numpy(), rtol=1e-4, atol=1e-6)
    again = hr.load(life.folder)
    assert again.predict_distribution(life.rows).equals(expected)
    assert again.fitted.target == life.pipe.fitted.target


def test_the_server_and_the_stream_answer_the_same(life: Life) -> None:
    runtime, rows = hr.Runtime(life.folder), life.rows.head(3)
    answer = asyncio.run(_post(create_app(runtime), rows.to_dicts()))
    assert answer["predictions"] == pytest.approx(runtime.predict(rows).tolist())
    columns = {name: column.tolist() for name, column in runtime.predict_distribution(rows).items()}
    out = io.BytesIO()
    score(runtime, [json.dumps(row) for row in rows.to_dicts()], out)
    scored = [json.loads(line) for line in out.getvalue().splitlines()]
    if life.form in ("normal", "quantiles"):
        assert answer["distribution"] == columns
        assert [one["distribution"] for one in scored] == [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ]
    else:
        assert "distribution" not in answer
        assert "distribution" not in scored[0]


def test_evaluation_has_the_metrics_of_the_form(life: Life) -> None:
    evaluation: Evaluation = life.pipe.evaluate(
        life.test.head(400), resamples=50, compare=["dummy"]
    )  # type: ignore[assignment]
    own = {
        "ordinal": "quadratic_kappa",
        "count": "poisson_deviance",
        "normal": "crps",
        "quantiles": "coverage",
    }[life.form]
    assert own in evaluation.metrics
    assert evaluation.comparisons["dummy"].verdict == "better"
    assert evaluation.importance is not None
    assert evaluation.importance.columns[0].column == "x"
    evaluation.plot()


def test_maintenance_goes_on(life: Life) -> None:
    result = life.pipe.maintain(make_rows(life.form, 400, seed=2))
    assert result.summary()


def test_values_alone_have_no_distribution() -> None:
    pipe = hr.Pipeline([hr.Network("linear", embedding=None, epochs=1, patience=None)], target="y")
    pipe.train({"x": [1.0, 2.0, 3.0], "y": [1.5, 2.5, 4.0]})
    with pytest.raises(SettingError, match="and no distribution: train it with quantiles="):
        pipe.predict_distribution({"x": [1.0]})


def test_pandas_gives_classes_an_order_or_not() -> None:
    values = ["mid", "low", "high"] * 8
    rows = pd.DataFrame({"x": range(24), "y": pd.Categorical(values, ["low", "mid", "high"])})
    network = hr.Network("linear", embedding=None, epochs=1, task="ordinal", patience=None)
    pipe = hr.Pipeline([network], target="y")
    with pytest.raises(DataError, match=r"text has none.*ordered=True\) in pandas"):
        pipe.train(rows)
    pipe.train(rows.assign(y=rows["y"].cat.as_ordered()))
    assert pipe.classes == ("low", "mid", "high")


async def _post(app: Any, rows: list[dict[str, Any]]) -> Any:
    import httpx

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        response = await client.post("/predict", json={"rows": rows})
    return response.json()
