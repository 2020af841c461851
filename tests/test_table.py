from __future__ import annotations

import pytest

from headrace.table import figure, html_list, html_table, text_table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5000"),
        (-0.25, "-0.2500"),
        (0.001234, "0.001234"),
        (1.5e-7, "1.5e-07"),
        (123.456, "123.5"),
        (-47_500.4, "-47,500"),
        (float("inf"), "∞"),
        (float("-inf"), "-∞"),
        (float("nan"), "–"),
    ],
)
def test_figures_have_about_four_digits(value: float, text: str) -> None:
    assert figure(value) == text


def test_numbers_stand_to_the_right_and_remarks_to_the_left() -> None:
    lines = text_table(["name", "n", ""], [["a", "1", "note"], ["long name", "100", ""]])
    assert lines.splitlines() == ["name         n", "a            1  note", "long name  100"]


def test_html_is_escaped() -> None:
    made = html_table(["<name>", "&"], [["<b>", "1"]], caption="<c>")
    assert "<b>" not in made
    assert "&lt;name&gt;" in made
    assert "&lt;c&gt;" in made
    assert html_list(["<i>"]) == "<ul><li>&lt;i&gt;</li></ul>"
    assert html_list([]) == ""
