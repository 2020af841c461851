from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from headrace.visualization import coverage, reaches


def covered(group: str, share: float, promised: Any = (0.85, 0.95), verdict: str = "") -> Any:
    return SimpleNamespace(
        group=group, rows=100, share=share, low=share - 0.02, high=share + 0.02,
        promised=promised, verdict=verdict,
    )  # fmt: skip


def test_groups_stand_below_all_rows_and_missed_promises_stand_out() -> None:
    found = SimpleNamespace(
        level=0.9,
        whole=covered("all rows", 0.9),
        groups=(covered("a", 0.91), covered("b", 0.7, verdict="too few"), covered("c", 0.9, None)),
    )
    for result in (found, SimpleNamespace(coverage=found)):
        ax = coverage(result)
        assert [tick.get_text() for tick in ax.get_yticklabels()] == ["all rows", "a", "b", "c"]
        markers = [line.get_marker() for line in ax.lines if line.get_marker() != "None"]
        assert markers == ["o", "o", "s", "o"]
        assert ax.get_xlabel() == "truth inside at the level 90% (grey: as promised)"


def test_many_groups_are_cut_and_counted() -> None:
    groups = tuple(covered(f"g{i}", 0.9) for i in range(60))
    result = SimpleNamespace(level=0.9, whole=covered("all rows", 0.9), groups=groups)
    ax = coverage(result)
    assert len(ax.get_yticklabels()) == 30
    assert "31 more groups" in ax.get_xlabel()


def test_groups_of_very_few_rows_do_not_squeeze_the_others() -> None:
    few = SimpleNamespace(**vars(covered("few", 0.5)) | {"rows": 3})
    result = SimpleNamespace(
        level=0.9, whole=covered("all rows", 0.9), groups=(covered("a", 0.9), few)
    )
    ax = coverage(result)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["all rows", "a"]
    assert "1 more group)" in ax.get_xlabel()


def test_without_groups_the_share_is_drawn_over_the_levels() -> None:
    curve = tuple((level, covered("all rows", level)) for level in (0.5, 0.8, 0.9))
    ax = coverage(SimpleNamespace(level=0.9, whole=curve[2][1], groups=(), curve=curve))
    assert ax.get_xlabel() == "level"
    assert list(ax.lines[1].get_ydata()) == pytest.approx([0.5, 0.8, 0.9])


def test_a_line_for_each_group_ends_where_its_reach_has_no_end() -> None:
    one = SimpleNamespace(target="price", group="a", rows=60, reach=(1.0, 2.0, math.inf))
    two = SimpleNamespace(target="price", group="b", rows=600, reach=(1.0, 2.0, 3.0))
    result = SimpleNamespace(
        rows=660, levels=(0.8, 0.9, 0.99), reaches=(one, two),
        methods={"price": "absolute"}, units={"price": "price"},
    )  # fmt: skip
    ax = reaches(result)
    assert [len(line.get_xdata()) for line in ax.lines] == [2, 3]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a (60)", "b (600)"]
    assert ax.get_ylabel() == "price"
