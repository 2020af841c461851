"""Answers are noted, and the truth is taken when it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from headrace.ledger.ledger import Ledger
from headrace.serving.app import create_app
from tests.serving.client import ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.applications import Starlette

    from headrace.deploy.release import Release


@pytest.fixture
def app(wide_release: Release, tmp_path: Path) -> Iterator[Starlette]:
    found = create_app(wide_release.path, ledger=tmp_path / "l.sqlite")
    yield found
    found.state.service.ledger.close()


def test_what_was_answered_meets_what_is_true(
    app: Starlette, tmp_path: Path, wide_row: Callable[[int], dict[str, Any]]
) -> None:
    rows = [wide_row(seed) for seed in range(3)]
    says = ask(app, "POST", "/predict", json={"rows": rows}).json()
    labels = [{"id": f"{says['id']}/{n}", "value": "yes"} for n in range(2)]
    answer = ask(app, "POST", "/feedback", json={"labels": labels})
    assert answer.json() == {"taken": 2}
    assert app.state.service.ledger.flush()
    with Ledger(tmp_path / "l.sqlite") as ledger:
        assert ledger.counts()["predictions"] == 3
        assert ledger.labelled()["label"].to_list() == ["yes", "yes"]
        noted = {one.id: one for one in ledger.recent()}
    first = noted[f"{says['id']}/0"]
    assert first.version == says["version"]
    assert first.features == rows[0]
    assert first.answer["prediction"] == says["predictions"][0]
    text = ask(app, "GET", "/metrics").text
    assert 'headrace_ledger_items{state="written"} 5.0' in text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, 'expected {"labels"'),
        ({"labels": []}, "one or more rows"),
        ({"labels": [{"id": "a/0"}]}, "label 0 should hold 'id' and 'value'"),
        ({"labels": [{"id": "a/0", "value": 1}, 7]}, "label 1 should hold"),
        ({"labels": [{"id": 7, "value": 1}]}, "should be short texts"),
        ({"labels": [{"id": "a", "value": 1, "time": "soon"}]}, "received 'soon'"),
        ({"labels": [{"id": "a", "value": 1, "time": "2026-01-01T00:00:00"}]}, "with its zone"),
        ({"labels": [{"id": "a", "value": 1, "time": True}]}, "seconds since 1970"),
    ],
)
def test_what_is_no_label_is_refused_whole(app: Starlette, body: Any, text: str) -> None:
    answer = ask(app, "POST", "/feedback", json=body)
    assert answer.status_code == 422
    assert text in answer.json()["error"]
    assert app.state.service.ledger.waiting == 0


def test_a_server_without_a_ledger_says_so(wide_release: Release) -> None:
    answer = ask(create_app(wide_release.path), "POST", "/feedback", json={"labels": []})
    assert (answer.status_code, "--ledger FILE" in answer.json()["error"]) == (404, True)
