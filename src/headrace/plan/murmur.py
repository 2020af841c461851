"""MurmurHash3 of text, the same 32 bits in NumPy, in TensorFlow and in ONNX Runtime.

ONNX Runtime brings the hash as its own operation (`com.microsoft.MurmurHash3`); TensorFlow has no
operation for it, so its graph computes it from the bytes. On the way to ONNX that part of the
graph is cut out and the runtime's operation put in its place (`headrace.plan.to_onnx`).

Source: Austin Appleby, MurmurHash3_x86_32 (public domain), seed 0, over the UTF-8 bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import polars as pl
    import tensorflow as tf
    from numpy.typing import NDArray

__all__ = ["LAST_NODE", "SCOPE", "hash_series", "hash_tensor"]

_C1, _C2, _N = 0xCC9E2D51, 0x1B873593, 0xE6546B64
_F1, _F2 = 0x85EBCA6B, 0xC2B2AE35
_PIECE = 2**16  # rows that stay in the processor's cache
_TAIL_MASKS = np.array([0, 0xFF, 0xFFFF, 0xFFFFFF], np.uint32)

SCOPE, LAST_NODE = "murmur3", "hash"
"""The names, in a TensorFlow graph, of the part that computes the hash and of its last node."""


def hash_series(values: pl.Series) -> NDArray[np.uint32]:
    """Answer the hash of each string of a Polars column.

    Example:
        >>> import polars as pl
        >>> hash_series(pl.Series(["", "a", "é日本"])).tolist()
        [0, 1009084850, 3916353871]
    """
    pieces = [_hash_piece(values[at : at + _PIECE]) for at in range(0, len(values), _PIECE)]
    return np.concatenate([np.zeros(0, np.uint32), *pieces])


def _hash_piece(values: pl.Series) -> NDArray[np.uint32]:
    lengths = values.str.len_bytes().to_numpy().astype(np.int64)
    # Four spare bytes, so that the last word of the last string can be read whole.
    text = values.str.join("").item().encode() + bytes(4)
    words: NDArray[np.uint32] = np.ndarray((len(text) - 3,), "<u4", text, strides=(1,))
    starts = np.cumsum(lengths) - lengths
    hashes = np.zeros(len(values), np.uint32)
    rows = np.flatnonzero(lengths >= 4)
    place = 0
    while len(rows):
        mixed = hashes[rows] ^ _mix(words[starts[rows] + place])
        hashes[rows] = _rotate(mixed, 13) * np.uint32(5) + np.uint32(_N)
        place += 4
        rows = rows[lengths[rows] >= place + 4]
    rest = lengths % 4
    tails = words[np.where(rest, starts + lengths - rest, 0)] & _TAIL_MASKS[rest]
    finished: NDArray[np.uint32] = _finish(hashes ^ _mix(tails) ^ lengths.astype(np.uint32))
    return finished


def _mix(word: Any) -> Any:
    return _rotate(word * np.uint32(_C1), 15) * np.uint32(_C2)


def _rotate(word: Any, bits: int) -> Any:
    return (word << np.uint32(bits)) | (word >> np.uint32(32 - bits))


def _finish(word: Any) -> Any:
    word = (word ^ (word >> np.uint32(16))) * np.uint32(_F1)
    word = (word ^ (word >> np.uint32(13))) * np.uint32(_F2)
    return word ^ (word >> np.uint32(16))


def hash_tensor(strings: tf.Tensor) -> tf.Tensor:
    """Answer the hash of each string of a tensor, uint32 values as int64, same shape.

    The graph reads four bytes of every string at a time, so its memory does not grow with the
    length of the longest one.
    """
    import tensorflow as tf

    with tf.name_scope(SCOPE):
        lengths = tf.strings.length(strings)
        hashes = tf.zeros_like(lengths, tf.uint32)
        steps = (tf.reduce_max(tf.concat([[0], tf.reshape(lengths, [-1])], 0)) + 3) // 4

        def step(index: tf.Tensor, hashes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            place = tf.minimum(4 * index, lengths)
            bytes_here = tf.strings.substr(strings, place, tf.fill(tf.shape(lengths), 4))
            words = tf.io.decode_raw(bytes_here, tf.uint8, fixed_length=4)
            mixed = hashes ^ _tensor_mix(_little_endian(words))
            whole = _tensor_rotate(mixed, 13) * _word(5) + _word(_N)
            # Past the end the word is 0, which mixes to 0 and leaves the hash as it was.
            return index + 1, tf.where(lengths - place >= 4, whole, mixed)

        _, hashes = tf.while_loop(lambda index, _: index < steps, step, [tf.constant(0), hashes])
        hashes = tf.cast(_tensor_finish(hashes ^ tf.cast(lengths, tf.uint32)), tf.int64)
        # The hash of no text is 0 in any case: this is the node that `to_onnx` looks for.
        return tf.raw_ops.SelectV2(
            condition=lengths > 0, t=hashes, e=tf.constant(0, tf.int64), name=LAST_NODE
        )


def _word(value: int) -> tf.Tensor:
    import tensorflow as tf

    return tf.constant(value, tf.uint32)


def _little_endian(words: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    shifts = tf.constant([0, 8, 16, 24], tf.uint32)
    return tf.reduce_sum(tf.bitwise.left_shift(tf.cast(words, tf.uint32), shifts), axis=-1)


def _tensor_mix(words: tf.Tensor) -> tf.Tensor:
    return _tensor_rotate(words * _word(_C1), 15) * _word(_C2)


def _tensor_rotate(words: tf.Tensor, bits: int) -> tf.Tensor:
    import tensorflow as tf

    left = tf.bitwise.left_shift(words, _word(bits))
    return left | tf.bitwise.right_shift(words, _word(32 - bits))


def _tensor_finish(words: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    for bits, factor in ((16, _F1), (13, _F2)):
        words = (words ^ tf.bitwise.right_shift(words, _word(bits))) * _word(factor)
    return words ^ tf.bitwise.right_shift(words, _word(16))
