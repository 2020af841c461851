from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from headrace.deploy.parity import (
    Verification,
    difference_by_row,
    first_differing_column,
    verify_paths,
)
from headrace.errors import DataError

REFERENCE = np.array([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]], np.float32)


def moved(row: int, by: float) -> Any:
    changed = REFERENCE.copy()
    changed[row, 0] += by
    return lambda: changed


def test_paths_that_agree_pass() -> None:
    found = verify_paths(REFERENCE, {"graph": lambda: REFERENCE, "ONNX": moved(1, 1e-6)})
    assert found.passed
    assert found.rows == 3
    assert found.differences["graph"] == 0
    assert found.difference == found.differences["ONNX"] == pytest.approx(1e-6, rel=0.1)
    assert "all paths agree: largest difference 1" in found.summary()
    assert found.worst_row == 1


def test_a_path_that_differs_fails_and_the_row_is_named() -> None:
    found = verify_paths(REFERENCE, {"graph": moved(0, 1e-3), "ONNX": moved(2, 0.25)})
    assert not found.passed
    assert found.difference == pytest.approx(0.25)
    assert found.worst_row == 2
    assert "the paths disagree" in found.summary()
    assert "largest in row 2" in found.summary()


def test_a_path_that_breaks_or_answers_another_shape_fails() -> None:
    def broken() -> Any:
        raise RuntimeError("no such operation")

    found = verify_paths(REFERENCE, {"graph": broken, "ONNX": lambda: REFERENCE[:2]})
    assert not found.passed
    assert found.difference == math.inf
    assert "gave no answer: RuntimeError: no such operation" in found.summary()
    assert "expected answers of shape (3, 2), received (2, 2)" in found.summary()
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["difference"] == "inf"


def test_without_rows_there_is_nothing_to_prove() -> None:
    with pytest.raises(DataError, match="at least one row"):
        verify_paths(REFERENCE[:0], {"graph": lambda: REFERENCE[:0]})


def test_differences_of_odd_values() -> None:
    left = np.array([1.0, math.nan, math.inf, math.nan, math.inf, 3.0])
    right = np.array([1.5, math.nan, math.inf, 0.0, -math.inf, 3.0])
    assert difference_by_row(left, right).tolist() == [0.5, 0, 0, math.inf, math.inf, 0]
    words = np.array(["a", "b"], dtype=object)
    assert difference_by_row(words, words[::-1]).tolist() == [math.inf, math.inf]
    clusters = np.array([0, 3])
    assert difference_by_row(clusters, np.array([0, 1])).tolist() == [0, 2]


def test_the_first_differing_column_in_the_plans_order_is_found() -> None:
    left = {"a": np.array([1.0, 1e9]), "b": np.array(["x", "é"], object), "c": np.array([1, 2])}
    right = {"c": np.array([1, 3]), "b": np.array([b"x", "é".encode()], object),
             "a": np.array([1.0, 1e9 + 1])}  # fmt: skip
    found = first_differing_column(left, right)
    assert found is not None
    assert (found.column, found.row, found.expected, found.found) == ("c", 1, 2, 3)
    assert first_differing_column(left, right | {"c": left["c"]}) is None
    column = first_differing_column(left, right | {"b": np.array([b"x", b"e"], object)})
    assert str(column) == "'b', row 1: 'é' against 'e'"


def test_the_column_is_shown() -> None:
    found = verify_paths(REFERENCE, {"graph": moved(0, 1)})
    column = first_differing_column({"age": np.array([1.0])}, {"age": np.array([2.0])})
    assert (
        "first differing column: 'age', row 0: 1.0 against 2.0"
        in found.with_column(column).summary()
    )


def test_it_draws_and_shows_itself() -> None:
    found = verify_paths(REFERENCE, {"graph": lambda: REFERENCE, "ONNX": moved(1, 1e-6)})
    ax = found.plot()
    assert ax.get_title(loc="left") == "Agreement of the paths"
    assert ax.get_xlabel() == "largest difference"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["graph", "ONNX"]
    assert "all paths agree" in found._repr_html_()
    assert isinstance(found, Verification)
