"""The report as a file, and as a browser shows it."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

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


def test_no_script_runs_but_the_one_that_the_policy_names(page: str) -> None:
    assert Reader(page).tags.count("script") == 1
    script = page.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#x27;sha256-{digest}&#x27;" in page or f"'sha256-{digest}'" in page
    assert "default-src 'none'" in page
    assert html.escape(HOSTILE) in page


def test_a_wide_table_and_many_classes_stay_small(make: Any) -> None:
    random = np.random.default_rng(0)
    columns = [
        SimpleNamespace(
            name=f"column {n}", kind="number", rows=10_000, missing=n, other=0, distinct=900,
            edges=tuple(np.linspace(0, 1, 51).tolist()), counts=tuple(random.integers(0, 99, 50).tolist()),
        )
        for n in range(200)
    ]  # fmt: skip
    truth = random.integers(0, 50, 20_000)
    output = random.dirichlet(np.ones(50), 20_000)
    classes = tuple(f"class {n}" for n in range(50))
    answers = make(y_true=truth, output=output, classes=classes)
    page = report({"Data": make(columns=columns), "evaluate": answers})
    assert len(page.encode()) < 3_000_000


def test_every_section_can_be_reached(page: str, sections: dict[str, Content]) -> None:
    read = Reader(page)
    assert read.links[0] == "#main"
    assert len(read.links) == 1 + len(sections)
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
