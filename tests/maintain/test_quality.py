from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from headrace.data.profile import profile
from headrace.data.schema import Column, Schema
from headrace.maintain.quality import quality
from headrace.maintain.repair import repair

if TYPE_CHECKING:
    from headrace.data.profile import Profile
    from headrace.maintain.finding import Finding

SCHEMA = Schema(
    (
        Column("age", "number"),
        Column("city", "category"),
        Column("member", "boolean"),
        Column("since", "datetime"),
        Column("remark", "text", optional=True),
    )
)


def good(rows: int = 400, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "age": rng.normal(40, 10, rows).round(2),
            "city": rng.choice(["Oslo", "Bonn", "Rome"], rows),
            "member": rng.random(rows) < 0.5,
            "since": pl.Series(rng.integers(0, 10**9, rows) * 10**6).cast(pl.Datetime("us")),
            "remark": ["fine"] * rows,
        }
    )


@pytest.fixture(scope="module")
def reference() -> Profile:
    return profile(repair(good(2_000).lazy(), SCHEMA), SCHEMA)


def found(
    rows: pl.DataFrame, reference: Profile | None = None, **settings: Any
) -> dict[tuple[str | None, str], Finding]:
    report = quality(rows.lazy(), SCHEMA, reference=reference, **settings)
    return {(finding.column, finding.fault): finding for finding in report.findings}


def test_good_rows_have_no_findings(reference: Profile) -> None:
    report = quality(good(seed=1).lazy(), SCHEMA, reference=reference)
    assert report.findings == ()
    assert report.summary() == ("Quality: nothing is wrong with the data (400 rows, 5 columns)")


def test_a_column_gone_is_an_error_that_names_the_nearest(reference: Profile) -> None:
    finding = found(good().rename({"age": "agee"}), reference)["age", "column gone"]
    assert finding.severity == "error"
    assert finding.words == "the column is gone; perhaps it is called 'agee' now"
    assert finding.count == 400


def test_an_optional_column_may_be_gone(reference: Profile) -> None:
    finding = found(good().drop("remark"), reference)["remark", "column gone"]
    assert finding.severity == "note"


def test_a_new_column_is_a_note_unless_it_is_to_be_ignored(reference: Profile) -> None:
    rows = good().with_columns(target=1, weight=2)
    assert set(found(rows, reference, ignore=["target"])) == {("weight", "column new")}


def test_numbers_that_became_text_are_an_error(reference: Profile) -> None:
    rows = good().with_columns(pl.lit("about forty").alias("age"))
    finding = found(rows, reference)["age", "kind changed"]
    assert finding.severity == "error"
    assert finding.words == "400 of 400 values do not fit: expected a number"
    assert finding.rows == (0, 1, 2)
    assert finding.values == ("'about forty'",) * 3


def test_some_bad_values_are_a_warning_with_the_rows_that_show_it(reference: Profile) -> None:
    at = pl.int_range(pl.len())
    rows = good().with_columns(
        pl.when(at.is_in([7, 300]))
        .then(pl.lit("old"))
        .otherwise(pl.col("age").cast(str))
        .alias("age"),
        pl.when(at == 3).then(pl.lit("maybe")).otherwise(pl.lit("true")).alias("member"),
    )
    findings = found(rows, reference)
    age = findings["age", "bad values"]
    assert (age.severity, age.count, age.rows, age.values) == (
        "warning",
        2,
        (7, 300),
        ("'old'",) * 2,
    )
    assert findings["member", "bad values"].values == ("'maybe'",)


def test_infinite_numbers_are_bad_values(reference: Profile) -> None:
    rows = good().with_columns(
        pl.when(pl.int_range(pl.len()) == 5).then(math.inf).otherwise("age").alias("age")
    )
    finding = found(rows, reference)["age", "bad values"]
    assert (finding.rows, finding.values) == ((5,), ("'inf'",))


def test_a_dtype_that_cannot_be_read_is_an_error(reference: Profile) -> None:
    rows = good().with_columns(pl.col("age").implode().over(pl.int_range(pl.len())).alias("age"))
    finding = found(rows, reference)["age", "kind changed"]
    assert finding.severity == "error"
    assert "the column is of dtype List" in finding.words


def test_categories_that_became_numbers_are_an_error(reference: Profile) -> None:
    rows = good().with_columns(pl.int_range(pl.len()).alias("city"))
    finding = found(rows, reference)["city", "kind changed"]
    assert finding.words == "categories became numbers, of which the reference had none"


def test_categories_that_always_were_numbers_are_fine() -> None:
    schema = Schema((Column("zip", "category"),))
    rows = pl.LazyFrame({"zip": [1010, 1020, 1030] * 50})
    reference = profile(repair(rows, schema), schema)
    assert not [f for f in quality(rows, schema, reference=reference).findings if f.column]


def test_values_far_outside_of_the_range(reference: Profile) -> None:
    rows = good().with_columns(
        pl.when(pl.int_range(pl.len()) < 4).then(-999.0).otherwise("age").alias("age")
    )
    finding = found(rows, reference)["age", "out of range"]
    assert (finding.severity, finding.count) == ("warning", 4)
    assert finding.words.startswith("4 of 400 values lie far outside ")
    assert finding.values == ("'-999.0'",) * 3


def test_dates_far_outside_of_the_range(reference: Profile) -> None:
    far = pl.datetime(2999, 1, 1)
    rows = good().with_columns(
        pl.when(pl.int_range(pl.len()) == 1).then(far).otherwise("since").alias("since")
    )
    assert found(rows, reference)["since", "out of range"].rows == (1,)


def test_a_stuck_column_is_a_warning_only_where_it_is_strange(reference: Profile) -> None:
    rows = good().with_columns(age=pl.lit(40.0), city=pl.lit("Oslo"), member=pl.lit(value=True))
    findings = found(rows, reference)
    assert {column for column, fault in findings if fault == "constant"} == {
        "age",
        "city",
        "member",
    }
    assert findings["age", "constant"].words.startswith("all 400 values are 40 (at most ")
    assert findings["city", "constant"].severity == "warning"


def test_a_column_that_was_always_constant_is_not_stuck(reference: Profile) -> None:
    assert ("remark", "constant") not in found(good(), reference)


def test_few_equal_values_are_not_stuck(reference: Profile) -> None:
    rows = good(9).with_columns(city=pl.lit("Oslo"))
    assert ("city", "constant") not in found(rows, reference)


def test_a_column_without_any_value_is_an_error(reference: Profile) -> None:
    rows = good().with_columns(pl.lit(None, pl.Float64).alias("age"))
    finding = found(rows, reference)["age", "all missing"]
    assert finding.severity == "error"
    assert finding.words == "every value is missing (0 % in the reference)"


def test_duplicate_rows_are_counted_and_shown(reference: Profile) -> None:
    rows = good(100)
    repeated = pl.concat([rows, rows.head(2), rows.head(1)])
    finding = found(repeated, reference)[None, "duplicate rows"]
    assert (finding.severity, finding.count) == ("note", 3)
    assert finding.rows == (100, 101, 102)
    many = pl.concat([rows, rows])
    assert found(many, reference)[None, "duplicate rows"].severity == "warning"


def test_an_empty_batch(reference: Profile) -> None:
    report = quality(good().head(0).lazy(), SCHEMA, reference=reference)
    assert report.rows == 0
    assert [finding.fault for finding in report.findings] == ["no rows"]


def test_a_batch_of_one_row(reference: Profile) -> None:
    assert found(good(1), reference) == {}


def test_without_a_reference_less_is_known() -> None:
    rows = good().with_columns(city=pl.lit("Oslo"), age=pl.lit(1e12))
    findings = found(rows)
    assert findings["city", "constant"].severity == "note"
    assert ("age", "out of range") not in findings


def test_the_report_names_everything(reference: Profile) -> None:
    rows = good().drop("age").with_columns(city=pl.lit("Oslo"))
    report = quality(rows.lazy(), SCHEMA, reference=reference)
    assert [finding.column for finding in report.errors] == ["age"]
    assert report.summary().splitlines() == [
        "Quality: the data shows 1 error, 1 warning: 'age', 'city' (400 rows, 5 columns)",
        "  error    'age': the column is gone",
        f"  warning  'city': {report.findings[1].words}",
    ]
    plain = report.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


def test_the_picture(reference: Profile) -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    report = quality(good().drop("age").lazy(), SCHEMA, reference=reference)
    assert [label.get_text() for label in report.plot().get_yticklabels()] == ["age: column gone"]
    plt.close("all")
