"""How many clusters there are; "none" where there are none."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.errors import DataError, SettingError

QUICK = {"references": 19, "halves": 4}


def blobs(number: int, columns: int, seed: int, rows: int = 60) -> np.ndarray:
    random = np.random.default_rng(seed)
    centres = random.permutation(np.eye(columns, columns))[:number] * 12
    return np.concatenate([random.normal(centre, 1, (rows, columns)) for centre in centres])


@pytest.mark.parametrize(("number", "columns"), [(2, 2), (3, 5), (4, 4)])
def test_planted_clusters_are_counted(number: int, columns: int) -> None:
    found = hr.choose_k(blobs(number, columns, seed=number), range(2, 7), **QUICK)
    assert found.k == number
    assert found.clustered
    assert found.p_value == 0.05
    assert f"the silhouette of {number} clusters" in found.reason
    json.dumps(found.to_dict())


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["even", "cloud", "stretched cloud"])
def test_rows_without_clusters_have_none(shape: str) -> None:
    """In at least 95 of 100 tables; 25 tables with at most five finds fail once in 1,000 runs."""
    finds = 0
    for seed in range(25):
        random = np.random.default_rng(seed)
        if shape == "even":
            rows = random.uniform(size=(250, 2))
        else:
            stretch = np.array([1.0, 1.0, 1.0]) if shape == "cloud" else np.array([5.0, 1.0, 0.2])
            rows = random.normal(size=(250, 3)) * stretch
        finds += hr.choose_k(rows, range(2, 6), **QUICK, seed=seed).clustered
    assert finds <= 5


def test_an_even_spread_and_a_cloud_are_no_clusters() -> None:
    random = np.random.default_rng(0)
    for rows in (random.uniform(size=(200, 2)), random.normal(size=(200, 4))):
        found = hr.choose_k(rows, range(2, 6), **QUICK)
        assert found.k == 1
        assert found.summary().startswith("no clusters: rows without clusters look as clustered")


def test_raw_rows_go_through_steps_that_suit_them() -> None:
    random = np.random.default_rng(0)
    word = random.choice(["a", "b"], 300)
    rows = pl.DataFrame({"word": word, "x": random.normal(size=300) + 9 * (word == "b")})
    assert hr.choose_k(rows, range(2, 5), **QUICK).k == 2


def test_the_same_seed_gives_the_same_answer_and_a_picture() -> None:
    rows = blobs(3, 3, seed=0)
    first, again = (hr.choose_k(rows, (2, 3, 4), **QUICK, seed=3) for _ in range(2))
    assert first == again
    assert len(first.plot().figure.axes) == 4
    assert "recommended" in first._repr_html_()


@pytest.mark.parametrize(
    ("rows", "settings", "kind", "message"),
    [
        (np.ones((50, 2)), {}, DataError, "20 different rows are needed, and there are 1"),
        (np.zeros((1, 2)), {}, DataError, "20 different rows are needed, and there are 1"),
        (np.full((30, 2), np.nan), {}, DataError, "a value is missing"),
        (
            blobs(2, 2, 0),
            {"ks": [1, 2]},
            SettingError,
            r"ks must be whole numbers from 2, .*\[1, 2\]",
        ),
        (
            blobs(2, 2, 0),
            {"references": 5},
            SettingError,
            "references must be 19 or more for level",
        ),
        (blobs(2, 2, 0), {"halves": 0}, SettingError, "halves must be 1 or more"),
        (blobs(2, 2, 0), {"level": 2}, SettingError, "level must lie between 0 and 0.5"),
    ],
)
def test_bad_input_is_named(
    rows: np.ndarray, settings: dict[str, object], kind: type, message: str
) -> None:
    with pytest.raises(kind, match=message):
        hr.choose_k(rows, **settings)
