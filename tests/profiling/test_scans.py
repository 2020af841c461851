"""How often the source is read: a part of it, then twice, whatever is asked of the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from polars.io.plugins import register_io_source

import headrace as hr

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = 30_000


class Counted:
    """A source that counts how often all of it is read."""

    def __init__(self, table: pl.DataFrame) -> None:
        self.scans, self.heads = 0, 0
        self._table = table

    def frame(self) -> pl.LazyFrame:
        """Answer the source as a lazy table."""
        return register_io_source(self._read, schema=self._table.schema)

    def _read(
        self, columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _: int | None
    ) -> Iterator[pl.DataFrame]:
        self.scans += rows is None
        self.heads += rows is not None
        wanted = self._table if columns is None else self._table.select(columns)
        wanted = wanted if rows is None else wanted.head(rows)
        for start in range(0, wanted.height, 7_000):
            part = wanted[start : start + 7_000]
            yield part if predicate is None else part.filter(predicate)


def mixed(seed: int = 0) -> pl.DataFrame:
    """Numbers, texts of numbers, dates as text, categories, truth values, ids; rows repeat."""
    random = np.random.default_rng(seed)
    size = random.lognormal(3, 1, ROWS)
    table = pl.DataFrame(
        {
            "size": size,
            "gappy": np.where(random.random(ROWS) < 0.3, np.nan, size),
            "text": np.char.mod("%.2f", random.normal(size=ROWS)),
            "day": [f"2024-{1 + n // 2500:02d}-{1 + n % 28:02d}" for n in range(ROWS)],
            "town": random.choice(["Rome", "Köln", "北京", ""], ROWS),
            "won": random.choice(["yes", "no"], ROWS),
            "who": [f"u{n:07d}" for n in range(ROWS)],
            "stars": random.integers(1, 6, ROWS),
            "price": size + random.normal(size=ROWS),
        }
    )
    return pl.concat([table.head(ROWS - 100), table.head(100)])


@pytest.mark.parametrize("target", [None, "price", "town", "won", "stars"])
def test_two_scans_are_enough(target: str | None) -> None:
    source = Counted(mixed())
    found = hr.profile(source.frame(), target)
    assert (source.heads, source.scans) == (1, 2)
    assert found.rows == ROWS
    assert found.counts.repeated == 100


def test_trends_need_up_to_four_more() -> None:
    source = Counted(mixed())
    hr.profile(source.frame(), "price", time="day")
    assert (source.heads, source.scans) in {(1, 5), (1, 6)}


def test_a_scan_answers_what_a_table_in_memory_does() -> None:
    table = mixed()
    scanned = hr.profile(Counted(table).frame(), "stars", sample=ROWS).to_dict()
    held = hr.profile(table, "stars", sample=ROWS).to_dict()
    same = ("rows", "classes", "counts", "relations", "patterns")
    said = [[a["text"] for a in one["alerts"] if a["kind"] != "id"] for one in (scanned, held)]
    assert said[0] == said[1]
    assert {name: scanned[name] for name in same} == {name: held[name] for name in same}
    facts = ("kind", "missing", "minimum", "maximum", "values", "other")
    for one, other in zip(scanned["columns"], held["columns"], strict=True):
        assert {name: one[name] for name in facts} == {name: other[name] for name in facts}
        assert sum(one["counts"]) == sum(other["counts"])


def test_values_of_a_scan_that_do_not_fit_are_told_with_their_row() -> None:
    table = mixed().with_columns(
        size=pl.when(pl.int_range(ROWS) == 29_000).then(float("inf")).otherwise("size")
    )
    with pytest.raises(hr.DataError, match=r"(?s)size.*29,?00[01].*expected a finite number"):
        hr.profile(Counted(table).frame())
    typed = {"town": "number"}
    with pytest.raises(
        hr.DataError, match=r"(?s)row 3: expected a number, received .Rome.*22,482 more"
    ):
        hr.profile(Counted(mixed()).frame(), kinds=typed)


def test_a_column_without_a_value_is_scanned_too(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    mixed().with_columns(empty=pl.lit(None, pl.Duration)).write_parquet(path)
    found = hr.profile(pl.scan_parquet(path), "price", kinds={"empty": "datetime"})
    assert ("constant", ("empty",)) in {(one.kind, one.columns) for one in found.alerts}
    assert found.sample_rows == 20_000
