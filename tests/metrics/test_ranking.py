from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from headrace.metrics.ranking import area_under_roc, average_precision


@given(st.data())
def test_the_area_is_the_share_of_pairs_in_the_right_order(data: st.DataObject) -> None:
    rows = data.draw(st.integers(2, 15))
    positive = data.draw(arrays(np.bool_, rows))
    score = data.draw(arrays(np.float64, rows, elements=st.integers(0, 4)))
    weights = data.draw(arrays(np.float64, (3, rows), elements=st.integers(0, 3)))
    found = area_under_roc(positive, score)(weights)
    for weight, area in zip(weights, found, strict=True):
        right = whole = 0.0
        for i in np.flatnonzero(positive):
            for j in np.flatnonzero(~positive):
                pair = weight[i] * weight[j]
                whole += pair
                right += pair * ((score[i] > score[j]) + (score[i] == score[j]) / 2)
        np.testing.assert_allclose(area, right / whole if whole else np.nan)


def test_rows_without_weight_do_not_count() -> None:
    positive, score = np.array([True, False, True]), np.array([0.9, 0.5, 0.1])
    without_last = np.array([[1.0, 1.0, 0.0]])
    assert area_under_roc(positive, score)(without_last).tolist() == [1]
    assert average_precision(positive, score)(without_last).tolist() == [1]
