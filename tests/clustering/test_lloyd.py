from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.clustering.blocks import spill
from headrace.clustering.kmeans import KMeans
from headrace.clustering.lloyd import sample_rows
from headrace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass
class Held:
    """Rows in memory, cut into blocks."""

    held: NDArray[np.float64]
    size: int

    @property
    def rows(self) -> int:
        return len(self.held)

    @property
    def columns(self) -> int:
        return self.held.shape[1]

    def __iter__(self) -> Iterator[NDArray[np.float64]]:
        return (self.held[at : at + self.size] for at in range(0, self.rows, self.size))


def points(rows: int = 3_000, far: float = 0.0) -> NDArray[np.float64]:
    random = np.random.default_rng(0)
    middles = far + 8 * random.normal(size=(5, 3))
    return middles[random.integers(0, 5, rows)] + random.normal(size=(rows, 3))


@pytest.mark.parametrize("far", [0.0, 1e7])
def test_blocks_give_what_the_whole_table_gives(far: float) -> None:
    rows = points(far=far)
    init = rows[:5].tolist()
    whole = KMeans(5, init=init, n_init=1).fit_matrix(rows)
    parts = KMeans(5, init=init, n_init=1).fit_blocks(Held(rows, 700))
    assert parts.centres == pytest.approx(whole.centres, rel=1e-9, abs=1e-9)
    assert np.array_equal(parts.sizes, whole.sizes)
    assert parts.inertia == pytest.approx(whole.inertia, rel=1e-6)
    assert parts.reach == pytest.approx(whole.reach, rel=1e-6, abs=1e-5)


@given(st.integers(1, 400))
def test_the_sample_does_not_depend_on_the_blocks(size: int) -> None:
    rows = points(400)
    one, other = sample_rows(Held(rows, 400), 50, seed=3), sample_rows(Held(rows, size), 50, seed=3)
    assert np.array_equal(one.rows, other.rows)
    assert other.mean == pytest.approx(rows.mean(axis=0))
    assert other.variance == pytest.approx(rows.var(axis=0).mean())


def test_a_centre_without_rows_goes_to_the_farthest_row() -> None:
    rows = np.array([[0.0], [0.1], [0.2], [50.0]])
    found = KMeans(2, init=[[0.0], [1000.0]], n_init=1).fit_blocks(Held(rows, 2))
    assert sorted(found.sizes.tolist()) == [1, 3]


def test_too_few_rows_are_an_error() -> None:
    with pytest.raises(
        DataError, match="3 clusters need at least 3 different rows, but there is 1"
    ):
        KMeans(3).fit_blocks(Held(np.ones((9, 2)), 4))


def test_a_spilled_file_that_was_cut_is_an_error(tmp_path: Path) -> None:
    blocks = spill(tmp_path / "rows", [np.ones((5, 2))], 2)
    (tmp_path / "rows").write_bytes(b"1234")
    with pytest.raises(OSError, match="was cut off"):
        list(blocks)
