"""The report as a browser shows it: narrow and wide, light and dark, on paper, with the keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.datasets import make_classification

import headrace as hr
from headrace.visualization import Answers, report
from headrace.visualization.markup import Table
from headrace.visualization.theme import DARK, LIGHT
from tests.browsers import browser

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

__all__ = ["browser"]

WIDTHS = [390, 1280]
LONG = "an_extremely_long_column_name_without_a_single_place_to_break_it_" * 2


@pytest.fixture(scope="module")
def file(
    tmp_path_factory: pytest.TempPathFactory, make: Any, binary: Answers, profile: Any
) -> Path:
    """A report of real results, with what is long, hostile and wide."""
    rows, _ = make_classification(300, 6, random_state=0)
    pipe = hr.Pipeline([hr.normalize.Standardize(), hr.KMeans(3)])
    table = {f"{LONG if n == 0 else 'x'}{n}": rows[:, n] for n in range(6)}
    pipe.train(table)
    many = Table(
        ["name", "value", "share"], [[f"row {n}", (n * 37) % 11 - 5.5, n / 9] for n in range(9)]
    )
    sections = {
        "Data": ["48,842 rows.", profile],
        "Sorted": [many],
        "evaluate": [
            make(y_true=binary.y_true, output=binary.output, classes=binary.classes),
            pipe.evaluate(table),
        ],
        "<script>alert(1)</script>": LONG,
        "End": "a line",
    }
    place = tmp_path_factory.mktemp("report") / "report.html"
    place.write_text(report(sections, title=LONG, about="<b>&"), encoding="utf-8")
    return place


def opened(
    browser: Browser, file: Path, width: int, scheme: Any = "light"
) -> tuple[Page, list[str]]:
    """Open the page; what it complains of is listed."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on(
        "request",
        lambda request: said.extend([] if request.url.startswith("file:") else [request.url]),
    )
    page.goto(file.as_uri())
    return page, said


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_page_and_nothing_complains(
    browser: Browser, file: Path, width: int, scheme: str
) -> None:
    page, said = opened(browser, file, width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not said
    sizes = page.evaluate(
        "[...document.querySelectorAll('figure svg')].map(s => [s.clientWidth, s.clientHeight])"
    )
    assert len(sizes) >= 8
    assert np.min(sizes) > 80
    theme = DARK if scheme == "dark" else LIGHT
    paper = page.evaluate("getComputedStyle(document.querySelector('section')).backgroundColor")
    assert paper == f"rgb{tuple(int(theme.paper[n : n + 2], 16) for n in (1, 3, 5))}"
    page.close()


def test_the_theme_can_be_chosen(browser: Browser, file: Path) -> None:
    page, _ = opened(browser, file, 1280)
    ink = "getComputedStyle(document.body).color"
    before = page.evaluate(ink)
    button = page.locator("#theme")
    assert button.inner_text() == "Dark"
    button.click()
    assert page.evaluate(ink) != before
    assert button.inner_text() == "Light"
    button.click()
    assert page.evaluate(ink) == before
    page.close()


def test_a_click_sorts_a_table_by_its_values(browser: Browser, file: Path) -> None:
    page, _ = opened(browser, file, 1280)
    table = page.locator("table", has_text="row 8")
    head = table.locator("th", has_text="value")

    def values() -> list[float]:
        cells = table.locator("tbody td:nth-child(2)")
        return [float(cells.nth(n).get_attribute("data-value") or "nan") for n in range(9)]

    head.locator("button").click()
    assert values() == sorted(values())
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").press("Enter")
    assert values() == sorted(values(), reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    page.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_list_of_sections_leads_to_each_and_marks_it(
    browser: Browser, file: Path, width: int
) -> None:
    page, _ = opened(browser, file, width)
    page.add_style_tag(content="html { scroll-behavior: auto !important; }")
    for place in range(page.locator("nav a").count()):
        link = page.locator("nav a").nth(place)
        link.click()
        page.wait_for_function(
            "link => link.getAttribute('aria-current') === 'true'",
            arg=link.element_handle(),
            timeout=3000,
        )
        assert page.locator("nav a[aria-current]").count() == 1
    page.close()


def test_the_keyboard_reaches_the_results_first(browser: Browser, file: Path) -> None:
    page, _ = opened(browser, file, 1280)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    page.close()


def test_paper_shows_all_of_it_in_light_colours(
    browser: Browser, file: Path, tmp_path: Path
) -> None:
    page, _ = opened(browser, file, 1280, "dark")
    page.pdf(path=str(tmp_path / "report.pdf"), format="A4")
    assert (tmp_path / "report.pdf").stat().st_size > 20_000
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert not page.locator("#theme").is_visible()
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert ink == f"rgb{tuple(int(LIGHT.ink[n : n + 2], 16) for n in (1, 3, 5))}"
    cut = page.evaluate(
        "[...document.querySelectorAll('.scroll')].filter(e => getComputedStyle(e).maxHeight != 'none').length"
    )
    assert cut == 0
    page.close()
