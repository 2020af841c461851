"""The explanation: text, table, figures and picture of what was kept and what ran."""

from __future__ import annotations

import json

import pytest

from headrace.cache.explanation import Explanation, Line
from headrace.errors import SettingError

LINES = (
    Line("steps", "1. clean.Clip", "kept from 2026-11-25 01:02, saved 3.2 s", kept=True, saved=3.2),
    Line("evaluate", "evaluate", "ran: low <0.01> -> 0.02", kept=False),
)


def test_the_text_has_a_line_for_each_part() -> None:
    assert str(Explanation("models/.cache", LINES)).splitlines() == [
        "steps     1. clean.Clip  kept from 2026-11-25 01:02, saved 3.2 s",
        "evaluate  evaluate       ran: low <0.01> -> 0.02",
        "1 of 2 parts kept, saved 3.2 s; the cache is in models/.cache",
    ]


def test_parts_can_be_asked_for() -> None:
    explanation = Explanation("cache", LINES)
    assert explanation.kept == ("1. clean.Clip",)
    assert explanation.ran == ("evaluate",)
    assert explanation["evaluate"] == "ran: low <0.01> -> 0.02"
    with pytest.raises(SettingError, match=r"no part 'tune'; it had 1\. clean\.Clip, evaluate"):
        explanation["tune"]
    json.dumps(explanation.to_dict())


def test_notebooks_show_a_table_and_nothing_of_it_is_markup() -> None:
    page = Explanation("cache", LINES)._repr_html_()
    assert page.count("<tr>") == 2
    assert "&lt;0.01&gt;" in page


def test_without_a_cache_it_says_so() -> None:
    assert str(Explanation("", ())) == "nothing was kept: there was no run with a cache"
    assert "there was no run with a cache" in Explanation("", ())._repr_html_()


def test_the_picture_shows_what_was_saved() -> None:
    axes = Explanation("cache", LINES).plot()
    assert [bar.get_width() for bar in axes.patches] == [3.2]
