"""Deploying a trained pipeline: parity, publication, loading, refusal."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.deploy.python_runtime import runtime_for
from headrace.plan.plan import Node
from headrace.serving.app import create_app

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["trained", "regression", "graded"])
def test_all_paths_agree_and_the_release_answers(
    name: str, request: pytest.FixtureRequest, fresh: pl.DataFrame, tmp_path: Path
) -> None:
    pipe: hr.Pipeline = request.getfixturevalue(name)
    verification = pipe.verify(fresh)
    assert verification.difference <= 1e-5, verification.summary()
    assert len(verification.differences) == 4
    released = pipe.fitted
    result = hr.Deploy().publish(released, tmp_path / "registry", pipe.settings())
    assert result.path.name == result.version
    assert (tmp_path / "registry" / "aliases" / "champion").read_text().strip() == result.version

    again = hr.load(tmp_path / "registry")
    assert again.predict(fresh).equals(pipe.predict(fresh))
    runtime = hr.Runtime(tmp_path / "registry")
    rows = json.loads(json.dumps(fresh.to_dicts(), default=str))
    expected = pipe.predict(fresh).to_numpy()
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(runtime.predict(rows), expected, rtol=1e-5)
    else:
        assert list(runtime.predict(rows)) == list(expected)


def test_clusters_are_deployed_too(table: pl.DataFrame, tmp_path: Path) -> None:
    pipe = hr.Pipeline(
        [hr.clean.Impute(), hr.normalize.Standardize(), hr.KMeans(3, columns=["age", "hours"])]
    )
    pipe.train(table)
    result = pipe.deploy(tmp_path)
    assert result.verification is not None
    assert result.verification.passed
    rows = table.select("age", "hours").head(20)
    assert list(hr.Runtime(tmp_path).predict(rows.to_dicts())) == pipe.predict(rows).to_list()


def test_publishing_twice_is_one_release(trained: hr.Pipeline, tmp_path: Path) -> None:
    first = hr.Deploy().publish(trained.fitted, tmp_path, trained.settings())
    second = hr.Deploy().publish(trained.fitted, tmp_path, trained.settings())
    assert first.version == second.version
    assert len(list((tmp_path / "releases").iterdir())) == 1


def test_a_disagreement_is_refused_and_the_column_named(
    trained: hr.Pipeline, tmp_path: Path
) -> None:
    plan = trained.plan
    place, node = next(
        (i, n) for i, n in enumerate(plan.nodes) if isinstance(n, Node) and "age" in n.inputs
    )
    broken = replace(node, operation=_Wrong(node.operation))
    nodes = (*plan.nodes[:place], broken, *plan.nodes[place + 1 :])
    fitted = replace(trained.fitted, plan=replace(plan, nodes=nodes))
    with pytest.raises(hr.ParityError, match=r"(?s)paths.*'age"):
        hr.Deploy().publish(fitted, tmp_path / "registry", {})
    assert not list((tmp_path / "registry").rglob("manifest.json"))


class _Wrong(hr.Operation):
    """An operation whose two lowerings differ."""

    inner: Any

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        return self.inner.polars(columns)

    def tensorflow(self, block: Any) -> Any:
        return self.inner.tensorflow(block) + 1.0

    def to_dict(self) -> dict[str, Any]:
        return self.inner.to_dict()


def test_a_release_altered_by_one_byte_is_refused(trained: hr.Pipeline, tmp_path: Path) -> None:
    folder = trained.save(tmp_path / "saved")
    plan = folder / "plan.json"
    content = bytearray(plan.read_bytes())
    content[len(content) // 2] ^= 1
    plan.write_bytes(bytes(content))
    with pytest.raises(hr.ReleaseError, match="plan.json"):
        hr.load(folder)


class Doubled(hr.PythonTransformer):
    """A free Python step that learns something."""

    def __init__(self, name: str = "hours") -> None:
        self.name = name
        self.factor = 0.0

    def fit(self, frame: pl.DataFrame) -> None:
        self.factor = 2.0 / float(frame[self.name].std() or 1.0)

    def transform(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(pl.col(self.name) * self.factor)

    def state(self) -> dict[str, Any]:
        return {"factor": self.factor}

    def restore(self, state: Any) -> None:
        self.factor = state["factor"]


def test_a_free_python_step_is_released_without_a_graph(
    table: pl.DataFrame, tmp_path: Path
) -> None:
    pipe = hr.Pipeline([Doubled(), hr.Network([4], epochs=2)], target="rich")
    pipe.train(table.select("hours", "rich"))
    result = pipe.deploy(tmp_path)
    assert not result.portable
    assert "free Python" in result.summary()
    again = hr.load(tmp_path)
    assert again.predict(table.select("hours")).equals(pipe.predict(table.select("hours")))
    with pytest.raises(hr.ReleaseError, match="free Python.*--module"):
        hr.Runtime(tmp_path)
    runtime = runtime_for(tmp_path)
    rows = table.select("hours").head(20)
    assert list(runtime.predict(rows.to_dicts())) == pipe.predict(rows).to_list()
    answer = asyncio.run(_post(create_app(runtime), {"rows": rows.to_dicts()}))
    assert answer["predictions"] == pipe.predict(rows).to_list()


async def _post(app: Any, body: Any) -> Any:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return (await client.post("/predict", json=body)).json()


def test_a_loaded_pipeline_can_be_deployed_again(trained: hr.Pipeline, tmp_path: Path) -> None:
    trained.save(tmp_path / "saved")
    again = hr.load(tmp_path / "saved")
    assert again.deploy(tmp_path / "registry").verification.passed  # type: ignore[union-attr]
