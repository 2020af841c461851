from __future__ import annotations

from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest

from headrace.errors import SettingError
from headrace.visualization import drift, drifted_columns, quality


def test_drifted_columns_stand_on_top(drifted: Any) -> None:
    ax = drift(drifted)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["age", "city", "same"]
    assert ax.get_title(loc="right") == "2 of 3 columns drifted"
    assert ax.lines[0].get_xdata() == [0.05, 0.05]


def test_each_drifted_column_shows_both_shares(drifted: Any) -> None:
    ax = drifted_columns(drifted)
    _, age, city = ax.figure.axes
    assert [text.get_text() for text in age.get_legend().get_texts()] == ["reference", "new rows"]
    assert [bar.get_width() for bar in city.patches] == [0.3, 0.7, 0.8, 0.2]
    assert [tick.get_text() for tick in city.get_yticklabels()] == ["y", "x"]
    ax.figure.savefig(BytesIO())


def test_no_drift_can_be_drawn_too(drifted: Any) -> None:
    calm = SimpleNamespace(columns=drifted.columns[2:])
    assert drift(calm).get_title(loc="right") == "0 of 1 columns drifted"
    assert drifted_columns(calm).get_title(loc="left") == "No column drifted"
    with pytest.raises(SettingError, match="needs a column"):
        drift(SimpleNamespace(columns=[]))


def test_findings_stand_with_the_worst_on_top() -> None:
    findings = [
        SimpleNamespace(severity="error", column="a$e", fault="column gone", count=50),
        SimpleNamespace(severity="note", column=None, fault="duplicate rows", count=5),
    ]
    ax = quality(SimpleNamespace(rows=50, findings=findings))
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names == [r"a\$e: column gone", "rows: duplicate rows"]
    assert [c.get_offsets()[0, 0] for c in ax.collections[1::2]] == [1.0, 0.1]
    calm = quality(SimpleNamespace(rows=0, findings=[]))
    assert calm.get_title(loc="right") == "nothing is wrong"
    calm.figure.savefig(BytesIO())
