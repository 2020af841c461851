"""Operations on categories: words to codes or numbers, and codes to flags."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError
from headrace.plan.operation import Codes, FloatArray, IntArray, Numbers, Operation, Words

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    import tensorflow as tf
    from numpy.typing import NDArray

__all__ = ["Hash", "Lookup", "Map", "OneHot"]


class Lookup(Operation):
    """Replace each word by its code; several words may share one.

    Attributes:
        words: The known words of each column; the empty string, which means missing, is not one.
        codes: Their codes, as many as words in each column.
        missing: The code of the empty string.
        unseen: The code of every other word.

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"job": ["nurse", "", "baker", "spy"]})
        >>> lookup = Lookup([["baker", "nurse"]], [[3, 4]])
        >>> frame.select(*lookup.polars([pl.col("job")]))["job"].to_list(), lookup.cardinalities()
        ([4, 0, 3, 1], (5,))
    """

    columnwise = True

    words: Words
    codes: Codes
    missing: int = 0
    unseen: int = 1

    takes = "string"
    gives = "code"

    def check(self) -> None:
        """Raise `SettingError` unless each column has distinct words and a code for each."""
        _check_words("Lookup", self.words)
        _check_as_many("Lookup", "codes", self.words, self.codes)
        if min(self.missing, self.unseen, *(min(column, default=0) for column in self.codes)) < 0:
            raise SettingError("Lookup: codes must not be negative")

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to a cast to the column's `Enum`, whose numbers are replaced by the codes."""
        tables = zip(columns, self.words, self.codes, strict=True)
        return [self._looked_up(x, words, codes) for x, words, codes in tables]

    def _looked_up(self, x: pl.Expr, words: Sequence[str], codes: Sequence[int]) -> pl.Expr:
        """Compute codes that count up, up to words that share the last one; else take them."""
        import polars as pl

        counting = next((i for i, code in enumerate(codes) if code != codes[0] + i), len(codes))
        if not codes or len(set(codes[counting:])) > 1:
            return _replace(x, words, np.array([*codes, self.missing, self.unseen], np.int32))
        place = _places(x, words).cast(pl.Int32)
        code = place + codes[0]
        if counting < len(codes):
            code = pl.when(place < counting).then(code).otherwise(codes[-1])
        known = pl.when(place.is_not_null()).then(code).otherwise(self.unseen)
        answer = pl.when(place.ne_missing(len(words))).then(known).otherwise(self.missing)
        return answer.cast(pl.Int32)

    def tensorflow(self, block: tf.Tensor) -> tf.Tensor:
        """Lower to one table a column, (rows, columns) int64."""
        tables = [
            {**dict(zip(words, codes, strict=True)), "": self.missing}
            for words, codes in zip(self.words, self.codes, strict=True)
        ]
        return _look_up(block, tables, [self.unseen] * len(tables))

    def cardinalities(self) -> tuple[int, ...]:
        """Answer the largest code of each column, plus 1."""
        return tuple(1 + max(self.missing, self.unseen, *codes) for codes in self.codes)


class Map(Operation):
    """Replace each word by a number, such as its frequency or the mean of the target.

    Attributes:
        words: The known words of each column; the empty string, which means missing, is not one.
        values: Their numbers, as many as words in each column.
        missing: The number of the empty string, (columns,); NaN leaves it missing.
        unseen: The number of every other word, (columns,).

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"job": ["nurse", "", "baker", "spy"]})
        >>> share = Map([["baker", "nurse"]], [[0.25, 0.75]], [0.5], [0.0])
        >>> frame.select(*share.polars([pl.col("job")]))["job"].to_list()
        [0.75, 0.5, 0.25, 0.0]
    """

    columnwise = True

    words: Words
    values: Numbers
    missing: FloatArray
    unseen: FloatArray

    takes = "string"

    def check(self) -> None:
        """Raise `SettingError` unless each column has distinct words and a number for each."""
        _check_words("Map", self.words)
        _check_as_many("Map", "values", self.words, self.values)
        for setting in ("missing", "unseen"):
            if getattr(self, setting).shape != (len(self.words),):
                raise SettingError(f"Map: {setting} must hold one number a column")

    def _tables(self) -> list[NDArray[np.float64]]:
        rest = zip(self.values, self.missing.tolist(), self.unseen.tolist(), strict=True)
        return [np.array([*values, missing, unseen]) for values, missing, unseen in rest]

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to a cast to the column's `Enum`, whose numbers are replaced by the values."""
        settings = zip(columns, self.words, self._tables(), strict=True)
        return [_replace(x, words, table) for x, words, table in settings]

    def tensorflow(self, block: tf.Tensor) -> tf.Tensor:
        """Lower to one table of places a column, and one `gather` of all values."""
        import tensorflow as tf

        values = self._tables()
        starts = np.cumsum([0] + [len(table) for table in values]).tolist()
        places = [
            {word: start + place for place, word in enumerate((*words, ""))}
            for start, words in zip(starts, self.words, strict=False)
        ]
        found = _look_up(block, places, [start - 1 for start in starts[1:]])
        return tf.gather(tf.constant(np.concatenate(values)), found)


class Hash(Operation):
    """Replace each word by one of a few codes, without learning any word.

    The code of a word is 1 + MurmurHash3(word) mod buckets, that of missing text is 0. The hash
    is 32 bits wide: one word in 4 billion shares the hash of missing text and counts as missing.

    Attributes:
        buckets: How many codes there are beside that of missing text, (columns,).

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"job": ["nurse", "", "baker"]})
        >>> frame.select(*Hash([100]).polars([pl.col("job")]))["job"].to_list()
        [84, 0, 85]
    """

    columnwise = True

    buckets: IntArray

    takes = "string"
    gives = "code"

    def check(self) -> None:
        """Raise `SettingError` unless every column has at least one bucket."""
        if self.buckets.ndim != 1 or (self.buckets < 1).any() or (self.buckets >= 2**31 - 1).any():
            raise SettingError(
                f"Hash: buckets must be a number from 1 to 2147483646 for each column, "
                f"received {self.buckets.tolist()}"
            )

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to NumPy's 32-bit arithmetic over the text's bytes."""
        return [_bucket(x, size) for x, size in zip(columns, self.buckets.tolist(), strict=True)]

    def tensorflow(self, block: tf.Tensor) -> tf.Tensor:
        """Lower to the hash of the whole block, (rows, columns) int64."""
        import tensorflow as tf

        from headrace.plan.murmur import hash_tensor

        hashes = hash_tensor(block)
        zero = tf.constant(0, tf.int64)
        return tf.where(hashes > zero, 1 + hashes % tf.constant(self.buckets), zero)

    def cardinalities(self) -> tuple[int, ...]:
        """Answer the number of buckets of each column, plus 1 for missing text."""
        return tuple(size + 1 for size in self.buckets.tolist())


class OneHot(Operation):
    """Turn each code into flags: 1.0 in the place of the code, 0.0 elsewhere.

    Attributes:
        labels: What the flags of each column are called.
        codes: The codes they stand for; 0, 1, 2, … where this is left out. A code that is left
            out has no flag: its rows are 0.0 in all.

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"job": [4, 0]})
        >>> flags = OneHot([["baker", "nurse"]], [[3, 4]])
        >>> names = flags.names(["job"])
        >>> made = [x.alias(n) for x, n in zip(flags.polars([pl.col("job")]), names)]
        >>> frame.select(made).rows(named=True)
        [{'job=baker': 0.0, 'job=nurse': 1.0}, {'job=baker': 0.0, 'job=nurse': 0.0}]
    """

    labels: Words
    codes: Codes = ()

    takes = "code"

    def check(self) -> None:
        """Raise `SettingError` unless there are as many codes as labels."""
        if not self.codes:
            counted = tuple(tuple(range(len(column))) for column in self.labels)
            object.__setattr__(self, "codes", counted)
        _check_as_many("OneHot", "codes", self.labels, self.codes)

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to one comparison a flag."""
        import polars as pl

        return [
            (x == code).cast(pl.Float64)
            for x, codes in zip(columns, self.codes, strict=True)
            for code in codes
        ]

    def tensorflow(self, block: tf.Tensor) -> tf.Tensor:
        """Lower to one `gather` and one comparison, (rows, flags) float64."""
        import tensorflow as tf

        sizes = [len(codes) for codes in self.codes]
        columns = np.repeat(np.arange(len(sizes)), sizes)
        codes = np.array([code for column in self.codes for code in column], np.int64)
        spread = tf.gather(tf.cast(block, tf.int64), tf.constant(columns), axis=1)
        return tf.cast(tf.equal(spread, tf.constant(codes)), tf.float64)

    def names(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Answer `<column>=<label>` for each flag."""
        return tuple(
            f"{column}={label}"
            for column, labels in zip(columns, self.labels, strict=True)
            for label in labels
        )


def _replace(column: pl.Expr, words: Sequence[str], table: NDArray[Any]) -> pl.Expr:
    """Lower to a table that ends in the values of missing and of unseen words."""
    import polars as pl

    unseen = len(table) - 1

    def take(places: pl.Series) -> pl.Series:
        return pl.Series(table[places.cast(pl.UInt32).fill_null(unseen).to_numpy()])

    dtype = pl.Int32 if table.dtype == np.int32 else pl.Float64
    return _places(column, words).map_batches(take, return_dtype=dtype, is_elementwise=True)


def _places(column: pl.Expr, words: Sequence[str]) -> pl.Expr:
    """Answer the place of each word, behind them that of missing text, and null for the unseen."""
    import polars as pl

    return column.cast(pl.Enum([*words, ""]), strict=False).to_physical()


def _bucket(column: pl.Expr, buckets: int) -> pl.Expr:
    import polars as pl

    from headrace.plan.murmur import hash_series

    def codes(values: pl.Series) -> pl.Series:
        hashes = hash_series(values)
        bucketed = (hashes % np.uint32(buckets)).astype(np.int32) + np.int32(1)
        return pl.Series(np.where(hashes, bucketed, np.int32(0)))

    return column.map_batches(codes, return_dtype=pl.Int32, is_elementwise=True)


def _look_up(block: tf.Tensor, tables: Sequence[dict[str, int]], unseen: Sequence[int]) -> Any:
    import tensorflow as tf

    from headrace.plan.tables import lookup

    columns = tf.split(block, len(tables), axis=1)
    settings = zip(columns, tables, unseen, strict=True)
    found = [lookup(column, table, unseen=code) for column, table, code in settings]
    return found[0] if len(found) == 1 else tf.concat(found, axis=1)


def _check_words(name: str, words: Words) -> None:
    for index, column in enumerate(words):
        if "" in column:
            raise SettingError(
                f"{name}: the empty string of column {index} means missing and cannot be a word"
            )
        repeated = next((a for a, b in pairwise(sorted(column)) if a == b), None)
        if repeated is not None:
            raise SettingError(f"{name}: column {index} has the word {repeated!r} twice")


def _check_as_many(
    name: str, setting: str, words: Words, values: Sequence[Sequence[object]]
) -> None:
    sizes = [len(column) for column in words], [len(column) for column in values]
    if sizes[0] != sizes[1]:
        raise SettingError(
            f"{name}: expected one of {setting} for each word of each column; "
            f"there are {sizes[0]} words and {sizes[1]} {setting}"
        )
