"""What answers is exchanged while it answers."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

import headrace as hr
from headrace.deploy.registry import Registry
from headrace.serving.adjustments import Adjustments, read_adjustments
from headrace.serving.app import create_app
from tests.serving.client import ask, ask_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.applications import Starlette


@pytest.fixture
def registry(wide_parts: dict[str, Any], tmp_path: Path) -> Registry:
    """Three releases of one graph; the first is the champion."""
    found = Registry(tmp_path / "bought by")
    versions = [found.publish(wide_parts, notes={"n": n}, why="test").version for n in range(3)]
    found.promote(versions[0], "the first")
    found.versions_in_order = versions  # type: ignore[attr-defined]
    return found


@pytest.fixture
def versions(registry: Registry) -> list[str]:
    found: list[str] = registry.versions_in_order  # type: ignore[attr-defined]
    return found


@pytest.fixture
def app(registry: Registry) -> Starlette:
    return create_app(registry.path)


@pytest.fixture
def body(wide_row: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
    return {"rows": [wide_row(seed) for seed in range(3)]}


def change(app: Starlette, why: str = "a test", **changes: Any) -> Any:
    return ask(app, "POST", "/admin/adjust", json={"changes": changes, "why": why})


def test_a_promoted_release_answers_without_a_restart(
    app: Starlette, registry: Registry, versions: list[str], body: dict[str, Any]
) -> None:
    assert ask(app, "POST", "/predict", json=body).json()["version"] == versions[0]
    registry.promote(versions[1], "better")
    app.state.service._look()
    assert ask(app, "POST", "/predict", json=body).json()["version"] == versions[1]
    assert ask(app, "GET", "/health").json()["version"] == versions[1]


def test_an_administrator_promotes_and_rolls_back(
    app: Starlette, registry: Registry, versions: list[str], body: dict[str, Any]
) -> None:
    answer = ask(app, "POST", "/admin/promote", json={"version": versions[2], "why": "by hand"})
    assert answer.json() == {"champion": versions[2]}
    assert ask(app, "POST", "/predict", json=body).json()["version"] == versions[2]
    assert ask(app, "POST", "/admin/rollback", json={"why": "worse"}).json() == {
        "champion": versions[0]
    }
    assert ask(app, "POST", "/predict", json=body).json()["version"] == versions[0]
    assert "anyone" in registry.history()[-1].why
    answer = ask(app, "POST", "/admin/promote", json={"version": "f" * 16, "why": "x"})
    assert answer.status_code == 409
    assert str(registry.path) not in answer.text


def test_a_canary_answers_its_share(
    app: Starlette, versions: list[str], body: dict[str, Any]
) -> None:
    assert change(app, canary=versions[1], share=0.3).status_code == 200
    answers = ask_all(app, [("POST", "/predict", {"json": body})] * 300)
    share = sum(one.json()["version"] == versions[1] for one in answers) / 300
    assert 0.18 < share < 0.42
    assert {one.json()["version"] for one in answers} == set(versions[:2])
    assert change(app, canary=None, share=0.0).status_code == 200
    assert ask(app, "POST", "/predict", json=body).json()["version"] == versions[0]


def test_a_shadow_is_compared_and_never_answers(
    app: Starlette, versions: list[str], body: dict[str, Any]
) -> None:
    assert change(app, shadow=versions[1]).status_code == 200

    answers = ask_all(app, [("POST", "/predict", {"json": body})] * 5)
    assert {one.json()["version"] for one in answers} == {versions[0]}
    text = ask(app, "GET", "/metrics").text
    assert f'headrace_release_info{{part="shadow",version="{versions[1]}"}} 1.0' in text
    assert "headrace_shadow_differs_total 0.0" in text


def test_thresholds_and_probabilities_are_moved(app: Starlette, body: dict[str, Any]) -> None:
    plain = ask(app, "POST", "/predict", json=body).json()
    assert "adjusted" not in plain
    change(app, threshold=0.0)
    low = ask(app, "POST", "/predict", json=body).json()
    assert low["predictions"] == ["yes"] * 3
    assert low["adjusted"] is True
    change(app, threshold=None, recalibrate=[1.0, 2.0])
    moved = ask(app, "POST", "/predict", json=body).json()
    for before, after in zip(plain["probabilities"], moved["probabilities"], strict=True):
        assert after[1] > before[1]
        assert sum(after) == pytest.approx(1)


def test_a_switched_off_model_answers_the_fallback(app: Starlette, body: dict[str, Any]) -> None:
    change(app, killed=True)
    answer = ask(app, "POST", "/predict", json=body)
    assert answer.status_code == 503
    assert answer.json()["error"] == "the model is switched off"
    change(app, fallback="no")
    says = ask(app, "POST", "/predict", json=body).json()
    assert says["predictions"] == ["no"] * 3
    assert says["fallback"] is True
    change(app, killed=False)
    assert "fallback" not in ask(app, "POST", "/predict", json=body).json()


def test_changes_are_kept_and_told(app: Starlette, registry: Registry, versions: list[str]) -> None:
    change(app, why="fewer missed cases", threshold=0.4)
    state = ask(app, "GET", "/admin/state").json()
    assert state["adjustments"]["threshold"] == 0.4
    assert state["changes"][0]["why"] == "fewer missed cases"
    assert state["changes"][0]["who"] == "anyone"
    assert state["answering"] == {"champion": versions[0]}
    assert sorted(state["releases"]) == sorted(versions)
    assert read_adjustments(registry.path).threshold == 0.4
    again = create_app(registry.path)
    assert again.state.service.live.lineup.adjustments.threshold == 0.4


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"treshold": 0.4}, "unknown adjustment 'treshold'; perhaps 'threshold' is meant"),
        ({"threshold": 2}, "threshold should be a number from 0 to 1, received 2"),
        ({"share": 0.1}, "share needs a canary"),
        ({"canary": "f" * 16, "share": 0.1}, "has no release 'ffffffffffffffff'"),
        ({"shadow": "challenger"}, "has no challenger"),
        ({"killed": "yes"}, "killed should be true or false"),
        ({"recalibrate": [0, 1]}, "a positive slope and a shift"),
        ({"fallback": {}}, "fallback should be a label or a number"),
        ({}, "'changes' should be an object with one or more adjustments"),
    ],
)
def test_what_cannot_be_changes_nothing(
    app: Starlette, registry: Registry, changes: dict[str, Any], text: str
) -> None:
    answer = change(app, **changes)
    assert answer.status_code in (409, 422)
    assert text in answer.json()["error"]
    assert read_adjustments(registry.path) == Adjustments()
    assert app.state.service.live.lineup.adjustments == Adjustments()


def test_a_change_needs_a_reason_and_json(app: Starlette) -> None:
    answer = ask(app, "POST", "/admin/rollback", json={"why": " "})
    assert (answer.status_code, "say why" in answer.json()["error"]) == (422, True)
    form = ask(app, "POST", "/admin/rollback", content=b'{"why": "x"}')
    assert form.status_code == 415


def test_a_damaged_release_does_not_take_the_place_of_a_good_one(
    app: Starlette, registry: Registry, versions: list[str], body: dict[str, Any]
) -> None:
    registry.promote(versions[1], "better")
    graph = registry.path / "releases" / versions[1] / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    app.state.service._look()
    assert ask(app, "POST", "/predict", json=body).json()["version"] == versions[0]
    assert "could not be made" in ask(app, "GET", "/health").json()["status"]
    assert "headrace_failed_swaps_total 1.0" in ask(app, "GET", "/metrics").text


def test_no_answer_mixes_two_releases(
    app: Starlette, registry: Registry, versions: list[str], body: dict[str, Any]
) -> None:
    stop = threading.Event()

    def swap() -> None:
        place = 0
        while not stop.is_set():
            place = (place + 1) % 3
            registry.promote(versions[place], "again")
            app.state.service._look()

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        answers = [
            one
            for _ in range(6)
            for one in ask_all(app, [("POST", "/predict", {"json": body})] * 32)
        ]
    finally:
        stop.set()
        swapper.join()
    assert {one.status_code for one in answers} == {200}
    assert {one.json()["version"] for one in answers} <= set(versions)


def test_a_release_by_itself_is_adjusted_in_memory(
    registry: Registry, versions: list[str], body: dict[str, Any]
) -> None:
    app = create_app(hr.Runtime(registry.path / "releases" / versions[0]))
    assert change(app, threshold=0.0).status_code == 200
    assert ask(app, "POST", "/predict", json=body).json()["predictions"] == ["yes"] * 3
    answer = ask(app, "POST", "/admin/promote", json={"version": versions[1], "why": "x"})
    assert answer.status_code == 422
    assert read_adjustments(registry.path) == Adjustments()
