from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from headrace.data.profile import profile
from headrace.data.schema import MISSING_TIME, Column, Schema
from headrace.errors import SettingError
from headrace.maintain.drift import DriftReport, drift

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headrace.data.profile import Profile

    Floats = NDArray[np.float64]

KINDS = {
    "normal": "number",
    "price": "number",
    "zeros": "number",
    "rating": "number",
    "gaps": "number",
    "rare_flag": "boolean",
    "city": "category",
    "brand": "category",
    "postcode": "category",
}
SCHEMA = Schema(tuple(Column(name, kind) for name, kind in KINDS.items()))
BRANDS = 1 / np.arange(1, 2_001)
CITIES = np.array([0.9, *[0.004] * 25])


def draw(
    rng: np.random.Generator,
    rows: int,
    names: Sequence[str] = tuple(KINDS),
    *,
    correlation: float = 0.6,
) -> pl.DataFrame:
    """Draw canonical rows of many shapes, all columns driven by one hidden factor."""
    from scipy.special import ndtr

    hidden = rng.normal(size=rows)
    columns = {}
    for name in names:
        own = correlation * hidden + math.sqrt(1 - correlation**2) * rng.normal(size=rows)
        columns[name] = _shape(name, own, ndtr(own), rng)
    return pl.DataFrame(columns)


def _shape(name: str, value: Floats, rank: Floats, rng: np.random.Generator) -> Any:
    shapes = {
        "price": lambda: np.exp(2 * value),
        "zeros": lambda: np.where(rank < 0.97, 0.0, value),
        "rating": lambda: np.floor(5 * rank),
        "gaps": lambda: np.where(rng.random(len(value)) < 0.02, np.nan, value),
        "rare_flag": lambda: (rank > 0.98).astype(float),
        "city": lambda: _words(rank, CITIES),
        "brand": lambda: _words(rank, BRANDS),
        "postcode": lambda: _words(rank, np.ones(250)),
    }
    return shapes.get(name, lambda: value)()


def _words(rank: Floats, weights: Floats) -> Any:
    places = np.searchsorted(np.cumsum(weights / weights.sum()), rank)
    return np.char.add("v", np.minimum(places, len(weights) - 1).astype(str))


def alarms(rng: np.random.Generator, batches: int, new_rows: int, **settings: Any) -> int:
    names = tuple(settings.pop("names", KINDS))
    schema = SCHEMA.select(names)
    raised = 0
    for _ in range(batches):
        reference = profile(draw(rng, 5_000, names).lazy(), schema)
        report = drift(reference, draw(rng, new_rows, names).lazy(), schema, **settings)
        raised += bool(report.alarmed)
    return raised


# ---------------------------------------------------------------- the stated rate


@pytest.mark.parametrize(("new_rows", "batches"), [(50, 100), (200, 100), (1_000, 100)])
def test_false_alarms_are_as_rare_as_stated(new_rows: int, batches: int) -> None:
    # A rate of 20 % and no smallest effect: many alarms, so that few batches tell much.
    rng = np.random.default_rng(new_rows)
    raised = alarms(rng, batches, new_rows, false_alarm_rate=0.2, smallest_effect=0.0)
    doubt = 3.5 * math.sqrt(batches * 0.2 * 0.8)
    assert raised <= 0.2 * batches + doubt
    assert raised >= 2  # not absurdly careful either


def test_more_new_rows_than_reference_rows_keep_the_rate_too() -> None:
    rng = np.random.default_rng(4)
    names = ("normal", "zeros", "rare_flag", "city")
    raised = alarms(rng, 60, 20_000, names=names, false_alarm_rate=0.2, smallest_effect=0.0)
    assert raised <= 0.2 * 60 + 3.5 * math.sqrt(60 * 0.2 * 0.8)


def test_the_default_report_is_silent_when_nothing_has_changed() -> None:
    assert alarms(np.random.default_rng(5), 60, 500) <= 3


@pytest.mark.slow
@pytest.mark.parametrize("new_rows", [50, 200, 1_000, 10_000])
def test_the_default_rate_holds_over_many_batches(new_rows: int) -> None:
    raised = alarms(np.random.default_rng(6), 600, new_rows, smallest_effect=0.0)
    assert raised <= 0.01 * 600 + 4 * math.sqrt(600 * 0.01)


@pytest.mark.parametrize("seed", range(3))
def test_a_column_of_many_values_does_not_drift_by_its_cut_off_list(seed: int) -> None:
    # The profile lists the 200 luckiest of 2,000 equally frequent values: they look too frequent.
    rng = np.random.default_rng(seed)
    schema = SCHEMA.select(["city"])

    def table(rows: int) -> pl.LazyFrame:
        return pl.DataFrame({"city": rng.integers(0, 2_000, rows).astype(str)}).lazy()

    assert drift(profile(table(5_000), schema), table(5_000), schema).alarmed == ()


def test_an_id_like_category_is_new_every_day_and_that_is_no_drift() -> None:
    schema = SCHEMA.select(["city"])
    before = pl.LazyFrame({"city": [f"order {n}" for n in range(150)]})
    after = pl.LazyFrame({"city": [f"order {n}" for n in range(150, 300)]})
    assert drift(profile(before, schema), after, schema).alarmed == ()


# ---------------------------------------------------------------- the power


@pytest.fixture(scope="module")
def reference() -> Profile:
    return profile(draw(np.random.default_rng(10), 5_000).lazy(), SCHEMA)


@pytest.mark.parametrize(
    ("new_rows", "change", "column", "words"),
    [
        (200, pl.col("normal") + 0.5, "normal", "higher values: mean"),
        (1_000, pl.col("normal") - 0.25, "normal", "lower values: mean"),
        (500, pl.col("normal") * 1.6, "normal", "wider spread: standard deviation"),
        (500, pl.col("price") * 100, "price", "higher values"),
        (50, pl.lit(5e9).alias("normal"), "normal", "100 % of the values lie outside"),
        (300, pl.lit(math.nan).alias("gaps"), "gaps", "every value is missing (reference"),
        (
            500,
            (1 - pl.col("rare_flag")).alias("rare_flag"),
            "rare_flag",
            "true values: 1.7 % → 99 %",
        ),
        (300, pl.lit("v3").alias("city"), "city", "value 'v3': 0."),
        (
            300,
            pl.when(pl.int_range(pl.len()) < 30)
            .then(pl.lit("new"))
            .otherwise("city")
            .alias("city"),
            "city",
            "10 % of the values are new, most of all 'new' (10 %)",
        ),
        (
            500,
            pl.when(pl.int_range(pl.len()) < 60).then(math.nan).otherwise("normal").alias("normal"),
            "normal",
            "missing values: 0 % → 12 %",
        ),
        (
            2_000,
            pl.when(pl.int_range(pl.len()) < 400).then(9.0).otherwise("zeros").alias("zeros"),
            "zeros",
            "20 % of the values lie outside",
        ),
    ],
)
def test_a_change_is_found_and_told(
    reference: Profile, new_rows: int, change: pl.Expr, column: str, words: str
) -> None:
    rows = draw(np.random.default_rng(11), new_rows).lazy().with_columns(change)
    report = drift(reference, rows, SCHEMA)
    assert column in report.alarmed
    assert words in report[column].words
    assert report[column].effect >= 0.05
    assert report[column].p_value <= 0.01
    assert set(report.alarmed) <= {column, *(["brand"] if column == "postcode" else [])}


def test_a_sure_but_trivial_change_raises_no_alarm(reference: Profile) -> None:
    rows = draw(np.random.default_rng(12), 300_000, ("normal",)).lazy()
    rows = rows.with_columns(pl.col("normal") + 0.04)
    schema = SCHEMA.select(["normal"])
    larger = profile(draw(np.random.default_rng(13), 300_000, ("normal",)).lazy(), schema)
    report = drift(larger, rows, schema)
    assert report["normal"].p_value < 1e-6
    assert report["normal"].effect < 0.05
    assert report.alarmed == ()
    assert drift(larger, rows, schema, smallest_effect=0.005).alarmed == ("normal",)


# ---------------------------------------------------------------- kinds and bad input


def test_texts_and_ids_are_tested_for_missing_values_alone() -> None:
    schema = Schema((Column("note", "text"), Column("key", "id")))
    before = pl.LazyFrame({"note": ["fine"] * 500, "key": [f"a{n}" for n in range(500)]})
    after = pl.LazyFrame({"note": [""] * 200, "key": [f"b{n}" for n in range(200)]})
    report = drift(profile(before, schema), after, schema)
    assert report.alarmed == ("note",)
    assert [test.name for test in report["note"].tests] == ["missing"]
    assert report["key"].tests == ()


HOUR = 3_600_000_000


def test_dates_that_follow_the_clock_do_not_drift() -> None:
    schema = Schema((Column("sold", "datetime"),))
    reference = profile(pl.LazyFrame({"sold": np.arange(2_000) * HOUR}), schema)
    later = drift(reference, pl.LazyFrame({"sold": np.arange(2_000, 2_400) * HOUR}), schema)
    assert later.alarmed == ()
    assert later["sold"].words == "later than the reference, as time goes on"


def test_dates_that_do_not_follow_the_clock_can_drift() -> None:
    schema = Schema((Column("born", "datetime"),))
    rng = np.random.default_rng(0)
    reference = profile(pl.LazyFrame({"born": rng.integers(0, 9_000, 5_000) * HOUR}), schema)
    same = pl.LazyFrame({"born": rng.integers(0, 9_000, 500) * HOUR})
    assert drift(reference, same, schema).alarmed == ()
    older = pl.LazyFrame({"born": rng.integers(0, 3_000, 500) * HOUR})
    report = drift(reference, older, schema)
    assert "earlier values: mean 1970-0" in report["born"].words
    gone = pl.LazyFrame({"born": [MISSING_TIME] * 300})
    assert "every value is missing" in drift(reference, gone, schema)["born"].words


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_a_batch_of_few_rows_is_no_trouble(reference: Profile, rows: int) -> None:
    for seed in range(5):
        report = drift(reference, draw(np.random.default_rng(seed), rows).lazy(), SCHEMA)
        assert report.rows == rows
        assert report.alarmed == ()


def test_an_empty_batch_says_so(reference: Profile) -> None:
    report = drift(reference, draw(np.random.default_rng(0), 3).lazy().head(0), SCHEMA)
    assert report.rows == 0
    assert report.tests == 0
    assert report.summary() == "Drift: no new rows, so nothing was compared"


def test_a_column_that_is_gone_counts_as_missing(reference: Profile) -> None:
    rows = draw(np.random.default_rng(0), 300).lazy().drop("normal", "city")
    report = drift(reference, rows, SCHEMA)
    assert report.alarmed == ("normal", "city")
    assert report["city"].words == "every value is missing (reference 0 %)"


def test_a_reference_column_without_values() -> None:
    schema = SCHEMA.select(["normal", "city"])
    empty = pl.LazyFrame({"normal": [math.nan] * 400, "city": [""] * 400})
    reference = profile(empty, schema)
    assert drift(reference, empty, schema).alarmed == ()
    filled = pl.LazyFrame({"normal": [1.0] * 400, "city": ["x"] * 400})
    assert set(drift(reference, filled, schema).alarmed) == {"normal", "city"}


def test_a_constant_column_that_moves() -> None:
    schema = SCHEMA.select(["normal"])
    reference = profile(pl.LazyFrame({"normal": [3.0] * 400}), schema)
    assert drift(reference, pl.LazyFrame({"normal": [3.0] * 50}), schema).alarmed == ()
    moved = drift(reference, pl.LazyFrame({"normal": [3.0] * 40 + [4.0] * 10}), schema)
    assert moved["normal"].words == "20 % of the values lie outside 3 … 3 (up to 4)"


def test_infinite_values_lie_outside(reference: Profile) -> None:
    rows = draw(np.random.default_rng(0), 300).lazy()
    hit = pl.int_range(pl.len()) < 30
    rows = rows.with_columns(pl.when(hit).then(math.inf).otherwise("normal").alias("normal"))
    assert "up to inf)" in drift(reference, rows, SCHEMA)["normal"].words


def test_columns_that_the_schema_does_not_have_are_left_out(reference: Profile) -> None:
    rows = draw(np.random.default_rng(0), 300).lazy()
    report = drift(reference, rows, SCHEMA.select(["city", "normal"]))
    assert {column.column for column in report.columns} == {"city", "normal"}


@pytest.mark.parametrize("settings", [{"false_alarm_rate": 1.0}, {"smallest_effect": -0.1}])
def test_rates_that_cannot_be(reference: Profile, settings: dict[str, Any]) -> None:
    rows = draw(np.random.default_rng(0), 3).lazy()
    name = next(iter(settings))
    with pytest.raises(SettingError, match=f"{name} must be at least 0 and under 1, received"):
        drift(reference, rows, SCHEMA, **settings)


# ---------------------------------------------------------------- the report


def test_the_report_reads_well(reference: Profile) -> None:
    rows = draw(np.random.default_rng(1), 800).lazy().with_columns(pl.col("normal") + 1)
    report = drift(reference, rows, SCHEMA)
    text = report.summary()
    assert text.startswith(
        "Drift: 1 of 9 columns drifted: 'normal' (800 new rows against 5,000)\n"
        "  normal  higher values: mean"
    )
    assert "the chance of even one false alarm in this report is at most 1 % (Holm)" in text
    assert report.tests == sum(len(column.tests) for column in report.columns)
    assert "<pre>" in report._repr_html_()


def test_the_report_is_plain_json(reference: Profile) -> None:
    rows = draw(np.random.default_rng(1), 800).lazy().with_columns(pl.col("normal") + 1)
    plain = drift(reference, rows, SCHEMA).to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["alarmed"] == ["normal"]
    assert sum(plain["columns"][0]["current"]) == pytest.approx(1)


def test_of_many_values_the_frequent_ones_are_shown() -> None:
    schema = SCHEMA.select(["city"])
    known = profile(pl.LazyFrame({"city": ["a"] * 900 + ["b"] * 100}), schema)
    new = pl.LazyFrame({"city": ["b"] * 500 + [f"x{n}" for n in range(5_000)]})
    column = drift(known, new, schema)["city"]
    assert column.alarm
    assert len(column.cells) == len(column.reference) == len(column.current) == 51
    assert column.cells[-1] == "(all other values)"
    assert sum(column.current) == pytest.approx(1)


def test_two_scans_serve_all_columns(reference: Profile) -> None:
    scans = 0

    def source(batch: pl.DataFrame) -> pl.DataFrame:
        nonlocal scans
        scans += 1
        return batch

    table = draw(np.random.default_rng(1), 800)
    rows = table.lazy().map_batches(source, schema=table.schema)
    drift(reference, rows, SCHEMA)
    assert scans == 2  # one counts, one lists the categories


def test_the_picture_shows_every_column(reference: Profile) -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    report = drift(reference, draw(np.random.default_rng(1), 300).lazy(), SCHEMA)
    assert len(report.plot().get_yticks()) == len(report.columns)
    plt.close("all")


def test_a_report_without_rows() -> None:
    assert DriftReport(0, 10, (), 0.01, 0.05, 0.0).alarmed == ()
