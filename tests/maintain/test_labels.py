from __future__ import annotations

import polars as pl
import pytest

from headrace.errors import DataError
from headrace.maintain.labels import label
from headrace.maintain.policy import Policy


def table(rows: int) -> pl.DataFrame:
    return pl.DataFrame({"x": range(rows)})


def test_missing_labels_are_left_out_and_counted() -> None:
    for labels in (
        pl.Series(["a", None, "", "b"]),
        pl.Series([1.0, None, float("nan"), 2.0]),
        pl.Series([1, None, None, 2]),
        pl.Series([True, None, None, False]),
    ):
        found = label(table(4), labels)
        assert found.missing == 2
        assert found.rows["x"].to_list() == [0, 3]
        assert found.labels.null_count() == 0


def test_as_many_labels_as_rows() -> None:
    with pytest.raises(DataError, match=r"expected 4 labels, one for each row, received 1,000"):
        label(table(4), pl.Series(range(1_000)))


def test_the_gate_takes_the_latest_rows() -> None:
    training, judging = label(table(10), pl.Series(range(10))).split(Policy(gate_share=0.3))
    assert training.rows["x"].to_list() == list(range(7))
    assert judging.rows["x"].to_list() == [7, 8, 9]
    assert judging.labels.to_list() == [7, 8, 9]


def test_a_random_gate_is_the_same_every_time_and_shares_no_row() -> None:
    labelled = label(table(100), pl.Series(range(100)))
    policy = Policy(gate="random", gate_share=0.25, seed=3)
    training, judging = labelled.split(policy)
    assert sorted([*training.labels, *judging.labels]) == list(range(100))
    assert len(judging) == 25
    assert judging.labels.to_list() != list(range(75, 100))
    assert labelled.split(policy)[1].labels.equals(judging.labels)
    assert judging.rows["x"].to_list() == judging.labels.to_list()


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_few_rows_can_be_split(rows: int) -> None:
    training, judging = label(table(rows), pl.Series(range(rows), dtype=pl.Int64)).split(Policy())
    assert len(training) + len(judging) == rows
