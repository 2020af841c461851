"""What tuning may try."""

from __future__ import annotations

import pytest

from headrace.errors import SettingError
from headrace.preprocessing.space import Choice, Integer, Real


def test_options_are_kept_in_order() -> None:
    assert Choice(["b", "a"]).options == ("b", "a")
    assert Choice([1]) == Choice((1,))


def test_empty_spaces_are_refused() -> None:
    with pytest.raises(SettingError, match="a Choice needs at least one option"):
        Choice([])
    with pytest.raises(SettingError, match=r"low must not be above high, received Integer\(low=3"):
        Integer(3, 2)
    with pytest.raises(SettingError, match=r"with log=True low must be above 0, received Real"):
        Real(0.0, 1.0, log=True)
