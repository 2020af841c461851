"""Nothing is answered to those who may not ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from starlette.routing import Route

from headrace.errors import SettingError
from headrace.serving.app import GuardSettings, create_app
from headrace.serving.guard import OPEN, needed_role
from headrace.serving.server import ServerSettings
from headrace.serving.tokens import TokenFile
from tests.serving.client import ask, ask_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.applications import Starlette

    from headrace.deploy.release import Release


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "tokens.json")


@pytest.fixture
def guarded(wide_release: Release, tokens: TokenFile) -> tuple[Starlette, dict[str, str]]:
    """An application with tokens, and the header of each role."""
    heads = {role: f"Bearer {tokens.add(role, role)}" for role in ("predict", "admin")}
    return create_app(wide_release.path, tokens=tokens), heads


def every_route(app: Starlette) -> list[tuple[str, str]]:
    found = []
    for route in app.routes:
        assert isinstance(route, Route)
        path = route.path.replace("{model}", "m").replace("{version}", "v")
        found += [(method, path) for method in sorted(route.methods or ())]
    return found


def test_no_route_answers_without_a_token(guarded: tuple[Starlette, dict[str, str]]) -> None:
    app, _ = guarded
    routes = every_route(app)
    assert len(routes) > 25
    for method, path in routes:
        status = ask(app, method, path).status_code
        assert status == (200 if path in OPEN else 401), (method, path)
    for path in ("/nothing", "/admin", "/predict/", "/predict%2F", "/v2/health/live/x"):
        assert ask(app, "GET", path).status_code == 401


def test_a_wrong_token_is_refused(guarded: tuple[Starlette, dict[str, str]]) -> None:
    app, heads = guarded
    right = heads["predict"]
    for head in ("Bearer x", "Bearer ", "Basic abc", right[:-1], right + "x", right.split()[1]):
        answer = ask(app, "GET", "/schema", headers={"authorization": head})
        assert answer.status_code == 401, head
        assert answer.headers["www-authenticate"] == "Bearer"
    assert ask(app, "GET", "/schema", headers={"authorization": right}).status_code == 200


def test_who_may_predict_may_not_change_things(guarded: tuple[Starlette, dict[str, str]]) -> None:
    app, heads = guarded
    for method, path in every_route(app):
        if needed_role(path) == "admin":
            answer = ask(app, method, path, headers={"authorization": heads["predict"]})
            assert answer.status_code == 403, path
            if method != "HEAD":
                assert "may predict, not change things" in answer.json()["error"]
    answer = ask(app, "GET", "/admin/state", headers={"authorization": heads["admin"]})
    assert answer.status_code == 200


def test_without_tokens_only_names_of_this_machine_are_answered(wide_release: Release) -> None:
    app = create_app(wide_release.path)
    for host, status in (
        ("localhost", 200), ("127.0.0.1:8000", 200), ("[::1]:80", 200),
        ("evil.example", 401), ("localhost.evil.example", 401), ("10.0.0.1", 401),
    ):  # fmt: skip
        assert ask(app, "GET", "/schema", headers={"host": host}).status_code == status, host
    anyone = create_app(wide_release.path, guard=GuardSettings(any_host=True))
    assert ask(anyone, "GET", "/schema", headers={"host": "models.example"}).status_code == 200


def test_another_address_needs_tokens() -> None:
    with pytest.raises(SettingError, match="lets other machines ask: give tokens"):
        ServerSettings(host="0.0.0.0").check()
    ServerSettings(host="0.0.0.0", tokens="tokens.json").check()
    with pytest.raises(SettingError, match="TLS needs both"):
        ServerSettings(key="key.pem").check()


def test_a_token_that_was_removed_is_refused_soon(
    guarded: tuple[Starlette, dict[str, str]], tokens: TokenFile
) -> None:
    app, heads = guarded
    tokens.remove("predict")
    app.state.service._look()
    answer = ask(app, "GET", "/schema", headers={"authorization": heads["predict"]})
    assert answer.status_code == 401


def test_too_many_requests_are_told_when_to_come_back(
    wide_release: Release, wide_row: Callable[[int], dict[str, Any]]
) -> None:
    app = create_app(wide_release.path, guard=GuardSettings(rate=2))
    body = {"rows": [wide_row(0)]}
    answers = [ask(app, "POST", "/predict", json=body) for _ in range(8)]
    assert [one.status_code for one in answers[:4]] == [200] * 4
    refused = [one for one in answers if one.status_code == 429]
    assert refused
    assert int(refused[0].headers["retry-after"]) >= 1
    assert app.state.service.metrics.refused.labels("rate")._value.get() == len(refused)
    busy = create_app(wide_release.path, guard=GuardSettings(requests=2))
    many = ask_all(busy, [("POST", "/predict", {"json": body})] * 6)
    assert {one.status_code for one in many} == {200, 429}


def test_each_answer_has_a_name(wide_release: Release) -> None:
    app = create_app(wide_release.path)
    names = {ask(app, "GET", "/schema").headers["x-request-id"] for _ in range(3)}
    assert len(names) == 3
    own = ask(app, "GET", "/schema", headers={"x-request-id": "order-7"})
    assert own.headers["x-request-id"] == "order-7"
    odd = ask(app, "GET", "/schema", headers={"x-request-id": "a b\x7f"})
    assert odd.headers["x-request-id"] not in ("a b\x7f", "")


def test_the_page_tells_nothing_without_a_token(
    wide_release: Release, wide_row: Callable[[int], dict[str, Any]]
) -> None:
    app = create_app(wide_release.path)
    page = ask(app, "GET", "/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http" not in page.text
    ask(app, "POST", "/predict", json={"rows": [wide_row(0)]})
    says = ask(app, "GET", "/admin/dashboard").json()
    assert sum(says["traffic"]["counts"]) == 1
    assert says["recent"][0]["row"] == wide_row(0)
    assert says["ledger"] is None
    why = ask(app, "POST", "/admin/explain", json={"rows": [wide_row(0)]}).json()
    assert why["explanations"][0]["of"] == "yes"
    again = ask(app, "GET", "/admin/dashboard").json()
    assert sum(again["traffic"]["counts"]) == 1  # a look back is no prediction
