"""Intervals of a release: stored, hashed, and answered without TensorFlow as by the pipeline."""

from __future__ import annotations

import asyncio
import io
import json
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest

import headrace as hr
from headrace.deploy.stream import score
from headrace.errors import ReleaseError, SettingError
from headrace.serving.app import create_app

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl


@pytest.fixture(scope="module")
def ranges(ranged: hr.Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry whose champion has intervals of `wage`."""
    return published(ranged, tmp_path_factory.mktemp("ranges"))


@pytest.fixture(scope="module")
def sets(grouped: hr.Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry whose champion has sets of `grade`, by group and lot."""
    return published(grouped, tmp_path_factory.mktemp("sets"))


class Client:
    """Asks an application in this process."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def post(self, path: str, json: Any) -> httpx.Response:
        return asyncio.run(self._ask("POST", path, json=json))

    def get(self, path: str) -> httpx.Response:
        return asyncio.run(self._ask("GET", path))

    async def _ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **content)


def published(pipe: hr.Pipeline, path: Path) -> Path:
    copy = pipe.copy()
    copy.adopt(pipe.fitted, None)
    result = copy.deploy(path)
    assert result.verification is not None
    assert result.verification.passed
    return path


def rows(fresh: pl.DataFrame) -> list[dict[str, Any]]:
    return fresh.drop("wage", "grade", "rich").to_dicts()


def test_a_runtime_answers_the_pipelines_intervals(
    ranges: Path, ranged: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    expected = ranged.predict(fresh, interval=0.9)
    found = hr.Runtime(ranges).predict(rows(fresh), interval=0.9)
    assert list(found) == ["prediction", "low", "high"]
    for name, column in found.items():
        assert np.allclose(column, expected[name], rtol=1e-5)


def test_a_runtime_answers_the_pipelines_sets(
    sets: Path, grouped: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    expected = grouped.predict(fresh, interval=0.9)
    found = hr.Runtime(sets).predict(rows(fresh), interval=0.9)
    assert found["set"] == expected["set"].to_list()
    assert found["prediction"].tolist() == expected["prediction"].to_list()


def test_a_loaded_pipeline_answers_the_same(
    sets: Path, grouped: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    again = hr.load(sets).predict(fresh, interval=0.95)
    assert again.equals(grouped.predict(fresh, interval=0.95))


def test_scores_are_stored_as_data_and_hashed(sets: Path) -> None:
    release = hr.Runtime(sets).release
    assert "conformal.json" in release
    assert any(name.startswith("arrays/conformal") for name in release.sizes)
    file = release.path / "conformal.json"
    before = file.read_bytes()
    file.write_bytes(before.replace(b"aps", b"lac"))
    try:
        with pytest.raises(ReleaseError, match="conformal.json"):
            hr.Runtime(sets)
    finally:
        file.write_bytes(before)


def test_a_release_without_intervals_says_so(
    trained: hr.Pipeline, fresh: pl.DataFrame, tmp_path: Path
) -> None:
    runtime = hr.Runtime(published(trained, tmp_path))
    assert "conformal.json" not in runtime.release
    with pytest.raises(SettingError, match="no rows have calibrated intervals yet"):
        runtime.predict(rows(fresh), interval=0.9)
    answer = Client(create_app(runtime)).post(
        "/predict", json={"rows": rows_as_json(fresh), "interval": 0.9}
    )
    assert answer.status_code == 422
    assert "has no calibrated intervals" in answer.json()["error"]


def rows_as_json(fresh: pl.DataFrame, count: int = 5) -> list[dict[str, Any]]:
    return json.loads(json.dumps(rows(fresh.head(count)), default=str))


def test_the_server_answers_intervals_where_they_are_asked_for(
    ranges: Path, ranged: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    client = Client(create_app(ranges))
    body = {"rows": rows_as_json(fresh)}
    assert "interval" not in client.post("/predict", json=body).json()
    found = client.post("/predict", json=body | {"interval": 0.9}).json()["interval"]
    expected = ranged.predict(fresh.head(5), interval=0.9)
    assert found["level"] == 0.9
    assert np.allclose(found["low"], expected["low"], rtol=1e-5)
    assert np.allclose(found["high"], expected["high"], rtol=1e-5)


def test_the_server_says_what_it_cannot_rule_out(ranges: Path, fresh: pl.DataFrame) -> None:
    client = Client(create_app(ranges))
    body = {"rows": rows_as_json(fresh), "interval": 0.9999}
    found = client.post("/predict", json=body).json()["interval"]
    assert found["low"] == [None] * 5
    assert "too few for the level 0.9999" in found["notes"][0]


@pytest.mark.parametrize("level", [0, 1, "high", [0.9], True])
def test_the_server_refuses_what_is_no_level(
    ranges: Path, fresh: pl.DataFrame, level: object
) -> None:
    client = Client(create_app(ranges))
    answer = client.post("/predict", json={"rows": rows_as_json(fresh), "interval": level})
    assert answer.status_code == 422
    assert "interval must be a number between 0 and 1" in answer.json()["error"]


def test_the_server_answers_sets_and_describes_them(
    sets: Path, grouped: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    client = Client(create_app(sets))
    body = {"rows": rows_as_json(fresh), "interval": 0.9}
    found = client.post("/predict", json=body).json()["interval"]
    assert found["set"] == grouped.predict(fresh.head(5), interval=0.9)["set"].to_list()
    post = client.get("/openapi.json").json()["paths"]["/predict"]["post"]
    asked = post["requestBody"]["content"]["application/json"]["schema"]["properties"]
    answered = post["responses"]["200"]["content"]["application/json"]["schema"]["properties"]
    assert asked["interval"]["exclusiveMaximum"] == 1
    assert set(found) - {"notes"} <= set(answered["interval"]["properties"])


def test_lines_are_answered_with_their_intervals(
    ranges: Path, sets: Path, ranged: hr.Pipeline, grouped: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    lines = [json.dumps(row) for row in rows_as_json(fresh)] + ["{broken"]
    for path, pipe in ((ranges, ranged), (sets, grouped)):
        out = io.BytesIO()
        count = score(path, lines, out, interval=0.9)
        assert (count.lines, count.errors) == (6, 1)
        answers = [json.loads(line) for line in out.getvalue().splitlines()]
        expected = pipe.predict(fresh.head(5), interval=0.9).drop("prediction").to_dicts()
        for answer, row in zip(answers, expected, strict=False):
            for name, value in row.items():
                close = (
                    answer[name] == value
                    if name == "set"
                    else answer[name] == pytest.approx(value, rel=1e-5)
                )
                assert close


def test_paths_that_group_rows_differently_are_found_out(grouped: hr.Pipeline) -> None:
    from dataclasses import replace

    from headrace.deploy import stage

    fitted = grouped.fitted
    one = fitted.conformal["grade"]
    turned = replace(one, groups=replace(one.groups, places=one.groups.places[::-1]), _reaches={})
    again = replace(fitted, conformal={"grade": turned})
    kept = stage.fitted_from
    try:
        stage.fitted_from = lambda release: replace(kept(release), conformal=again.conformal)
        found = stage.verify(fitted, fitted.kept.sample_rows.head(50))
    finally:
        stage.fitted_from = kept
    assert not found.passed
    assert found.differences["reloaded release"] > 0
