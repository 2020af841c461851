from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from headrace.data.conform import conform
from headrace.data.infer import infer_schema
from headrace.data.profile import ColumnProfile, Profile, profile
from headrace.data.schema import KINDS, MISSING_TIME, Column, Schema
from headrace.data.source import read
from headrace.errors import DataError, SettingError

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400_000_000


def profile_of(kind: str, values: object) -> ColumnProfile:
    schema = Schema((Column("x", kind),))  # type: ignore[arg-type]
    return profile(conform(read({"x": values}), schema), schema)["x"]


def test_numbers() -> None:
    column = profile_of("number", [1.0, 2.0, 2.0, 4.0, None])
    assert (column.rows, column.missing, column.distinct) == (5, 1, 3)
    assert (column.mean, column.variance) == (2.25, 1.1875)
    assert (column.minimum, column.maximum) == (1.0, 4.0)
    assert column.edges == (1.0, 1.5, 3.0, 4.0)
    assert column.counts == (1, 2, 1)
    assert (column.values, column.other) == ({}, 0)


def test_categories() -> None:
    column = profile_of("category", ["b", "a", "b", None, "", "c"])
    assert (column.rows, column.missing, column.distinct, column.other) == (6, 2, 3, 0)
    assert list(column.values.items()) == [("b", 2), ("a", 1), ("c", 1)]
    assert column.edges == ()
    assert column.mean is None


def test_the_values_of_a_category_are_capped() -> None:
    column = profile_of("category", [f"v{i % 300:03}" for i in range(900)] + ["top"])
    assert column.distinct == 301
    assert len(column.values) == 200
    assert next(iter(column.values.items())) == ("v000", 3)
    assert column.other == 901 - 600
    assert (
        "v198" in column.values
    )  # among equals the alphabet decides, so that it is the same again


def test_booleans_dates_texts_and_ids() -> None:
    flag = profile_of("boolean", [True, False, None, True])
    assert flag.counts == (1, 2)
    assert flag.mean == pytest.approx(2 / 3)
    day = profile_of("datetime", ["1970-01-02", None, "1970-01-04"])
    assert (day.minimum, day.maximum, day.missing) == (DAY, 3 * DAY, 1)
    assert day.counts == (1, 1)
    for kind in ("text", "id"):
        words = profile_of(kind, ["a", "b", None])
        assert (words.missing, words.distinct, words.other, words.values) == (1, 2, 2, {})


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_without_values(kind: str) -> None:
    column = profile_of(kind, [None, None])
    assert (column.rows, column.missing, column.distinct) == (2, 2, 0)
    assert column.mean is None
    assert column.edges == ()
    assert "no value" in Profile(2, (column,)).summary()


@pytest.mark.parametrize("values", [[3.0], [3.0] * 5, [0.0, -0.0], [1e308, -1e308], [5e-324, 0.0]])
def test_constant_and_extreme_numbers(values: list[float]) -> None:
    column = profile_of("number", values)
    assert sum(column.counts) == len(values)
    assert len(column.edges) == len(column.counts) + 1
    json.dumps(column.to_dict(), allow_nan=False)


@pytest.fixture(scope="module")
def table() -> tuple[pl.LazyFrame, Schema]:
    rng = np.random.default_rng(0)
    n = 5_000
    raw = {
        "Größe": rng.normal(size=n),
        "zeros": np.where(rng.random(n) < 0.9, 0, rng.integers(1, 1000, n)),
        "gaps": np.where(rng.random(n) < 0.3, np.nan, rng.random(n)),
        "day": pl.Series(rng.integers(0, 10**15, n)).cast(pl.Datetime("us")),
        "city": pl.Series(rng.integers(0, 400, n)).cast(pl.String) + "'\n",
        "name of": [f"Ada Lovelace {i}" for i in range(n)],
        "member_id": np.arange(n),
        "flag": rng.random(n) < 0.5,
    }
    frame = read(raw)
    schema = infer_schema(frame)
    return conform(frame, schema), schema


def test_counts_agree_with_numpy(table: tuple[pl.LazyFrame, Schema]) -> None:
    frame, schema = table
    rows = frame.collect()
    for column in profile(frame, schema).columns:
        held = rows[column.name]
        if schema[column.name].type == "string":
            present = held.filter(held != "")
            assert column.other + sum(column.values.values()) == present.len()
            continue
        values = held.filter(held != MISSING_TIME).to_numpy().astype(float)
        values = values[~np.isnan(values)]
        assert column.missing == 5_000 - len(values)
        inner = np.array(column.edges[1:-1])
        assert column.counts == tuple(
            np.bincount(np.searchsorted(inner, values), minlength=len(inner) + 1)
        )
        assert column.mean == pytest.approx(values.mean(), rel=1e-12)
        assert column.variance == pytest.approx(values.var(), rel=1e-9)
        assert (column.edges[0], column.edges[-1]) == (values.min(), values.max())


def test_the_round_trip_is_exact(table: tuple[pl.LazyFrame, Schema]) -> None:
    reference = profile(*table)
    text = json.dumps(reference.to_dict(), allow_nan=False)
    assert Profile.from_dict(json.loads(text)) == reference


def test_a_scan_gives_the_same(table: tuple[pl.LazyFrame, Schema], tmp_path: Path) -> None:
    frame, schema = table
    frame.collect().write_parquet(tmp_path / "t.parquet")
    for one, other in zip(
        profile(frame, schema).columns,
        profile(read(tmp_path / "t.parquet"), schema).columns,
        strict=True,
    ):
        assert (one.missing, one.counts, one.edges, one.values) == (
            other.missing, other.counts, other.edges, other.values,
        )  # fmt: skip
        assert other.distinct == pytest.approx(one.distinct, rel=0.2)


def test_every_column_has_one_line(table: tuple[pl.LazyFrame, Schema]) -> None:
    text = profile(*table).summary()
    lines = text.splitlines()
    assert lines[0] == "5,000 rows, 8 columns"
    assert len(lines) == 10
    assert "Größe" in text
    assert "true 49.9%" in text
    assert "1970-" in text


def test_the_plot_is_drawn_by_visualization(
    table: tuple[pl.LazyFrame, Schema], monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = profile(*table)
    fake = SimpleNamespace(distributions=lambda result, ax: (result, ax))
    monkeypatch.setitem(__import__("sys").modules, "headrace.visualization", fake)
    assert reference.plot("axes") == (reference, "axes")  # type: ignore[arg-type, comparison-overlap]


def test_what_cannot_be() -> None:
    schema = Schema((Column("x", "number"),))
    with pytest.raises(DataError, match="the table is empty: it has no rows"):
        profile(pl.LazyFrame({"x": pl.Series([], dtype=pl.Float64)}), schema)
    reference = profile(pl.LazyFrame({"x": [1.0]}), schema)
    with pytest.raises(DataError, match="column 'y': the profile has no such column"):
        reference["y"]
    with pytest.raises(SettingError, match="a profile has rows and columns, received"):
        Profile.from_dict({"rows": 1})
    with pytest.raises(SettingError, match=r"a column profile has .* received \['name'\]"):
        ColumnProfile.from_dict({"name": "x"})
    with pytest.raises(SettingError, match="column 'x': there is no kind 'code'"):
        ColumnProfile.from_dict(reference["x"].to_dict() | {"kind": "code"})


def test_nan_is_missing_and_never_a_value() -> None:
    assert math.isclose(profile_of("number", [1.0, float("nan"), 3.0]).mean or 0, 2.0)
