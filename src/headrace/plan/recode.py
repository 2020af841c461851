"""Operations that put one value in another's place: words for words, numbers for numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.errors import SettingError
from headrace.plan.operation import FloatArray, Operation, Words

if TYPE_CHECKING:
    import polars as pl
    import tensorflow as tf

__all__ = ["Recode", "Substitute"]


class Recode(Operation):
    """Put other words in the place of words, column by column.

    Attributes:
        words: The words that are looked for, one tuple a column; "" is the missing word.
        values: What is put in their place, as many for each column.
        other: What is put in the place of all other words; None leaves them. A missing word that
            is not looked for stays missing either way.

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"x": ["a", "b", ""]})
        >>> frame.select(*Recode([["a"]], [["c"]]).polars([pl.col("x")]))["x"].to_list()
        ['c', 'b', '']
        >>> frame.select(*Recode([["a"]], [["a"]], "(rare)").polars([pl.col("x")]))["x"].to_list()
        ['a', '(rare)', '']
    """

    columnwise = True

    takes = "string"
    gives = "string"

    words: Words
    values: Words
    other: str | None = None

    def check(self) -> None:
        """Raise `SettingError` unless every word has its value and none comes twice."""
        sizes = [len(words) for words in self.words]
        if sizes != [len(values) for values in self.values]:
            raise SettingError("Recode: expected as many values as words in every column")
        if any(len(set(words)) < len(words) for words in self.words):
            raise SettingError("Recode: a word is given twice for the same column")

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to `replace_strict`, whose rest is the column itself or the other word."""
        tables = zip(columns, self.words, self.values, strict=True)
        return [self._replaced(column, words, values) for column, words, values in tables]

    def _replaced(
        self, column: pl.Expr, words: tuple[str, ...], values: tuple[str, ...]
    ) -> pl.Expr:
        import polars as pl

        table = self._table(words, values)
        if not table:
            return column
        old = pl.Series(list(table), dtype=pl.String)
        new = pl.Series(list(table.values()), dtype=pl.String)
        rest = column if self.other is None else pl.lit(self.other)
        return column.replace_strict(old, new, default=rest, return_dtype=pl.String)

    def tensorflow(self, block: tf.Tensor) -> tf.Tensor:
        """Lower to one lookup and one gather a column, (rows, columns) to the same shape."""
        import tensorflow as tf

        columns = [
            self._gathered(block[:, place : place + 1], words, values)
            for place, (words, values) in enumerate(zip(self.words, self.values, strict=True))
        ]
        return columns[0] if len(columns) == 1 else tf.concat(columns, axis=1)

    def _table(self, words: tuple[str, ...], values: tuple[str, ...]) -> dict[str, str]:
        table = dict(zip(words, values, strict=True))
        return table if self.other is None else {"": "", **table}

    def _gathered(
        self, column: tf.Tensor, words: tuple[str, ...], values: tuple[str, ...]
    ) -> tf.Tensor:
        import tensorflow as tf

        from headrace.plan.tables import lookup

        table = self._table(words, values)
        if not table:
            return column
        places = lookup(column, {word: place for place, word in enumerate(table)}, unseen=-1)
        found = tf.gather(tf.constant(list(table.values())), tf.maximum(places, 0))
        rest = column if self.other is None else tf.fill(tf.shape(column), self.other)
        return tf.where(places >= 0, found, rest)


class Substitute(Operation):
    """Put other numbers in the place of numbers, the same in every column.

    Attributes:
        old: The numbers that are looked for, exactly; NaN is the missing number.
        new: What is put in their place.

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"x": [-999.0, 1.0]})
        >>> frame.select(*Substitute([-999.0], [0.0]).polars([pl.col("x")])).to_series().to_list()
        [0.0, 1.0]
    """

    columnwise = True

    old: FloatArray
    new: FloatArray

    def check(self) -> None:
        """Raise `SettingError` unless every number has its new one."""
        if self.old.ndim != 1 or self.old.shape != self.new.shape:
            raise SettingError(
                f"Substitute: expected as many new numbers as old ones, received shapes "
                f"{self.old.shape} and {self.new.shape}"
            )

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to comparisons with the column as it came in; Polars holds NaN equal to NaN."""
        return [self._substituted(column) for column in columns]

    def _substituted(self, column: pl.Expr) -> pl.Expr:
        import polars as pl

        result = column
        for old, new in zip(self.old.tolist(), self.new.tolist(), strict=True):
            result = pl.when(column == old).then(new).otherwise(result)
        return result

    def tensorflow(self, block: tf.Tensor) -> tf.Tensor:
        """Lower to comparisons of the whole block."""
        import tensorflow as tf

        result = block
        for old, new in zip(self.old.tolist(), self.new.tolist(), strict=True):
            missing = old != old  # noqa: PLR0124 - NaN is not equal to itself
            hit = tf.math.is_nan(block) if missing else tf.equal(block, old)
            result = tf.where(hit, tf.constant(new, tf.float64), result)
        return result
