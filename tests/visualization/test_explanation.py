from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from headrace.errors import SettingError
from headrace.visualization import importance


def columns(ax: Any) -> list[str]:
    return [tick.get_text() for tick in ax.get_yticklabels()]


def test_an_evaluation_and_its_importance_look_the_same() -> None:
    found = SimpleNamespace(
        metric="roc_auc",
        columns=[
            SimpleNamespace(column="little", drop=0.01, low=-0.01, high=0.03),
            SimpleNamespace(column="much", drop=0.2, low=0.1, high=0.3),
        ],
    )
    for result in (found, SimpleNamespace(importance=found)):
        ax = importance(result)
        assert columns(ax) == ["much", "little"]
        assert ax.get_xlabel() == "how much worse roc_auc gets when the column is shuffled"
        assert ax.get_title(loc="right") == "pale: cannot be told from zero"


def test_further_columns_are_counted() -> None:
    ax = importance({f"c{n}": float(n + 1) for n in range(30)})
    assert len(columns(ax)) == 20
    assert ax.get_title(loc="right") == "10 more columns"


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(SettingError, match="needs a column"):
        importance({})
