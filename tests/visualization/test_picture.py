from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from headrace.visualization import cluster_scatter, svg, training_curves
from headrace.visualization.picture import VARIABLES

HISTORY = {"loss": [3.0, 2.0, 1.5]}


def test_a_picture_is_one_svg_element_that_loads_nothing() -> None:
    picture = svg(training_curves(HISTORY), alt='the "loss" <falls>')
    root = ET.fromstring(picture.replace("xlink:href", "href"))
    assert root.tag == "svg"
    assert root.get("aria-label") == 'the "loss" <falls>'
    assert not re.search(r"https?:|<metadata|<!DOCTYPE|xmlns", picture)


def test_it_follows_the_theme_of_the_page() -> None:
    picture = svg(training_curves(HISTORY), alt="")
    assert "var(--c1, #0072b2)" in picture
    bare = re.sub(r"var\(--\w+, #\w+\)", "", picture)
    assert not [colour for colour in VARIABLES if colour in bare]


def test_the_same_picture_is_the_same_text() -> None:
    assert svg(training_curves(HISTORY), alt="") == svg(training_curves(HISTORY), alt="")


def test_two_pictures_share_no_names() -> None:
    one, other = (
        set(re.findall(r'id="([^"]+)"', svg(training_curves(HISTORY), alt="", salt=s)))
        for s in ("1", "2")
    )
    assert one
    assert not one & other


def test_every_name_that_is_referred_to_is_there() -> None:
    picture = svg(cluster_scatter([[0, 0], [1, 1]], [0, 1], [[0, 1]]), alt="")
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', picture))
    assert used <= set(re.findall(r'id="([^"]+)"', picture))


@pytest.mark.parametrize("name", ["a < b & c", "你好 🙂", "$x$"])
def test_text_stays_text(name: str) -> None:
    from headrace.visualization.text import browser_fonts

    with browser_fonts():
        picture = svg(cluster_scatter([[0, 0], [1, 1]], [0, 0], columns=[name, "y"]), alt="")
    texts = [e.text for e in ET.fromstring(picture.replace("xlink:", "")).iter("text")]
    assert name in texts
