"""The dashboard as a browser shows it: narrow and wide, light and dark, with and without a token."""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import expect

from headrace.serving.tokens import TokenFile
from tests.browsers import browser
from tests.serving.test_server import start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from headrace.deploy.release import Release

__all__ = ["browser"]

HOSTILE = "<img src=x onerror=document.title='bad'>"


@pytest.fixture(scope="module")
def site(
    wide_release: Release, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """A server that was asked a few things, and the secret of its administrator."""
    from tests.releases import make_wide_row

    folder = tmp_path_factory.mktemp("site")
    secret = TokenFile(folder / "tokens.json").add("ada", "admin")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = start(folder, wide_release.path, port, folder / "tokens.json", 10, 1)
    url = f"http://127.0.0.1:{port}"
    head = {"authorization": f"Bearer {secret}"}
    for _ in range(300):
        try:
            httpx.get(f"{url}/health/ready").raise_for_status()
            break
        except httpx.HTTPError:
            time.sleep(0.1)
    rows = [make_wide_row(seed) for seed in range(30)]
    rows[-1]["category 0"] = HOSTILE
    for row in rows:
        httpx.post(f"{url}/predict", json={"rows": [row]}, headers=head).raise_for_status()
    yield url, secret
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)


def opened(browser: Browser, url: str, width: int, scheme: Any) -> tuple[Page, list[str]]:
    """Open the page; what it complains of, and what it asks elsewhere, is listed."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda one: said.append(one.text) if "401" not in one.text else None)
    page.on("request", lambda one: said.append(one.url) if not one.url.startswith(url) else None)
    page.goto(url)
    return page, said


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_shows_what_the_server_does(
    browser: Browser, site: tuple[str, str], width: int, scheme: str
) -> None:
    url, secret = site
    page, said = opened(browser, url, width, scheme)
    page.wait_for_selector("#door:not([hidden])")
    assert page.is_hidden("#all")
    page.fill("#secret", "wrong")
    page.click("#door button")
    expect(page.locator("#state")).to_contain_text("not known")
    page.fill("#secret", secret)
    page.click("#door button")
    page.wait_for_selector("#recent tr")
    assert page.is_hidden("#door")
    assert page.title() == "bought"
    assert page.locator("#recent tr").count() == 20
    assert "requests, 5 min" in page.inner_text("#facts")
    assert page.locator("#shares tr").count() >= 1
    page.locator("#recent tr button").first.click()
    page.wait_for_selector("#why .bar")
    assert page.locator("#why .bar").count() == 10
    assert HOSTILE in page.inner_text("#why") or page.locator("#why img").count() == 0
    if shots := os.environ.get("HEADRACE_SHOTS"):
        page.screenshot(path=f"{shots}/dashboard-{width}-{scheme}.png", full_page=True)
    wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    assert not wide
    assert said == []
    page.close()


def test_the_switch_asks_for_a_reason(browser: Browser, site: tuple[str, str]) -> None:
    url, secret = site
    page, said = opened(browser, url, 1280, "light")
    page.evaluate(f"sessionStorage.setItem('headrace-token', '{secret}')")
    page.reload()
    page.wait_for_selector("#recent tr")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.click("#kill")
    assert page.inner_text("#kill") == "Switch off"
    page.once("dialog", lambda dialog: dialog.accept("it answers nonsense"))
    page.click("#kill")
    expect(page.locator("#kill")).to_have_text("Switch on")
    expect(page.locator("#changes")).to_contain_text("it answers nonsense")
    page.once("dialog", lambda dialog: dialog.accept("all is well"))
    page.click("#kill")
    expect(page.locator("#kill")).to_have_text("Switch off")
    assert said == []
    page.close()
