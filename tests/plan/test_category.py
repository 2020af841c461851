"""Words to codes, numbers and flags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils import murmurhash3_32

from headrace.errors import SettingError
from headrace.plan.category import Hash, Lookup, Map, OneHot

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.plan.operation import Operation

NAN = float("nan")

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def run(operation: Operation, values: list[str]) -> list[object]:
    frame = pl.DataFrame({"x": values}, schema={"x": pl.String})
    return frame.select(*operation.polars([pl.col("x")])).to_series().to_list()


@settings(deadline=None)
@given(st.dictionaries(words.filter(bool), st.integers(3, 9)), st.lists(words))
def test_lookup_is_a_dictionary(codes: dict[str, int], values: list[str]) -> None:
    values = [*values, *codes, ""]
    wanted = [0 if not value else codes.get(value, 1) for value in values]
    assert run(Lookup([codes], [codes.values()]), values) == wanted


def test_lookup_knows_twenty_thousand_words_and_those_that_share_a_code() -> None:
    known = [f"word {i}" for i in range(20_000)]
    lookup = Lookup([known], [[*range(3, 10_003), *[2] * 10_000]])
    assert run(lookup, ["word 0", "word 9999", "word 10000", "word 20000", "", "word"]) == [
        *(3, 10_002, 2, 1, 0, 1)
    ]
    assert lookup.cardinalities() == (10_003,)


def test_cardinality_counts_the_codes_of_missing_and_unseen_words() -> None:
    assert Lookup([[], ["a"]], [[], [9]], missing=4, unseen=2).cardinalities() == (5, 10)


@settings(deadline=None)
@given(st.dictionaries(words.filter(bool), st.floats(allow_nan=False)), st.lists(words))
def test_map_is_a_dictionary_of_numbers(numbers: dict[str, float], values: list[str]) -> None:
    values = [*values, *numbers, ""]
    wanted = [-1.0 if not value else numbers.get(value, -2.0) for value in values]
    assert run(Map([numbers], [numbers.values()], [-1.0], [-2.0]), values) == wanted


@settings(deadline=None)
@given(st.lists(words), st.integers(1, 2**31 - 2))
def test_hash_is_murmur_modulo_the_buckets(values: list[str], buckets: int) -> None:
    hashes = [murmurhash3_32(value.encode(), positive=True) for value in values]
    wanted = [1 + h % buckets if h else 0 for h in hashes]
    assert run(Hash([buckets]), values) == wanted


def test_hash_keeps_missing_apart_and_says_how_many_codes_there_are() -> None:
    assert run(Hash([1]), ["", "a", "b"]) == [0, 1, 1]
    assert Hash([1, 100]).cardinalities() == (2, 101)


def test_one_hot_names_its_flags_after_the_words() -> None:
    flags = OneHot([["a", "b"], ["x"]], [[3, 4], [2]])
    assert flags.names(["one", "two"]) == ("one=a", "one=b", "two=x")
    frame = pl.DataFrame({"one": [3, 4, 0], "two": [2, 1, 2]})
    made = frame.select(
        x.alias(name)
        for x, name in zip(
            flags.polars([pl.col("one"), pl.col("two")]), flags.names(["1", "2"]), strict=True
        )
    )
    assert made.rows() == [(1.0, 0.0, 1.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (
            lambda: Lookup([["a"], ["b", ""]], [[3], [3, 4]]),
            "empty string of column 1 means missing",
        ),
        (lambda: Lookup([["a", "a"]], [[3, 4]]), "column 0 has the word 'a' twice"),
        (lambda: Lookup([["a"]], [[3, 4]]), r"there are \[1\] words and \[2\] codes"),
        (lambda: Lookup([["a"]], [[-1]]), "must not be negative"),
        (lambda: Map([["a"]], [[]], [0], [0]), "one of values for each word"),
        (lambda: Map([["a"]], [[1]], [0, 1], [0]), "missing must hold one number a column"),
        (lambda: Hash([0]), r"from 1 to 2147483646 for each column, received \[0\]"),
        (lambda: Hash([2**31]), "from 1 to 2147483646"),
        (lambda: OneHot([["a"]], [[1, 2]]), "OneHot: expected one of codes"),
    ],
)
def test_parameters_that_do_not_fit_are_named(make: Callable[[], object], match: str) -> None:
    with pytest.raises(SettingError, match=match):
        make()
