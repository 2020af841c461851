from __future__ import annotations

from io import BytesIO

from matplotlib.figure import Figure

from headrace.visualization.text import browser_fonts, label


def test_dollar_signs_are_no_mathematics() -> None:
    ax = Figure().add_subplot()
    ax.set_title(label("$x_1$ costs $5"))
    ax.figure.savefig(BytesIO())  # a formula that does not parse would raise here
    assert ax.get_title() == r"\$x_1\$ costs \$5"


def test_a_character_without_a_font_becomes_a_box_and_no_warning() -> None:
    nowhere = chr(0xE5A5)  # of the private area: no font has it
    assert label(f"a{nowhere}b") == "a□b"
    ax = Figure().add_subplot()
    ax.set_xlabel(label(f"Grüße, мир, 你好, {nowhere}"))
    ax.figure.savefig(BytesIO())


def test_a_browser_gets_every_character() -> None:
    with browser_fonts():
        assert label("你好 🙂") == "你好 🙂"


def test_long_and_broken_text_fits_on_one_line() -> None:
    assert label("one\ntwo\tthree") == "one two three"
    shown = label("x" * 50 + "end", longest=20)
    assert len(shown) == 20
    assert shown.endswith("end")
