"""The colours, measured: for people who see all of them, and for those who do not."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import headrace as hr
from headrace.visualization import importance, training_curves
from headrace.visualization.theme import DARK, LIGHT, Theme

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision
# deficiency" (2009), severity 1, on linear RGB.
VISIONS = {
    "full": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)


def linear(colour: str) -> NDArray[np.float64]:
    parts = np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIELAB of linear RGB."""
    ratio = TO_XYZ @ np.clip(rgb, 0, 1) / np.array([0.95047, 1.0, 1.08883])
    root = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])


def contrast(one: str, other: str) -> float:
    """WCAG 2's ratio of luminances."""
    light, dark = sorted((float(TO_XYZ[1] @ linear(c)) for c in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize(("theme", "least"), [(LIGHT, 10), (DARK, 15)], ids=["light", "dark"])
def test_series_can_be_told_apart(theme: Theme, least: float, vision: str) -> None:
    seen = [lab(VISIONS[vision] @ linear(colour)) for colour in theme.palette]
    apart = [float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2)]
    assert min(apart) > least
    assert min(float(np.linalg.norm(a - b)) for a, b in pairwise(seen)) > 17
    assert min(float(np.linalg.norm(a - b)) for a, b in combinations(seen[:4], 2)) > 16


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_marks_stand_out(theme: Theme) -> None:
    assert contrast(theme.ink, theme.paper) >= 7
    assert contrast(theme.muted, theme.paper) >= 4.5
    assert contrast(theme.muted, theme.page) >= 4.5
    assert min(contrast(colour, theme.paper) for colour in theme.palette) >= 3


def colours(figure: Figure) -> set[str]:
    found = set()
    for artist in figure.findobj():
        for part in ("facecolor", "edgecolor", "color"):
            get = getattr(artist, f"get_{part}", None)
            if get is not None:
                try:
                    found |= {to_hex(c) for c in mpl.colors.to_rgba_array(get()) if c[3] > 0}
                except (ValueError, TypeError):
                    continue
    return found


def test_pictures_are_dark_inside_of_the_block_alone() -> None:
    history = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.5, 2.0]}
    with hr.style(dark=True):
        dark = colours(training_curves(history).figure)  # type: ignore[arg-type]
    light = colours(training_curves(history).figure)  # type: ignore[arg-type]
    assert {DARK.paper, DARK.ink, DARK.palette[0]} <= dark
    assert not {LIGHT.paper, LIGHT.ink, LIGHT.palette[0]} & dark
    assert {LIGHT.paper, LIGHT.ink, LIGHT.palette[0]} <= light
    assert not {DARK.paper, DARK.ink} & light


def test_colours_of_the_users_own_stay() -> None:
    with hr.style(dark=True):
        ax = Figure().add_subplot()
        (line,) = ax.plot([1, 2], color="#123456")
        training_curves({"loss": [2.0, 1.0]}, ax)
    assert to_hex(line.get_color()) == "#123456"


def test_matplotlib_is_as_it_was() -> None:
    before = dict(mpl.rcParams)
    with hr.style(dark=True):
        importance({"column": 0.1})
    assert dict(mpl.rcParams) == before
