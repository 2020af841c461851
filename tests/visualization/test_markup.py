from __future__ import annotations

import math

from headrace.visualization.markup import Html, Table, facts, items, pill, plain, rounded, table

HOSTILE = "<script>alert('x')</script>"


def test_every_text_is_escaped() -> None:
    pieces = [
        table(Table([HOSTILE], [[HOSTILE]], caption=HOSTILE)),
        facts({HOSTILE: (HOSTILE, HOSTILE)}),
        plain({HOSTILE: HOSTILE}),
        pill(HOSTILE),
        items([HOSTILE]),
    ]
    assert not [piece for piece in pieces if "<script" in piece]


def test_html_that_was_made_here_stays() -> None:
    assert "<b>x</b>" in table(Table(["a"], [[Html("<b>x</b>")]]))


def test_numbers_stand_on_the_right_text_on_the_left() -> None:
    made = table(Table(["n", "words"], [[1234567, "a"], [None, "b"]]))
    assert '<td class="number" data-value="1234567">1,234,567</td><td>a</td>' in made
    assert '<td class="number">–</td>' in made


def test_numbers_are_rounded_to_what_their_interval_can_tell() -> None:
    assert rounded(0.9, -0.00012, width=0.0003) == ("0.90000", "−0.00012")
    assert rounded(math.nan, 0.5, width=math.nan) == ("–", "0.5000")
    assert rounded(0.5, width=0.0) == ("0.5000",)


def test_verdicts_have_their_colours() -> None:
    words = {
        "better": "good",
        "promote": "good",
        "worse": "bad",
        "rollback": "bad",
        "retrain": "open",
        "not enough data to tell": "open",
        "no relevant difference": "open",
    }
    assert all(f'"pill {colour}"' in pill(word) for word, colour in words.items())
