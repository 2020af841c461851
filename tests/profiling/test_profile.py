"""The assessment as a whole: planted flaws are found, clean tables are left alone, odd ones answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.visualization import write_report

if TYPE_CHECKING:
    from headrace.profiling.result import Assessment

DATA = Path(__file__).resolve().parents[2] / "data"


def planted(rows: int = 600, seed: int = 0) -> pl.DataFrame:
    """A clean table of records with a target that is partly known."""
    random = np.random.default_rng(seed)
    size = random.lognormal(4, 0.4, rows)
    town = random.choice(["Rome", "Köln", "北京"], rows)
    noise = random.normal(0, 1, rows)
    price = size / 30 + (town == "Köln") + noise
    return pl.DataFrame(
        {"size": size, "town": town, "age": random.normal(40, 9, rows), "price": price}
    )


def kinds(found: Assessment) -> set[tuple[str, tuple[str, ...]]]:
    return {(one.kind, one.columns) for one in found.alerts}


def leaks(found: Assessment) -> set[tuple[str, tuple[str, ...]]]:
    return {(one.kind, one.columns) for one in found.leaks}


def test_a_clean_table_has_no_leak_and_a_high_score() -> None:
    found = hr.profile(planted(), "price")
    assert not found.leaks
    assert not found.problems
    assert found.score > 98
    assert found.sample_rows == found.rows == 600


def test_flaws_of_columns_are_counted() -> None:
    table = planted().with_columns(
        pl.lit(1).alias("constant"),
        (pl.col("size") * 2 + 1).alias("size twice"),
        pl.when(pl.int_range(600) % 5 > 0).then("age").alias("gappy"),
        pl.when(pl.int_range(600) % 10 == 0)
        .then(pl.lit("about ten"))
        .otherwise((pl.int_range(600) % 7).cast(pl.String))
        .alias("mixed"),
        pl.when(pl.int_range(600) < 6).then(1e6).otherwise("age").alias("far"),
    )
    table = pl.concat([table, table.head(30)])
    found = hr.profile(table, "price")
    assert {
        ("constant", ("constant",)),
        ("duplicate columns", ("size", "size twice")),
        ("missing", ("gappy",)),
        ("mixed", ("mixed",)),
        ("outliers", ("far",)),
        ("duplicate rows", ()),
    } <= kinds(found)
    assert found.counts.repeated == 30
    # the planted ones; the first rows come twice
    assert found.counts.outliers["far"] == 12
    assert found.counts.number_like["mixed"] == table.filter(pl.col("mixed") != "about ten").height
    assert found.score < 95
    lost = {part.name for part in found.parts if part.why}
    assert {"completeness", "distinct rows", "useful columns", "consistent values"} <= lost


def test_a_category_written_as_numbers_is_a_near_duplicate() -> None:
    random = np.random.default_rng(3)
    towns, codes = np.array(["Rome", "Köln", "北京", ""]), np.array([7.5, -2.0, 31.0, np.nan])
    place = random.integers(0, 4, 2000)
    table = pl.DataFrame(
        {
            "town": towns[place],
            "code": codes[place],
            "slip": np.where(random.random(2000) < 0.003, 7.5, codes[place]),
            "coarse": np.where(place == 1, -2.0, 7.5),
            "other": codes[random.permutation(place)],
            "size": random.normal(size=2000),
            "rare": np.where(np.arange(2000) < 4, "x", "y"),
            "seldom": (np.arange(2000) > 1995).astype(float),
        }
    )
    pairs = {one.columns for one in hr.profile(table).alerts if one.kind == "duplicate columns"}
    assert pairs == {("town", "code"), ("town", "slip")}


@pytest.mark.parametrize("target", ["price", "dear"])
def test_columns_that_give_the_target_away_are_found(target: str) -> None:
    random = np.random.default_rng(1)
    table = planted(2000).with_columns((pl.col("price") > 4).alias("dear"))
    goal = table[target].cast(pl.Float64)
    table = table.with_columns(
        (goal * 3 + 1e-3 * pl.Series(random.normal(size=2000))).alias("paid"),
        # filled only after the event
        pl.when(goal > goal.median()).then(pl.lit("x")).alias("receipt"),
        pl.Series("number", np.arange(2000) + 7),
    ).drop("price" if target == "dear" else "dear")
    found = hr.profile(table, target)
    expected = {("gives away", ("paid",)), ("id", ("number",))}
    expected |= {("gives away", ("receipt",))} if target == "dear" else set()
    assert leaks(found) == expected
    assert next(part for part in found.parts if part.name == "no leaks").points == 0
    assert "is it known before the target is?" in found.summary()


def test_a_table_sorted_by_its_target_is_noted() -> None:
    assert ("order", ()) in leaks(hr.profile(planted(1000).sort("price"), "price"))


def series(rows: int = 1200, seed: int = 0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    hours = np.datetime64("2024-01-01") + np.arange(rows) * np.timedelta64(1, "h")
    level = np.where(np.arange(rows) < rows // 2, 0.0, 6.0)
    noise = np.convolve(random.normal(size=rows + 1), [1, 0.6], mode="valid")
    heat = 2 * np.sin(2 * np.pi * np.arange(rows) / 24) + noise
    return pl.DataFrame(
        {
            "hour": hours.astype("datetime64[us]"),
            "load": heat + random.normal(0, 0.3, rows),
            "heat": heat,
            "level": level + random.normal(size=rows),
            "quiet": random.normal(size=rows),
        }
    )


def test_columns_that_follow_the_targets_future_are_found() -> None:
    table = series().with_columns(
        pl.col("load").shift(-1).alias("next"),
        pl.col("load").rolling_mean(3, center=True).alias("smooth"),
        pl.col("load").shift(1).alias("last"),
    )
    found = hr.profile(table, "load", time="hour")
    assert leaks(found) == {("future", ("next",)), ("future", ("smooth",))}


def test_trends_and_gaps_are_found_and_noise_is_left_alone() -> None:
    table = series().filter(~pl.int_range(pl.len()).is_between(200, 240))
    found = hr.profile(table, time="hour")
    trends = {(one.column, one.kind) for one in found.trends}
    assert ("heat", "day") in trends
    assert ("level", "change") in trends
    assert not any(column == "quiet" for column, _ in trends)
    change = next(one for one in found.trends if (one.column, one.kind) == ("level", "change"))
    assert change.at.startswith(("2024-01-25", "2024-01-26"))
    assert 5.5 < change.size < 6.5
    assert ("date gaps", ("hour",)) in kinds(found)


def test_splits_that_share_rows_groups_and_time_are_found() -> None:
    table = series().with_columns(pl.Series("shop", np.arange(1200) // 40))
    clean = {"train": table.head(800), "test": table.tail(400)}
    assert not hr.profile(table, splits=clean, group="shop", time="hour").leaks
    mixed = {"train": table.head(830), "test": table.tail(400)}
    found = hr.profile(table, splits=mixed, group="shop", time="hour")
    assert {one.kind for one in found.leaks} == {"same rows", "shared groups", "later rows"}
    marked = table.with_columns(
        pl.when(pl.int_range(1200) < 810).then(pl.lit("a")).otherwise(pl.lit("b")).alias("part")
    )
    found = hr.profile(marked, splits="part", group="shop")
    assert {one.kind for one in found.leaks} == {"shared groups"}


def test_patterns_hold_on_other_rows_and_noise_has_none() -> None:
    table = planted(3000)
    found = hr.profile(table, "price")
    assert any("Köln" in one.name or "size" in one.name for one in found.patterns)
    noise = table.with_columns(pl.Series("price", np.random.default_rng(5).normal(size=3000)))
    assert not hr.profile(noise, "price").patterns


def test_scans_answer_what_tables_in_memory_do(tmp_path: Path) -> None:
    table = planted(3000)
    table.write_parquet(tmp_path / "t.parquet")
    held = hr.profile(table, "price", sample=500).to_dict()
    scanned = hr.profile(pl.scan_parquet(tmp_path / "t.parquet"), "price", sample=500).to_dict()
    assert scanned["sample_rows"] == 500
    for name in ("relations", "patterns", "alerts", "classes"):
        assert scanned[name] == held[name]


def test_the_result_can_be_read_stored_drawn_and_written(table: Any, tmp_path: Path) -> None:
    found = hr.profile(table, "rich", time="joined")
    assert "quality" in found.summary()
    assert found.classes.keys() == {"no", "yes"}
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["target"] == "rich"
    assert "größer" in found.summary()
    assert "<table" in found._repr_html_()
    assert found.plot().get_title(loc="left") == "Relations between columns"
    page = found.write(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Assessment for rich" in page
    assert "<svg" in page
    assert write_report(tmp_path / "other.html", {"profile": found}).exists()


ODD = {
    "one row": pl.DataFrame({"a": [1.5], "b": ["x"]}),
    "one column": pl.DataFrame({"a": [1.5, 2.5, 3.5]}),
    "all missing": pl.DataFrame(
        {"a": [None, None, None], "b": [1, 2, 3]}, schema={"a": pl.Float64, "b": pl.Int64}
    ),
    "all equal": pl.DataFrame({"a": [1.0] * 80, "b": ["x"] * 80}),
    "names": pl.DataFrame({"größe": [1.0, 2.0, 5.0] * 30, "名 $x$": ["a", "b", "c"] * 30}),
    "many levels": pl.DataFrame(
        {"a": [f"level {n % 900} of many" for n in range(1000)], "b": range(1000)}
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_tables_get_an_honest_answer(name: str) -> None:
    table = ODD[name]
    for target in (None, *table.columns):
        if target == "a" and name == "many levels":
            continue
        found = hr.profile(table, target)
        assert found.summary()
        json.dumps(found.to_dict(), allow_nan=False)
        assert 0 <= found.score <= 100
        found.plot()


def test_one_class_is_said() -> None:
    table = planted().with_columns(pl.lit("yes").alias("bought"))
    found = hr.profile(table, "bought")
    assert ("imbalance", ("bought",)) in kinds(found)
    assert "one class only, 'yes'" in found.summary()


def test_what_cannot_be_assessed_is_refused() -> None:
    table = planted()
    with pytest.raises(hr.DataError, match="the table is empty"):
        hr.profile(table.head(0))
    with pytest.raises(hr.DataError, match="Did you mean 'price'"):
        hr.profile(table, "prise")
    with pytest.raises(hr.DataError, match="expected dates to order the rows by, it holds number"):
        hr.profile(table, time="age")
    with pytest.raises(hr.DataError, match="expected a finite number, received inf"):
        hr.profile({"a": [1.0, float("inf"), 2.5]})
    with pytest.raises(hr.SettingError, match="sample: expected at least 2 rows, received 1"):
        hr.profile(table, sample=1)
    with pytest.raises(hr.SettingError, match="groups are compared between splits"):
        hr.profile(table, group="town")
    with pytest.raises(hr.SettingError, match="expected at least two, received"):
        hr.profile(table, splits={"train": table})
    with pytest.raises(hr.DataError, match="the column is missing"):
        hr.profile(table, splits="nowhere")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "target"),
    [
        ("adult.csv.gz", "income"),
        ("california_housing.csv.gz", "median_house_value"),
        ("diamonds.csv.gz", "price"),
        ("letter.csv.gz", "lettr"),
    ],
)
def test_known_tables_have_no_leak(file: str, target: str) -> None:
    assert not hr.profile(DATA / file, target, sample=8_000).leaks
