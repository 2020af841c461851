"""Shapley values by sampling: for any pipeline, on raw columns, with standard errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace.evaluate.explanation.question import check_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl
    from numpy.typing import NDArray

__all__ = ["shapley_values"]

_CHUNK = 50_000


def shapley_values(
    score: Callable[[pl.DataFrame], NDArray[np.float64]],
    rows: pl.DataFrame,
    reference: pl.DataFrame,
    *,
    orders: int = 100,
    seed: int = 0,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Let the columns of a reference row take the explained row's values one after the other.

    The change of the answer is the column's contribution; it is averaged over random orders of
    the columns and random reference rows (Štrumbelj and Kononenko, 2014). Each order is followed
    by its reverse with the same reference row, which makes the errors smaller.

    Args:
        score: Answers a number for each row of a frame, (rows,).
        rows: The rows to explain.
        reference: Rows to compare with, with the same columns.
        orders: How many orders are drawn for each row, at least 4; an odd number is rounded up.
        seed: The same seed gives the same answer.

    Returns:
        The contributions and their standard errors, (rows, columns), and the mean answer of each
        row's reference rows, (rows,).

    Raises:
        SettingError: Fewer than four orders.

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"a": [1.0, 2.0], "b": [5.0, 5.0]})
        >>> values, errors, base = shapley_values(
        ...     lambda f: f["a"].to_numpy() + f["b"].to_numpy(), frame[:1], frame[1:], orders=4)
        >>> values.tolist(), base.tolist()
        ([[-1.0, 0.0]], [7.0])
    """
    check_whole("orders", orders, 4)
    pairs, count = (orders + 1) // 2, rows.width
    random = np.random.default_rng(seed)
    values, errors, base = [], [], []
    size = max(1, _CHUNK // (2 * pairs * (count + 1)))
    for first in range(0, rows.height, size):
        part = rows[first : first + size]
        drawn = random.permuted(np.tile(np.arange(count), (part.height, pairs, 1)), axis=-1)
        # (rows, pairs, 2, columns): an order and its reverse.
        both = np.stack([drawn, drawn[..., ::-1]], axis=2)
        ranks = np.argsort(both, axis=-1)
        others = random.integers(0, reference.height, (part.height, pairs, 1))
        scores = _walk(score, part, reference, ranks, others)
        changes = np.take_along_axis(np.diff(scores, axis=-1), ranks, axis=-1)
        of_pair = changes.mean(axis=2)
        values.append(of_pair.mean(axis=1))
        errors.append(of_pair.std(axis=1, ddof=1) / np.sqrt(pairs))
        base.append(scores[..., 0].mean(axis=(1, 2)))
    return np.concatenate(values), np.concatenate(errors), np.concatenate(base)


def _walk(
    score: Callable[[pl.DataFrame], NDArray[np.float64]],
    rows: pl.DataFrame,
    reference: pl.DataFrame,
    ranks: NDArray[np.intp],
    others: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Answer the scores after each change, (rows, pairs, 2, columns + 1)."""
    import polars as pl

    count = ranks.shape[-1]
    shape = (*ranks.shape[:-1], count + 1)
    own = np.broadcast_to(np.arange(rows.height)[:, None, None, None], shape)
    other = np.broadcast_to(rows.height + others[..., None], shape)
    done = np.arange(count + 1)
    table = pl.concat([rows, reference])
    made = pl.DataFrame(
        [
            table[name].gather(np.where(ranks[..., n, None] < done, own, other).ravel())
            for n, name in enumerate(table.columns)
        ]
    )
    return np.asarray(score(made), dtype=np.float64).reshape(shape)
