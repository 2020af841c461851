"""Reasons: what changed since the nearest result that is kept, in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from headrace.cache.cache import Entry
from headrace.cache.reasons import kept_text, why

ABOUT: dict[str, Any] = {
    "data": {
        "the rows": {"count": 600, "columns": {"age": "1f" * 16, "job": "2f" * 16}},
        "reading": "in memory",
    },
    "code": {"__main__.Scale": "3f" * 8},
    "parameters": {"Clip": {"low": 0.01, "high": 0.99}, "seed": 0},
    "versions": {"keras": "3.15.1", "polars": "2.1.0"},
    "before": {"Impute": "4f" * 16},
}


def entry(about: dict[str, Any], age: int = 0) -> Entry:
    made = datetime(2026, 11, 25, 1, 2, tzinfo=UTC) - timedelta(days=age)
    return Entry("steps", "clean.Clip", "ab", about, made, 3.21, made, 10, Path("x"))


def changed(section: str, **change: Any) -> dict[str, Any]:
    return {**ABOUT, section: {**ABOUT[section], **change}}


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (
            changed("parameters", Clip={"low": 0.02, "high": 0.99}),
            "parameters of Clip changed: low 0.01 -> 0.02",
        ),
        (
            changed("parameters", Clip={"low": 0.01, "columns": ["a"]}),
            "parameters of Clip changed: high went, columns came",
        ),
        (changed("parameters", seed=1), "seed changed 0 -> 1"),
        (changed("code", **{"__main__.Scale": "5f" * 8}), "the code of Scale changed"),
        (changed("versions", keras="3.16"), "keras 3.15.1 -> 3.16"),
        (changed("before", Impute="6f" * 16), "what comes before it changed (Impute)"),
        (changed("data", reading="in parts"), "reading changed in memory -> in parts"),
        (
            changed("data", **{"the rows": {"count": 700, "columns": {}}}),
            "the rows changed (600 -> 700)",
        ),
        (
            changed(
                "data", **{"the rows": {"count": 600, "columns": {"age": "7f", "job": "2f" * 16}}}
            ),
            "the rows changed (values of 'age')",
        ),
        (
            changed("data", **{"the rows": {"count": 600, "columns": {"job": "2f" * 16}}}),
            "the rows changed (without 'age')",
        ),
        (ABOUT, "what was kept was cleaned away"),
    ],
)
def test_each_change_has_its_words(now: dict[str, Any], text: str) -> None:
    assert why(now, [entry(ABOUT)]) == text


def test_several_changes_are_told_together() -> None:
    now = {**changed("versions", keras="3.16"), "before": {}}
    told = "what comes before it changed (Impute); keras 3.15.1 -> 3.16"
    assert why(now, [entry(ABOUT)]) == told


def test_without_anything_kept_it_is_the_first_time() -> None:
    assert why(ABOUT, []) == "never before"


def test_the_nearest_is_compared_and_of_these_the_latest() -> None:
    far = entry(changed("versions", keras="1", polars="1"))
    old = entry(changed("parameters", seed=7), age=9)
    new = entry(changed("parameters", seed=8), age=1)
    assert why(ABOUT, [far, old, new]) == "seed changed 8 -> 0"


def test_kept_results_say_since_when_and_what_that_saves() -> None:
    one = entry(ABOUT)
    assert one.made is not None
    made = one.made.astimezone()
    assert kept_text(one) == f"kept from {made:%Y-%m-%d %H:%M}, saved 3.2 s"
