"""Several targets in one network, through its whole life."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pandas as pd
import polars as pl
import pytest

import headrace as hr
from headrace.deploy.stream import score
from headrace.errors import DataError, SettingError
from headrace.evaluate.several import SeveralEvaluations
from headrace.serving.app import create_app

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = ["my price", "sold", "grade"]
ROWS = 1200


def make_rows(rows: int = ROWS, seed: int = 0) -> pl.DataFrame:
    """Three targets of one score: a number and a label with gaps, and ordered classes."""
    random = np.random.default_rng(seed)
    x, kind = random.normal(size=rows), random.choice(["a", "b"], rows)
    score = x + (kind == "a")
    grades = pl.Series(["low", "mid", "high"]).gather(
        np.searchsorted([-1, 1], score + random.logistic(size=rows))
    )
    place = pl.int_range(pl.len())
    return pl.DataFrame(
        {
            "x": x,
            "kind": kind,
            "my price": 100 + 10 * score + random.normal(size=rows),
            "sold": np.where(score + random.logistic(size=rows) > 0, "yes", "no"),
            "grade": grades.cast(pl.Enum(["low", "mid", "high"])),
        }
    ).with_columns(
        pl.when(place % 5 != 0).then("my price").name.keep(),
        pl.when(place % 7 != 0).then("sold").name.keep(),
    )


def make_network(**settings: Any) -> hr.Network:
    return hr.Network(
        "linear",
        embedding=None,
        epochs=60,
        learning_rate=0.03,
        task={"grade": "ordinal"},
        quantiles={"my price": (0.1, 0.5, 0.9)},
        **settings,
    )


@dataclass
class Life:
    """A trained and published pipeline with rows that it has not seen."""

    pipe: hr.Pipeline
    test: pl.DataFrame
    folder: Path

    @property
    def rows(self) -> pl.DataFrame:
        return self.test.drop(TARGETS)


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    pipe = hr.Pipeline([hr.transform.Encode(), make_network()], target=TARGETS)
    pipe.train(make_rows())
    folder = tmp_path_factory.mktemp("several")
    pipe.deploy(folder)
    return Life(pipe, make_rows(700, seed=1), folder)


def test_each_target_is_predicted_under_its_name(life: Life) -> None:
    says = life.pipe.predict(life.rows)
    assert says.columns == TARGETS
    assert says.dtypes == [pl.Float64, pl.String, pl.String]
    score = life.test["x"].to_numpy() + (life.test["kind"] == "a").to_numpy()
    assert np.abs(says["my price"].to_numpy() - 100 - 10 * score).mean() < 0.5
    right = (says["sold"] == life.test["sold"]).drop_nulls().mean()
    assert float(right or 0) > 0.65
    table = life.rows.to_pandas().set_index(pd.Index(range(5, 705)))
    found = life.pipe.predict(table)
    assert found.index.equals(table.index)
    assert found["sold"].tolist() == says["sold"].to_list()


def test_the_distributions_stand_side_by_side(life: Life) -> None:
    found = life.pipe.predict_distribution(life.rows)
    assert found.columns == [
        *("my price_q0.1", "my price_q0.5", "my price_q0.9"),
        *("sold_no", "sold_yes"),
        *("grade_low", "grade_mid", "grade_high"),
    ]
    one = life.pipe.fitted.for_target("grade")
    canonical = one.conform(life.rows)
    alone = one.distribution(canonical)
    np.testing.assert_array_equal(alone["mid"], found["grade_mid"].to_numpy())


def test_each_target_is_evaluated(life: Life) -> None:
    found = life.pipe.evaluate(life.test, resamples=50, compare=["dummy"])
    assert isinstance(found, SeveralEvaluations)
    assert list(found.targets) == TARGETS
    assert [one.primary for one in found.targets.values()] == ["mae", "roc_auc", "quadratic_kappa"]
    assert [one.rows for one in found.targets.values()] == [560, 600, 700]
    assert all(one.comparisons["dummy"].verdict == "better" for one in found.targets.values())
    assert found["sold"].importance is not None
    assert "sold: roc_auc" in life.pipe.fitted.describe()["metrics"]
    assert json.dumps(found.to_dict())
    assert "my price: regression" in found.summary()
    found["sold"].plot()
    with pytest.raises(SettingError, match=r"a picture shows one target: result\['my price'\]"):
        found.plot()


def test_every_output_of_every_path_agrees(life: Life) -> None:
    assert life.pipe.verify(life.test).passed


def test_the_runtime_and_the_server_answer_the_same(life: Life) -> None:
    runtime, rows = hr.Runtime(life.folder), life.rows.head(4)
    assert runtime.answer_names == (
        *("my_price_prediction", "my_price_quantiles"),
        *("sold_probabilities", "grade_probabilities"),
    )
    says, expected = runtime.predict(rows), life.pipe.predict(rows)
    np.testing.assert_allclose(says["my price"], expected["my price"].to_numpy(), rtol=1e-5)
    for name in ("sold", "grade"):
        assert says[name].tolist() == expected[name].to_list()
    columns = runtime.predict_distribution(rows)
    assert list(columns) == life.pipe.predict_distribution(rows).columns
    answer = asyncio.run(_post(create_app(runtime), rows.to_dicts()))
    assert [row["sold"] for row in answer["predictions"]] == says["sold"].tolist()
    assert answer["distribution"]["sold_yes"] == columns["sold_yes"].tolist()
    out = io.BytesIO()
    score(runtime, [json.dumps(row) for row in rows.to_dicts()], out)
    scored = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["prediction"] for line in scored] == answer["predictions"]
    with pytest.raises(SettingError, match="use predict or predict_distribution"):
        runtime.predict_proba(rows)


def test_a_loaded_pipeline_is_the_same(life: Life) -> None:
    again = hr.load(life.folder)
    assert again.target == TARGETS
    assert again.predict(life.rows).equals(life.pipe.predict(life.rows))
    assert again.fitted.target == life.pipe.fitted.target


def test_what_belongs_to_one_target_says_so(life: Life) -> None:
    with pytest.raises(SettingError, match="maintenance follows one target"):
        life.pipe.maintain(life.test)
    with pytest.raises(SettingError, match="tuning compares by the metric of one target"):
        life.pipe.tune(life.test, trials=1)
    with pytest.raises(SettingError, match="predicts 3 targets.*predict_distribution"):
        life.pipe.predict_proba(life.rows)
    with pytest.raises(SettingError, match="'sald'; perhaps 'sold' is meant"):
        life.pipe.fitted.for_target("sald")
    with pytest.raises(SettingError, match="predicts 'sold' alone"):
        life.pipe.fitted.for_target("sold").for_target("sold")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"monitor": "roc_auc"}, "monitor='roc_auc' belongs to one target"),
        ({"calibrate": "temperature"}, "calibrate='temperature' belongs to one target"),
        ({"metrics": ["mae"]}, "metrics in the history belong to one target"),
        ({"loss": {"prise": "mse"}}, "'prise'.*perhaps 'my price' is meant"),
        ({"loss": {"sold": "mse"}, "label_smoothing": 0.1}, "leave it out"),
    ],
)
def test_settings_that_do_not_suit(settings: dict[str, Any], text: str) -> None:
    pipe = hr.Pipeline([hr.transform.Encode(), make_network(**settings)], target=TARGETS)
    with pytest.raises(SettingError, match=text):
        pipe.train(make_rows(60))


def test_targets_that_are_none() -> None:
    for target in (["x"], ["x", "x"]):
        with pytest.raises(SettingError, match=r"two different columns or more, received \['x'"):
            hr.Pipeline(target=target)
    with pytest.raises(DataError, match="the target is not among the columns"):
        hr.Pipeline([hr.Network("linear")], target=["x", "solt"]).train(make_rows(60))


def test_target_means_learn_from_every_target() -> None:
    steps = [hr.transform.TargetMean(), hr.Network([8], epochs=2, embedding=None)]
    pipe = hr.Pipeline(steps, target=["my price", "sold"])
    pipe.train(make_rows(200))
    assert len(pipe.predict(make_rows(20))) == 20


def test_a_run_leaves_out_what_follows_one_target(tmp_path: Path) -> None:
    network = hr.Network("linear", embedding=None, epochs=2)
    pipe = hr.Pipeline([hr.transform.Encode(), network], target=TARGETS)
    result = pipe.run(make_rows(120), to=tmp_path)
    assert "my price: regression" in result.summary()
    assert hr.Runtime(tmp_path).task == "joint"


async def _post(app: Any, rows: list[dict[str, Any]]) -> Any:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return (await client.post("/predict", json={"rows": rows})).json()
