from __future__ import annotations

import polars as pl
import pytest

from headrace.data.spellings import TYPED_MISSING, boolean_pair, date_formats, guess_text

DAY_FORMATS = {
    "31/12/2024": ["%d/%m/%Y"],
    "12/31/2024": ["%m/%d/%Y"],
    "1/2/2024": ["%d/%m/%Y", "%m/%d/%Y"],
    "31-12-2024": ["%d-%m-%Y"],
    "31.12.2024": ["%d.%m.%Y"],
    "2024/12/31": ["%Y/%m/%d"],
    "31 Dec 2024": ["%d %b %Y"],
    "December 31, 2024": ["%B %d, %Y"],
    "12/31/24 11:05 PM": ["%m/%d/%y %I:%M %p"],
    "31.12.2024 23:59:59.5": ["%d.%m.%Y %H:%M:%S.%f"],
    "2024-12": ["%Y-%m"],
    "5/2024": [],
    "31/13/2024": [],
    "10.5": [],
}


@pytest.mark.parametrize("text", DAY_FORMATS)
def test_date_formats(text: str) -> None:
    assert date_formats(pl.Series([text])) == DAY_FORMATS[text]


def test_one_value_can_decide_between_day_and_month() -> None:
    assert date_formats(pl.Series(["1/2/2024", "3/4/2024", "13/4/2024"])) == ["%d/%m/%Y"]


@pytest.mark.parametrize(
    ("values", "pair"),
    [
        (["TRUE", "false"], (("TRUE",), ("false",))),
        (["y", "n", "Y"], (("Y", "y"), ("n",))),
        (["y"], None),
        (["y", "no"], None),
        (["a", "b"], None),
        (["0", "1"], None),
    ],
)
def test_boolean_pairs(values: list[str], pair: object) -> None:
    assert boolean_pair(pl.Series(values)) == pair


def test_no_usual_word_is_taken_for_a_gap() -> None:
    assert not {"yes", "no", "n", "y", "t", "f", "0", "-1", "unknown", "other"} & set(TYPED_MISSING)


def test_a_sample_without_values_leaves_all_open() -> None:
    guess = guess_text("x", pl.Series(["", None, "NA", "?"]), None)
    assert not guess.certain
    assert [column.kind for column in guess.candidates] == ["number", "datetime"]
    assert guess.marks == ("?",)
