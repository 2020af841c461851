"""The report as a file, and as a browser shows it."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import matplotlib.image
import numpy as np
import pytest

from headrace.errors import SettingError
from headrace.visualization import Answers, report, training_curves, write_report
from headrace.visualization.markup import Table

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.visualization.content import Content

HOSTILE = "<script>alert(1)</script>"


def figure(value: float, low: float, high: float) -> Any:
    return SimpleNamespace(value=value, low=low, high=high, higher_is_better=True, note="")


@pytest.fixture(scope="module")
def sections(make: Any, profile: Any, drifted: Any, binary: Answers) -> dict[str, Content]:
    against = SimpleNamespace(
        metric="roc_auc",
        value=0.9,
        reference=0.5,
        difference=0.4,
        low=0.3,
        high=0.5,
        verdict="better",
    )
    evaluation = {
        "metrics": {"roc_auc": figure(0.918, 0.912, 0.924), HOSTILE: figure(470.0, 450.0, 490.0)},
        "comparisons": {"constant": against},
        "importance": SimpleNamespace(
            metric="roc_auc",
            columns=[SimpleNamespace(column=HOSTILE, drop=0.1, low=0.05, high=0.2)],
        ),
        "y_true": binary.y_true,
        "output": binary.output,
        "classes": (HOSTILE, "你好 $x$"),
        "notes": (HOSTILE,),
    }
    return {
        "Data": ["48,842 rows.", profile],
        "Steps": "Pipeline(\n    steps=[...],\n)",
        "train": make(history={"loss": [0.9, 0.5], "val_loss": [0.8, 0.6]}, best_epoch=2),
        "evaluate": make(**evaluation),
        "tune": make(trials=[0.5, 0.4, 0.45]),
        "verify": {"largest difference": 3.1e-7, "worst column": HOSTILE},
        "deploy": make(version="3f9a2c77d01b4e65", path="models/income"),
        "maintain": drifted,
        HOSTILE: None,
    }


@pytest.fixture(scope="module")
def page(sections: dict[str, Content]) -> str:
    facts = {"ROC AUC": (0.918, "0.912 to 0.924"), "Release": HOSTILE}
    return report(sections, title=f"Income {HOSTILE}", about=HOSTILE, facts=facts)


class Reader(HTMLParser):
    """Collects what a page is made of, and whether every element is closed."""

    EMPTY = frozenset({"meta", "br", "img", "link", "path", "use", "rect", "image", "circle"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.loaded: list[str] = []
        self.links: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in {"href", "xlink:href", "src"}:
                (self.links if tag == "a" else self.loaded).append(value or "")
        if tag not in self.EMPTY:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.EMPTY:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.EMPTY:
            assert self._open.pop() == tag


def test_the_page_needs_nothing_else(page: str) -> None:
    read = Reader(page)
    assert not [address for address in read.loaded if not address.startswith(("#", "data:"))]
    assert not re.search(r"https?://|@import|url\((?!#)", page)
    assert len(page.encode()) < 3_000_000


def test_it_holds_no_script_and_no_hostile_text(page: str) -> None:
    assert "script" not in Reader(page).tags
    assert html.escape(HOSTILE) in page


def test_every_section_can_be_reached(page: str, sections: dict[str, Content]) -> None:
    read = Reader(page)
    assert len(read.links) == len(sections)
    assert {link.removeprefix("#") for link in read.links} <= set(read.ids)
    assert len(read.ids) == len(set(read.ids))


def test_stages_have_headings_in_words(page: str) -> None:
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert headings[2:8] == [
        "Training",
        "Evaluation",
        "Tuning",
        "Verification",
        "Release",
        "Maintenance",
    ]


def test_figures_verdicts_and_pictures_are_there(page: str) -> None:
    for text in ("0.918", '<span class="pill good">better</span>', "3.1e-07", "3f9a2c77d01b4e65"):
        assert text in page
    assert Reader(page).tags.count("figure") == 11


def test_the_same_results_make_the_same_page(sections: dict[str, Content]) -> None:
    moment = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    assert report(sections, written=moment) == report(sections, written=moment)
    assert "Written 2026-01-02 03:04 UTC" in report({}, written=moment)


def test_axes_tables_and_nested_content_are_shown() -> None:
    content = {"plain": 1, "inner": [Table(["a"], [[2]]), training_curves({"loss": [1.0]})]}
    page = report({"All": content})
    assert Reader(page).tags.count("svg") == 1
    assert "<h3>inner</h3>" in page


def test_what_cannot_be_shown_is_an_error() -> None:
    with pytest.raises(SettingError, match=r"a section of the report holds .*, received set"):
        report({"Data": {1, 2}})


def test_the_file_is_written_as_a_whole(tmp_path: Path) -> None:
    path = write_report(tmp_path / "new" / "report.html", {"Data": "some"}, title="One")
    assert "<h1>One</h1>" in path.read_text(encoding="utf-8")
    with pytest.raises(SettingError):
        write_report(path, {"Data": {1}})
    assert "<h1>One</h1>" in path.read_text(encoding="utf-8")
    assert list(path.parent.iterdir()) == [path]


# -- in a browser ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium() -> str:
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None and os.environ.get("HEADRACE_NO_SKIP") == "1":
        pytest.fail("chromium is not installed, and nothing may be skipped here")
    return found or pytest.skip("chromium is not installed")


def run(chromium: str, folder: Path, *arguments: str) -> str:
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars "
        "--disable-background-networking --disable-component-update --disable-sync "
        "--virtual-time-budget=3000"
    )
    command = [chromium, *flags.split(), f"--user-data-dir={folder / 'browser'}", *arguments]
    done = subprocess.run(command, capture_output=True, check=True, timeout=120, text=True)
    return done.stdout


@pytest.mark.parametrize("width", [420, 1280])
def test_a_browser_shows_the_page_without_sideways_scrolling(
    page: str, width: int, chromium: str, tmp_path: Path
) -> None:
    # A frame gives widths that are smaller than the smallest window.
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<body style="margin:0"><iframe style="border:0;width:{width}px;height:2000px" '
        f'onload="document.title=this.contentDocument.documentElement.scrollWidth" '
        f'srcdoc="{html.escape(page)}"></iframe>',
        encoding="utf-8",
    )
    size = f"--window-size={max(width, 500)},2000"
    shown = run(chromium, tmp_path, size, "--dump-dom", frame.as_uri())
    assert f"<title>{width}</title>" in shown

    run(chromium, tmp_path, size, f"--screenshot={tmp_path / 'shot.png'}", frame.as_uri())
    picture = matplotlib.image.imread(tmp_path / "shot.png")[:, :width, :3]
    head, body = picture[2, width // 2], picture[300:]
    np.testing.assert_allclose(head, np.array([0x0B, 0x3A, 0x53]) / 255, atol=0.01)
    assert len(np.unique(body.reshape(-1, 3), axis=0)) > 50
