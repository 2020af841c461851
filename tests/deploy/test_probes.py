from __future__ import annotations

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from headrace.data.conform import conform, to_blocks
from headrace.data.rows import RowDoor
from headrace.data.schema import Column, Schema
from headrace.data.source import read
from headrace.deploy.probes import probe_rows
from headrace.errors import SettingError

if TYPE_CHECKING:
    from headrace.data.profile import Profile

SCHEMA = Schema(
    (
        Column("age", "number"),
        Column("member", "boolean"),
        Column("smoker", "boolean", true=("ja",), false=("nein",)),
        Column("city", "category"),
        Column("joined", "datetime"),
        Column("day", "datetime", format="%d.%m.%Y"),
        Column("stamp", "datetime", format="unix ms"),
    )
)


def profile(**ranges: tuple[float, float]) -> Profile:
    columns = [SimpleNamespace(name=n, minimum=a, maximum=b) for n, (a, b) in ranges.items()]
    return SimpleNamespace(columns=columns)  # type: ignore[return-value]


def values(rows: list[dict[str, Any]], name: str) -> list[Any]:
    return [row[name] for row in rows]


def test_every_column_is_missing_somewhere_and_everywhere_at_once() -> None:
    rows = probe_rows(SCHEMA)
    assert rows[0] == dict.fromkeys(SCHEMA.names)
    for name in SCHEMA.names:
        assert any(row[name] is None and sum(v is None for v in row.values()) == 1 for row in rows)


def test_odd_values_are_there() -> None:
    rows = probe_rows(SCHEMA, profile(age=(0.0, 90.0)))
    assert {0.0, 90.0, -90.0, 180.0, 45.0} <= set(values(rows, "age"))
    assert {"never seen", "日本語", "", " padded "} <= set(values(rows, "city"))
    assert {"1969-07-20T20:17:40", "2000-02-29T12:00:00"} <= set(values(rows, "joined"))
    assert "20.07.1969" in values(rows, "day")
    assert -14182940000 in values(rows, "stamp")
    assert {"ja", "nein"} <= set(values(rows, "smoker"))


def test_the_reach_limits_how_far_numbers_go() -> None:
    near = probe_rows(SCHEMA, profile(age=(10.0, 20.0)), reach=0.0)
    assert all(10 <= value <= 20 for value in values(near, "age") if value is not None)
    far = probe_rows(SCHEMA, profile(age=(10.0, 20.0)), reach=1000.0)
    assert max(value for value in values(far, "age") if value is not None) == 10_020
    with pytest.raises(SettingError, match="reach must not be negative"):
        probe_rows(SCHEMA, reach=-1)


@pytest.mark.parametrize(
    ("name", "sample", "kind"),
    [("age", 39, int), ("age", "39.5", str), ("age", 39.5, float), ("city", 7, int),
     ("city", "Oslo", str), ("joined", datetime(2024, 1, 1, tzinfo=UTC), datetime),
     ("joined", date(2024, 1, 1), date), ("joined", "2024-01-31", str),
     ("stamp", "1700000000000", str), ("stamp", 1700000000000, int), ("member", 1, int)],
)  # fmt: skip
def test_probes_are_of_the_type_of_the_rows(name: str, sample: Any, kind: type) -> None:
    rows = probe_rows(SCHEMA, None, [{name: sample}])
    found = [value for value in values(rows, name) if value is not None]
    assert len(found) > 1
    assert {type(value) for value in found} == {kind}


def test_a_column_that_is_never_filled_needs_no_profile() -> None:
    empty: Any = {"age": (None, None)}
    rows = probe_rows(SCHEMA, profile(**empty), [{"age": float("nan")}, {"age": None}])
    assert {0.0, 1.0, -1.0} <= set(values(rows, "age"))


def test_both_doors_take_the_probes_and_agree() -> None:
    samples = [{"age": 30.5, "member": True, "smoker": "ja", "city": "Oslo",
                "joined": "2024-01-01T00:00:00", "day": "01.02.2003", "stamp": 10**12}]  # fmt: skip
    for ordinary in ([], samples):
        rows = [*ordinary, *probe_rows(SCHEMA, profile(age=(0.0, 90.0)), ordinary)]
        slow = to_blocks(conform(read(rows), SCHEMA).collect(), SCHEMA)
        for ours, theirs in zip(RowDoor(SCHEMA)(rows), slow, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert isinstance(read(samples), pl.LazyFrame)
