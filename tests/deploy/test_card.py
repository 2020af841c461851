from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

import headrace as hr
from headrace.data.profile import ColumnProfile, Profile
from headrace.data.schema import Column, Schema
from headrace.deploy.card import model_card

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

SCHEMA = Schema(
    (
        Column("age", "number", missing=("?", "NA")),
        Column("pipe | `tick`\nline", "category", optional=True),
    )
)
ABOUT: dict[str, Any] = {
    "task": "binary", "target": "in*come*", "classes": ["<=50K", ">50K"], "rows": 32561,
    "steps": ["Impute()", "Network([64])"], "portable": True,
    "metrics": {"roc_auc": {"value": 0.9182, "low": 0.912, "high": 0.924}, "loss": 0.31,
                "kappa": {"value": None, "low": None, "high": None}},
}  # fmt: skip


def test_the_front_matter_is_what_tools_expect() -> None:
    _, front, _ = model_card(ABOUT, SCHEMA).split("---\n", 2)
    found = yaml.safe_load(front)
    assert found["library_name"] == "headrace"
    assert found["tags"] == ["tabular", "keras", "onnx"]
    assert found["pipeline_tag"] == "tabular-classification"
    (model,) = found["model-index"]
    assert model["name"] == "in*come*"
    (result,) = model["results"]
    assert result["task"] == {"type": "tabular-classification"}
    assert set(result["dataset"]) == {"type", "name"}
    assert result["metrics"] == [
        {"type": "roc_auc", "value": 0.9182},
        {"type": "loss", "value": 0.31},
    ]


def test_the_front_matter_of_a_card_without_figures_has_no_index() -> None:
    for metrics in ({}, {"kappa": {"value": None}}):
        _, front, _ = model_card(ABOUT | {"metrics": metrics}, SCHEMA).split("---\n", 2)
        assert "model-index" not in yaml.safe_load(front)


def test_the_card_says_where_the_model_is_weak() -> None:
    card = model_card(
        ABOUT
        | {"test_rows": 1234, "calibration": "error *0.01*", "slices": ["job = <b> | x"] * 12},
        SCHEMA,
    )
    assert "Measured on 1,234 rows that the model has not seen." in card
    assert "## Calibration\n\nerror \\*0.01\\*" in card
    assert card.count("- job = \\<b\\> \\| x") == 10


def test_the_card_says_what_is_known() -> None:
    card = model_card(ABOUT, SCHEMA)
    assert "# in\\*come\\*: binary classification" in card
    assert "- training rows: 32,561" in card
    assert "- classes: `<=50K`, `>50K`" in card
    assert "| roc\\_auc | 0.9182 | 0.912 – 0.924 |" in card
    assert "| loss | 0.31 |  |" in card
    assert "| `age` | number | `?`, `NA` |" in card
    assert "| `` pipe \\| `tick` line `` | category | may be absent |" in card
    assert "1. `Impute()`" in card
    assert "hr.Runtime(folder).predict" in card


def test_the_same_model_has_the_same_card() -> None:
    assert model_card(ABOUT, SCHEMA) == model_card(dict(reversed(ABOUT.items())), SCHEMA)


def test_a_card_of_almost_nothing() -> None:
    card = model_card({"portable": False}, Schema(()))
    assert "# A headrace pipeline" in card
    assert "has not been evaluated" in card
    assert "hr.load(folder).predict" in card
    assert "onnx" not in card


def test_hundreds_of_columns_and_classes_are_cut() -> None:
    schema = Schema(tuple(Column(f"c{i}", "number") for i in range(600)))
    card = model_card({"task": "multiclass", "classes": list(range(80))}, schema)
    assert "… and 100 more" in card
    assert "and 30 more" in card


def test_the_card_of_a_pipeline_is_that_of_its_release(
    trained: hr.Pipeline, fresh: pl.DataFrame, tmp_path: Path
) -> None:
    pipe = hr.load(trained.save(tmp_path / "plain"))
    pipe.adopt(replace(pipe.fitted, scores={}), None)
    before = hr.card(pipe)
    assert "has not been evaluated" in before
    evaluation = hr.Evaluate(importance=False).measure(pipe, fresh)
    card = hr.card(pipe)
    assert (pipe.save(tmp_path / "evaluated") / "card.md").read_text("utf-8") == card
    _, front, _ = card.split("---\n", 2)
    (model,) = yaml.safe_load(front)["model-index"]
    figures = {one["type"]: one["value"] for one in model["results"][0]["metrics"]}
    assert figures["roc_auc"] == evaluation.metrics["roc_auc"].value
    assert "## Calibration" in card
    assert evaluation.calibration().sentence()[:20] in card
    assert "- no baselines: a loaded pipeline has no training rows" in card
    ages = next(line for line in card.splitlines() if line.startswith("| `age` |"))
    assert ages.count("|") == 6
    assert "%" in ages
    assert " – " in ages


def test_dates_are_told_as_days_and_words_are_not_told() -> None:
    day = 86_400_000_000.0
    profile = Profile(
        4,
        (
            ColumnProfile("when", "datetime", 4, 1, 3, minimum=-day, maximum=2 * day),
            ColumnProfile("name", "category", 4, 0, 2, values={"Mary": 3, "John": 1}),
        ),
    )
    schema = Schema((Column("when", "datetime"), Column("name", "category"), Column("x", "number")))
    card = model_card({}, schema, profile)
    assert "| `when` | datetime |  | 25.0% | 1969-12-31 – 1970-01-03 |" in card
    assert "| `name` | category |  | 0.0% | 2 values |" in card
    assert "| `x` | number |  |  |  |" in card
    assert "Mary" not in card


def test_verdicts_notes_and_the_threshold_are_told() -> None:
    more = {"verdicts": ["better than <b>"], "notes": ["few rows"], "threshold": 0.25}
    card = model_card(ABOUT | more, SCHEMA)
    assert "## Beside other models\n\n- better than \\<b\\>" in card
    assert card.endswith("before trusting the answers.\n\n- few rows\n")
    assert "- `>50K` above a probability of 0.25" in card


@given(st.text(min_size=1))
def test_any_name_is_read_back_from_the_front_matter(name: str) -> None:
    card = model_card({"task": "regression", "target": name, "metrics": {name: 1.0}}, SCHEMA)
    front = card.removeprefix("---\n").split("\n---\n", 1)[0]
    (model,) = yaml.safe_load(front)["model-index"]
    assert model["name"] == name
    assert model["results"][0]["metrics"] == [{"type": name, "value": 1.0}]
