"""The result of a training: as text, as values, as a picture."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headrace.errors import SettingError
from headrace.train.result import TrainResult


def make_result(**more: Any) -> TrainResult:
    values: dict[str, Any] = {
        "rows": 31_258,
        "validation_rows": 7_815,
        "columns": 14,
        "numbers": 6,
        "categories": 8,
        "model": "tabm",
        "parameters": 69_000,
        "target": "income",
        "task": "binary",
        "history": {"loss": [0.5, 0.3, 0.2], "val_loss": [0.4, 0.35, 0.36]},
        "best_epoch": 2,
        "seconds": {"read": 0.5, "model": 20.0},
        "learnt": {"clean.Impute()": "medians of 2 columns"},
        "notes": ("3 rows have no target",),
    }
    return TrainResult(**{**values, **more})


def test_the_summary_tells_each_fact_once() -> None:
    assert make_result().summary().splitlines() == [
        "rows        31,258 to learn from, 7,815 to decide when to stop",
        "columns     14, as 6 number and 8 category features",
        "model       tabm with 69,000 parameters for 'income' (binary)",
        "epochs      3, the best was 2: loss 0.3, val_loss 0.35",
        "seconds     20.5: read 0.5, model 20.0",
        "learnt      clean.Impute(): medians of 2 columns",
        "note        3 rows have no target",
    ]
    assert "31,258 to learn from" in make_result()._repr_html_()


def test_steps_alone_have_a_short_summary() -> None:
    result = TrainResult(rows=10, columns=2, numbers=2)
    assert result.summary().splitlines() == [
        "rows        10 to learn from",
        "columns     2, as 2 number and 0 category features",
    ]
    assert (result.epochs, result.best) == (0, {})
    with pytest.raises(SettingError, match="no epochs, so there is no loss to draw"):
        result.plot()


def test_the_values_go_through_json() -> None:
    values = json.loads(json.dumps(make_result().to_dict()))
    assert values["epochs"] == 3
    assert values["history"]["val_loss"] == [0.4, 0.35, 0.36]
    assert values["notes"] == ["3 rows have no target"]


def test_the_picture_has_both_curves() -> None:
    axes = make_result().plot()
    assert {"training", "validation"} <= {line.get_label() for line in axes.get_lines()}
