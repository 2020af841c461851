from __future__ import annotations

import numpy as np
import pytest

from headrace.conformal.groups import GroupColumn, Groups, lots
from headrace.data.rows import Blocks, RowDoor
from headrace.data.schema import Column, Schema
from headrace.errors import SettingError

SCHEMA = Schema(
    (
        Column("region", "category"),
        Column("age", "number"),
        Column("member", "boolean"),
        Column("joined", "datetime"),
    )
)


def blocks(*rows: tuple[object, ...]) -> Blocks:
    return RowDoor(SCHEMA)([dict(zip(SCHEMA.names, row, strict=True)) for row in rows])


ROWS = blocks(
    *[("north", 20 + i % 3, True, "2024-01-01") for i in range(30)],
    *[("süd 中", 40, None, "2024-01-01") for _ in range(20)],
    *[(None, None, False, None) for _ in range(5)],
)


def test_words_that_are_frequent_are_groups_and_others_have_none() -> None:
    groups = Groups.of(["region"], SCHEMA, ROWS, least=10)
    assert groups.labels == ("region north", "region süd 中")
    codes = groups.codes(SCHEMA, blocks(("süd 中", 1, True, None), ("west", 1, True, None)))
    assert codes.tolist() == [1, -1]


def test_gaps_are_a_group_of_their_own() -> None:
    groups = Groups.of(["region", "member"], SCHEMA, ROWS, least=5)
    assert groups.labels == (
        "region missing, member false",
        "region north, member true",
        "region süd 中, member missing",
    )


def test_few_numbers_are_groups_each() -> None:
    groups = Groups.of(["age"], SCHEMA, ROWS, least=1)
    assert groups.labels == ("age 20", "age 21", "age 22", "age 40", "age missing")
    assert groups.codes(SCHEMA, blocks(("x", 21.5, True, None))).tolist() == [-1]


def test_many_numbers_are_divided_in_fifths() -> None:
    column = GroupColumn.of(Column("age", "number"), np.arange(100.0), least=10)
    assert column.labels[0] == "up to 19.8"
    assert column.labels[-2:] == ("above 79.2", "missing")
    assert column.codes(np.array([-5.0, 19.8, 20.0, 500.0, np.nan])).tolist() == [0, 0, 1, 4, 5]


def test_dates_are_no_groups() -> None:
    with pytest.raises(SettingError, match="'joined' of by holds dates, which are no groups"):
        Groups.of(["joined"], SCHEMA, ROWS, least=1)


def test_a_million_levels_are_no_groups_and_cost_nothing() -> None:
    words = np.array([f"w{i}" for i in range(100_000)], dtype=object)
    column = GroupColumn.of(Column("id", "category"), words, least=50)
    assert column.levels == ()
    assert (column.codes(words[:5]) == -1).all()


def test_groups_are_plain_values_and_come_back() -> None:
    groups = Groups.of(["region", "age"], SCHEMA, ROWS, least=3)
    assert Groups.from_dict(groups.to_dict()) == groups


def test_lots_follow_from_the_row_alone_and_look_drawn() -> None:
    rows = [("ñ", float(i), i % 2 == 0, "2024-01-01") for i in range(2000)]
    found = lots(SCHEMA, blocks(*rows))
    assert np.array_equal(lots(SCHEMA, blocks(*rows[700:900])), found[700:900])
    assert ((found >= 0) & (found < 1)).all()
    assert abs(found.mean() - 0.5) < 0.03
    assert len(np.unique(found)) == 2000
    assert np.histogram(found, 10, (0, 1))[0].min() > 150


def test_columns_that_may_be_absent_have_no_part_in_lots() -> None:
    loose = Schema((*SCHEMA.columns, Column("note", "category", optional=True)))
    full = RowDoor(loose)([dict(zip(loose.names, ("a", 1, True, None, "x"), strict=True))])
    bare = RowDoor(loose)([dict(zip(SCHEMA.names, ("a", 1, True, None), strict=True))])
    assert lots(loose, full) == lots(loose, bare)


def test_lots_do_not_see_how_zero_and_gaps_are_written() -> None:
    first, second = lots(SCHEMA, blocks(("a", 0.0, True, None), ("a", -0.0, True, None)))
    assert first == second
    assert lots(SCHEMA, blocks(("a", None, True, None))) == lots(
        SCHEMA, blocks(("a", float("nan"), True, None))
    )
