from __future__ import annotations

import numpy as np
import pytest

from headrace.data.levels import Levels
from headrace.errors import SettingError
from headrace.evaluate.calibration import calibration
from headrace.evaluate.fairness import Fairness, group_figures
from headrace.evaluate.lift import lift
from headrace.evaluate.slices import search_slices
from headrace.evaluate.thresholds import thresholds

RANDOM = np.random.default_rng(0)
STATED = RANDOM.random(800)
HIT = RANDOM.random(800) < STATED
GROUPS = Levels("place", RANDOM.integers(0, 3, 800), ("place = Köln", "place = $x$", "place = c"))


def words(ax: object) -> str:
    return " ".join(
        text.get_text() for text in ax.findobj(match=lambda one: hasattr(one, "get_text"))
    )  # type: ignore[attr-defined]


def test_reliability_shows_bins_bands_and_the_error() -> None:
    ax = calibration(HIT, STATED, of="yes").plot()
    (diagonal, line) = ax.lines
    assert len(line.get_xdata()) == 10
    assert len(ax.collections) == 3
    assert ax.get_xlabel() == "stated probability of yes"
    assert "by chance up to" in ax.get_title(loc="right")
    assert list(diagonal.get_xdata()) == [0, 1]


def test_one_bin_can_be_drawn() -> None:
    assert len(calibration(HIT, np.full(800, 0.5)).plot().lines) == 2


def test_costs_have_a_band_and_a_point() -> None:
    found = thresholds(HIT, STATED)
    ax = found.plot()
    assert [tuple(ax.lines[1].get_xdata()), tuple(ax.lines[1].get_ydata())] == [
        (found.best,),
        (found.cost,),
    ]
    assert f"cheapest at {found.best:.3g}" in ax.get_title(loc="right")


def test_gain_begins_at_nothing_and_ends_at_all() -> None:
    ax = lift(HIT, STATED, parts=5).plot()
    line = ax.lines[-1]
    assert (line.get_xdata()[0], line.get_ydata()[0]) == (0, 0)
    assert (line.get_xdata()[-1], line.get_ydata()[-1]) == (1, 1)


def test_slices_that_were_found_stand_out() -> None:
    worse = RANDOM.random(800) + 2 * (GROUPS.codes == 1)
    found = search_slices(worse, [GROUPS])
    ax = found.plot()
    assert next(tick.get_text() for tick in ax.get_yticklabels()).endswith(
        f"({found.slices[0].rows:,})"
    )
    assert ax.get_xlabel() == "loss above that of all other rows"
    with pytest.raises(SettingError, match="needs one that was tested"):
        search_slices(np.ones(800), [GROUPS]).plot()


def test_groups_without_rows_are_left_out_of_a_panel() -> None:
    shares = {"rate": (HIT, GROUPS.codes < 2), "gap": (STATED - HIT, np.ones(800, dtype=bool))}
    found = Fairness("place", "place = Köln", group_figures(shares, GROUPS, reference="Köln"))
    ax = found.plot()
    assert "place = Köln" in words(ax.figure)
    assert {"rate", "gap"} <= {one.get_title(loc="left") for one in ax.figure.axes}
