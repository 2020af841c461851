from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from headrace.conformal.sets import Adaptive, LeastAmbiguous, Ordinal

powers = arrays(np.float64, (5, 4), elements=st.floats(-8, 8))


def chances(values: np.ndarray) -> np.ndarray:
    return np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)


def test_the_least_ambiguous_scores_are_what_is_missing_to_certainty() -> None:
    scores = LeastAmbiguous().scores(np.array([[0.2, 0.8]]), None)
    assert np.allclose(scores, [[0.8, 0.2]])


@given(powers)
def test_adaptive_scores_rise_as_classes_become_less_likely(values: np.ndarray) -> None:
    known = np.round(chances(values), 6)
    scores = Adaptive().scores(known, None)
    for row, score in zip(known, scores, strict=True):
        order = np.argsort(-row, kind="stable")
        assert np.allclose(score[order], np.cumsum(row[order]))


def test_a_lot_takes_a_part_of_the_class_itself() -> None:
    known, lot = np.array([[0.5, 0.3, 0.2]]), np.array([0.25])
    scores = Adaptive(random=True).scores(known, lot)
    assert np.allclose(scores, [[0.125, 0.575, 0.85]])


def test_the_penalty_begins_after_the_free_classes() -> None:
    known = np.array([[0.5, 0.3, 0.2]])
    scores = Adaptive(penalty=0.1, free=1).scores(known, None)
    assert np.allclose(scores, [[0.5, 0.9, 1.2]])


@given(powers, st.floats(0, 1.2))
def test_ordinal_sets_have_no_holes(values: np.ndarray, reach: float) -> None:
    for row in Ordinal().scores(chances(values), None) <= reach:
        places = np.flatnonzero(row)
        assert len(places) == 0 or np.array_equal(places, np.arange(places[0], places[-1] + 1))


@given(powers)
def test_ordinal_scores_gather_everything_in_the_end(values: np.ndarray) -> None:
    scores = Ordinal().scores(chances(values), None)
    assert np.allclose(scores.max(axis=1), 1, atol=1e-5)
    likeliest = np.round(chances(values), 6).argmax(axis=1)
    assert (scores[np.arange(5), likeliest] == scores.min(axis=1)).all()


@given(powers)
def test_the_last_digits_change_no_score_much(values: np.ndarray) -> None:
    known = chances(values)
    near = (known + 1e-9).astype(np.float64)
    for measure in (Adaptive(), Ordinal()):
        same = np.round(known, 6) == np.round(near, 6)
        rows = same.all(axis=1)
        left, right = measure.scores(known, None), measure.scores(near, None)
        assert np.array_equal(left[rows], right[rows])
