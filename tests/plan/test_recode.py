"""Values in the place of others."""

from __future__ import annotations

import polars as pl
import pytest

from headrace.errors import SettingError
from headrace.plan.recode import Recode, Substitute


def test_words_are_looked_up_once() -> None:
    swap = Recode([["a", "b", ""]], [["b", "a", "none"]])
    frame = pl.DataFrame({"x": ["a", "b", "", "c"]})
    made = frame.select(*swap.polars([pl.col("x")])).to_series()
    assert made.to_list() == ["b", "a", "none", "c"]


def test_every_column_has_its_own_words() -> None:
    keep = Recode([["a"], []], [["a"], []], "rest")
    frame = pl.DataFrame({"x": ["a", "b", ""], "y": ["a", "b", ""]})
    made = [x.alias(n) for x, n in zip(keep.polars([pl.col("x"), pl.col("y")]), "xy", strict=True)]
    assert frame.select(made).rows() == [("a", "rest"), ("rest", "rest"), ("", "")]


def test_unequal_sides_are_refused() -> None:
    with pytest.raises(SettingError, match="as many values as words in every column"):
        Recode([["a"]], [[]])
    with pytest.raises(SettingError, match="a word is given twice"):
        Recode([["a", "a"]], [["b", "c"]])
    with pytest.raises(SettingError, match="as many new numbers as old ones"):
        Substitute([1.0, 2.0], [1.0])
