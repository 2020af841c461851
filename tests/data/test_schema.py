from __future__ import annotations

import json

import pytest

from headrace.data.schema import KINDS, Column, Schema
from headrace.errors import DataError, SettingError

ODD_NAMES = [
    "Größe",
    "年龄",
    "a b",
    'quo"te',
    "it's",
    "dot.ted",
    "new\nline",
    "",
    "<b>&",
    "tab\t",
    "😀",
]


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        ("number", "number"),
        ("boolean", "number"),
        ("category", "string"),
        ("text", "string"),
        ("id", "string"),
        ("datetime", "time"),
    ],
)
def test_each_kind_has_its_canonical_type(kind: str, type_: str) -> None:
    assert Column("x", kind).type == type_  # type: ignore[arg-type]


def test_blocks_follow_the_order_of_the_schema() -> None:
    kinds = ["category", "number", "datetime", "id", "boolean", "text"]
    schema = Schema(tuple(Column(f"c{i}", kind) for i, kind in enumerate(kinds)))  # type: ignore[arg-type]
    assert schema.numbers == ("c1", "c4")
    assert schema.strings == ("c0", "c3", "c5")
    assert schema.times == ("c2",)
    assert len(schema) == 6
    assert [column.name for column in schema] == list(schema.names)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_round_trip_keeps_everything(name: str) -> None:
    schema = Schema(
        (
            Column(
                name, "boolean", missing=("?", "ü"), true=("ja",), false=("nein",), optional=True
            ),
            Column(name + "2", "datetime", reason="'x'", format="%d/%m/%Y"),
            Column(name + "3", "number"),
        )
    )
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema


@pytest.mark.parametrize("name", ODD_NAMES)
def test_every_column_has_one_line_and_no_markup_of_its_own(name: str) -> None:
    schema = Schema(
        (Column(name, "number", reason="<script>alert(1)</script>\n"), Column("b", "id"))
    )
    assert len(schema.summary().splitlines()) == 3
    page = schema._repr_html_()
    assert "<script>" not in page
    assert page.count("<tr>") == 3
    assert "<b>" not in page
    assert str(schema) == schema.summary()


def test_select_without_and_replace() -> None:
    schema = Schema((Column("a", "number"), Column("b", "id"), Column("c", "text")))
    assert schema.select(["c", "a"]).names == ("c", "a")
    assert schema.without(["a", "no such"]).names == ("b", "c")
    assert schema.replace(Column("b", "category")).strings == ("b", "c")
    assert "a" in schema
    assert 1 not in schema


def test_an_absent_name_is_refused_with_the_nearest() -> None:
    schema = Schema((Column("income", "number"), Column("age", "number")))
    with pytest.raises(
        DataError, match=r"column 'incme': the schema has no such column. Did you mean 'income'\?"
    ):
        schema["incme"]
    with pytest.raises(DataError, match=r"2 problems:(.|\n)*'agee'(.|\n)*'zzz'"):
        schema.select(["agee", "zzz"])


def test_names_may_not_repeat() -> None:
    with pytest.raises(SettingError, match="two columns of the schema are called 'a'"):
        Schema((Column("a", "number"), Column("a", "id")))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"kind": "nummer"}, r"there is no kind 'nummer'; did you mean 'number'\? The kinds are"),
        ({"kind": "zzz"}, r"there is no kind 'zzz'\. The kinds are number, boolean"),
        ({"kind": "number", "missing": "NA"}, r"missing must be a tuple of text, received 'NA'"),
        ({"kind": "number", "missing": (1,)}, r"missing must be a tuple of text, received \(1,\)"),
        ({"kind": "number", "true": ("y",)}, "true= and false= are for kind boolean, not number"),
        ({"kind": "boolean", "true": ("y",)}, "must both be given and share no spelling"),
        ({"kind": "boolean", "true": ("y",), "false": ("y",)}, "must both be given and share no"),
        ({"kind": "number", "format": "%Y"}, "format= is for kind datetime, not number"),
        (
            {"kind": "datetime", "format": "%Q"},
            r"column 'x': the date format holds '%Q'; usable are",
        ),
        ({"kind": "datetime", "format": "%d/%m"}, "must hold one year and no part twice"),
        ({"kind": "datetime", "format": "%Y %Y"}, "must hold one year and no part twice"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, object], text: str) -> None:
    with pytest.raises(SettingError, match=text):
        Column("x", **settings)  # type: ignore[arg-type]


def test_a_name_must_be_text_and_no_pattern() -> None:
    for name in ("*", "^x.*$"):
        with pytest.raises(SettingError, match="is a pattern to Polars; rename the column"):
            Column(name, "number")
    with pytest.raises(SettingError, match="a column's name must be text, received 1"):
        Column(1, "number")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values",
    [{}, {"columns": 1}, {"columns": [], "more": 1}, {"columns": [{"name": "a"}]},
     {"columns": [{"name": "a", "kind": "number", "code": "import os"}]}],
)  # fmt: skip
def test_a_description_of_something_else_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(SettingError, match="is described by"):
        Schema.from_dict(values)


def test_all_kinds_are_listed() -> None:
    assert set(KINDS) == {"number", "boolean", "category", "datetime", "text", "id"}
