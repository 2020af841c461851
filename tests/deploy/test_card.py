from __future__ import annotations

from typing import Any

import yaml

from headrace.data.schema import Column, Schema
from headrace.deploy.card import model_card

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
