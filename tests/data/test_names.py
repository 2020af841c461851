from __future__ import annotations

import pytest

from headrace.data.names import counts_rows, is_code, is_id


@pytest.mark.parametrize(
    "name",
    ["id", "ID", "user_id", "userId", "PassengerId", "customerID", "order-id", "Id.1", "uuid"],
)
def test_ids(name: str) -> None:
    assert is_id(name)


@pytest.mark.parametrize(
    "name", ["paid", "idea", "video", "identity", "bid", "grid", "", "年龄", "humidity"]
)
def test_no_ids(name: str) -> None:
    assert not is_id(name)


def test_codes_and_row_numbers() -> None:
    assert is_code("Zip Code")
    assert is_code("postcode")
    assert not is_code("encoded")
    assert counts_rows("")
    assert counts_rows("Unnamed: 0")
    assert counts_rows("No")
    assert not counts_rows("number of rooms")
