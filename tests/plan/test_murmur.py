"""MurmurHash3 in NumPy and in TensorFlow against scikit-learn's."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils import murmurhash3_32

from headrace.plan.murmur import hash_series, hash_tensor

TEXTS = ["", "a", "ab", "abc", "abcd", "abcde", "é", "日本語", "🎉" * 9, "\0", "a\0", "x" * 1001]


def wanted(texts: list[str]) -> list[int]:
    return [murmurhash3_32(text.encode(), positive=True) for text in texts]


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40)))
def test_numpy_hashes_any_text(texts: list[str]) -> None:
    assert hash_series(pl.Series(texts, dtype=pl.String)).tolist() == wanted(texts)


def test_a_slice_of_a_longer_column_is_hashed_alone() -> None:
    assert hash_series(pl.Series(TEXTS)[3:7]).tolist() == wanted(TEXTS[3:7])


def test_tensorflow_hashes_the_same() -> None:
    import tensorflow as tf

    block = np.array(TEXTS, dtype=object).reshape(4, 3)
    assert hash_tensor(tf.constant(block)).numpy().ravel().tolist() == wanted(TEXTS)
    traced = tf.function(hash_tensor)
    assert traced(tf.constant(block)).numpy().ravel().tolist() == wanted(TEXTS)
