"""The steps that are taken when none are given."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import headrace as hr
from headrace.data.conform import conform
from headrace.data.schema import Column, Schema
from headrace.plan.plan import schema_columns
from headrace.preprocessing.defaults import default_steps, steps_code
from headrace.preprocessing.diagram import diagram
from headrace.preprocessing.fit import fit_steps


def schema(*kinds: Any) -> Schema:
    return Schema(tuple(Column(f"{kind}_{place}", kind) for place, kind in enumerate(kinds)))


def names(*kinds: Any) -> list[str]:
    return [type(step).__name__ for step in default_steps(schema(*kinds))]


def test_steps_follow_from_the_kinds() -> None:
    assert names("number") == ["DropConstant", "Impute", "Quantile"]
    assert names("boolean") == ["DropConstant", "Impute"]
    assert names("category") == ["DropConstant", "Encode"]
    assert names("datetime") == ["DropConstant", "Dates", "Quantile"]
    every = ("number", "boolean", "category", "datetime", "text", "id")
    assert names(*every) == [
        *("Drop", "Drop", "DropConstant", "Encode", "Impute", "Dates", "Quantile")
    ]


def test_what_is_left_out_is_left_out_for_a_reason() -> None:
    ids, texts = default_steps(schema("text", "id"))[:2]
    assert ids.get_params()["reason"] == "an id says nothing about new rows"
    assert texts.get_params()["reason"] == "free text needs a text model"


def test_the_defaults_need_two_scans_and_end_in_features() -> None:
    kinds = schema("number", "boolean", "category", "datetime", "text", "id")
    frame = conform(
        pl.LazyFrame(
            {
                "number_0": [1.0, None, 3.0, 4.0] * 10,
                "boolean_1": [True, False, None, True] * 10,
                "category_2": ["a", "b", "", "a"] * 10,
                "datetime_3": ["2024-01-01", "2024-02-03", None, "2024-12-31"] * 10,
                "text_4": ["some words"] * 40,
                "id_5": [f"id {place}" for place in range(40)],
            }
        ),
        kinds,
    ).collect()
    fitted = fit_steps(frame, schema_columns(kinds), default_steps(kinds))
    assert fitted.scans == 2
    features = fitted.plan.features(fitted.rows.lazy().collect())
    assert len(features) == 40
    assert "category_2" in fitted.plan.spec.categories
    assert {"number_0_missing", "datetime_3_missing"} <= set(fitted.plan.spec.numbers)


def test_the_code_runs() -> None:
    steps = [
        *default_steps(schema("number", "category", "id")),
        hr.transform.Derive(a=hr.col("x") / 2),
        hr.normalize.Standardize(columns=hr.numbers() - "age"),
        hr.KMeans(3, random_state=0),
    ]
    code = steps_code(steps)
    made: dict[str, Any] = {}
    exec(code, made)
    assert [repr(step) for step in made["steps"]] == [repr(step) for step in steps]
    assert code.startswith("import headrace as hr\nfrom headrace import KMeans, clean,")


def test_no_steps_are_code_too() -> None:
    assert steps_code([]) == "steps = [\n]"


@pytest.mark.parametrize("learnt", [(), ("kept <all>",)])
def test_diagrams_escape_what_they_show(learnt: tuple[str, ...]) -> None:
    step = hr.clean.Replace({"<script>": "&"})
    picture = diagram([step], learnt)
    assert "<script>" not in picture
    assert "&lt;script&gt;" in picture
    assert ("kept &lt;all&gt;" in picture) == bool(learnt)
    assert '<td class="given">mapping</td>' in picture
    assert '<td class="left">columns</td>' in picture


def test_a_diagram_of_nothing_says_so() -> None:
    assert "no steps yet" in diagram([])
