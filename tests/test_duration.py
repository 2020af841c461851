"""Times as people write them."""

from __future__ import annotations

import pytest

from headrace.duration import seconds
from headrace.errors import SettingError


def test_times_are_read() -> None:
    assert seconds("90s") == 90
    assert seconds("1.5h") == 5400
    assert seconds(2) == 2


@pytest.mark.parametrize(("time", "text"), [("soon", "not 'soon'"), (0, "above 0"), (-1.0, "-1.0")])
def test_what_is_no_time_is_refused(time: object, text: str) -> None:
    with pytest.raises(SettingError, match=text):
        seconds(time)  # type: ignore[arg-type]
