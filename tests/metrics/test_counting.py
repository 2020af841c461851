from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from headrace.metrics.counting import ratio, sum_by_class, weighted_mean


@given(st.data())
def test_sums_by_class_are_those_of_bincount(data: st.DataObject) -> None:
    rows, classes = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 6))
    codes = data.draw(arrays(np.int64, rows, elements=st.integers(-1, classes - 1)))
    weights = data.draw(arrays(np.float64, (2, rows), elements=st.integers(0, 5)))
    found = sum_by_class(codes, classes)(weights)
    for weight, sums in zip(weights, found, strict=True):
        used = codes >= 0
        expected = np.bincount(codes[used], weights=weight[used], minlength=classes)
        assert sums.tolist() == expected.tolist()


def test_nothing_divided_by_nothing_is_no_number() -> None:
    assert np.isnan(ratio(np.zeros(1), np.zeros(1))).all()
    assert np.isnan(weighted_mean(np.ones(3), np.zeros((1, 3)))).all()
