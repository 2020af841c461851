from __future__ import annotations

from io import BytesIO

import pytest
from matplotlib.figure import Figure

from headrace.visualization.style import PALETTE, axes, panels, style


def test_the_style_holds_inside_and_only_there() -> None:
    with style():
        inside = axes().title.get_color()
    assert inside != Figure().add_subplot().title.get_color()


def test_the_style_ends_after_an_error_too() -> None:
    import matplotlib as mpl

    before = mpl.rcParams["axes.titleweight"]
    with pytest.raises(KeyError), style():
        raise KeyError
    assert mpl.rcParams["axes.titleweight"] == before


def test_given_axes_are_used() -> None:
    ax = Figure().add_subplot()
    assert axes(ax) is ax


def test_panels_fill_the_place_of_the_axes_without_overlap() -> None:
    figure = Figure(figsize=(8, 6), layout="constrained")
    left, right = figure.subplots(1, 2)
    small = panels(left, 5, columns=2)
    left.set_title("outer")
    for panel in small:
        panel.set_title("inner")
    figure.savefig(BytesIO())
    boxes = [panel.get_tightbbox() for panel in small]
    assert all(box.x1 <= right.get_tightbbox().x0 for box in boxes)
    assert all(box.y1 <= left.title.get_window_extent().y0 + 1 for box in boxes)
    assert not any(one.overlaps(other) for n, one in enumerate(boxes) for other in boxes[n + 1 :])


def test_panels_work_on_axes_without_a_grid() -> None:
    ax = Figure().add_axes((0.1, 0.1, 0.8, 0.8))
    assert len(panels(ax, 4, columns=2)) == 4


def brightness(colour: str) -> float:
    """Relative luminance of WCAG 2."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", PALETTE)
def test_every_colour_stands_out_on_white(colour: str) -> None:
    assert 1.05 / (brightness(colour) + 0.05) > 2
