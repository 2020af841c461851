from __future__ import annotations

import json

import numpy as np
import pytest

from headrace.errors import DataError, SettingError
from headrace.evaluate.calibration import calibration


def table(rows: int, seed: int, power: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    stated = random.beta(0.7, 1.5, rows)
    return random.random(rows) < stated**power, stated


def test_a_calibrated_model_is_rarely_doubted() -> None:
    """Over 300 tables the p-value is below 0.05 in about 5 of 100."""
    found = [calibration(*table(300, seed), resamples=200, seed=seed) for seed in range(300)]
    assert 0.02 <= np.mean([one.p_value < 0.05 for one in found]) <= 0.085
    assert np.mean([one.ece for one in found]) == pytest.approx(
        np.mean([one.null for one in found]), rel=0.06
    )
    bins = [one for result in found for one in result.bins]
    assert np.mean([one.off for one in bins]) <= 0.055


def test_a_bold_model_is_found_out() -> None:
    found = calibration(*table(2_000, 0, power=2))
    assert not found.calibrated
    assert found.ece > 2 * found.null_high
    assert "more than chance explains" in found.sentence()
    assert sum(one.off for one in found.bins) >= 4


def test_the_parts_of_the_brier_score_add_up() -> None:
    """Within bins of equal probabilities exactly (Murphy, 1973)."""
    random = np.random.default_rng(0)
    stated = random.choice([0.1, 0.4, 0.8], 500)
    found = calibration(random.random(500) < stated, stated, bins=4)
    assert found.brier == pytest.approx(found.reliability - found.resolution + found.uncertainty)


def test_equal_probabilities_share_a_bin() -> None:
    found = calibration(np.array([0, 1, 1, 0]), np.full(4, 0.5))
    assert len(found.bins) == 1
    assert found.bins[0].rows == 4
    json.dumps(found.to_dict())
    assert "<table" in found._repr_html_()


def test_one_row_is_an_honest_answer() -> None:
    found = calibration(np.array([1]), np.array([0.3]))
    assert found.calibrated
    assert found.bins[0].high - found.bins[0].low > 0.7


@pytest.mark.parametrize(
    ("hit", "stated", "kind", "message"),
    [
        ([], [], DataError, "there is no row to judge the calibration by"),
        ([1, 0], [0.2, 1.2], DataError, "row 1: a stated probability must lie between 0 and 1"),
        ([1, 0], [0.2, np.nan], DataError, "a stated probability must lie between 0 and 1"),
        ([1, 0], [0.2], SettingError, r"must both be \(rows,\), received \(2,\) and \(1,\)"),
    ],
)
def test_bad_input_is_named(hit: list[int], stated: list[float], kind: type, message: str) -> None:
    with pytest.raises(kind, match=message):
        calibration(np.array(hit), np.array(stated))


def test_one_bin_is_refused() -> None:
    with pytest.raises(SettingError, match="bins must be 2 or more, received 1"):
        calibration(np.array([1, 0]), np.array([0.5, 0.5]), bins=1)


def test_the_band_holds_all_bins_of_a_calibrated_model_at_once() -> None:
    found = [calibration(*table(400, seed), resamples=300, seed=seed) for seed in range(300)]
    outside = np.mean([any(one.off for one in result.bins) for result in found])
    assert 0.015 <= outside <= 0.085
    for one in found[0].bins:
        assert one.band_low <= one.null_low <= one.null_high <= one.band_high
