from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from headrace.errors import SettingError
from headrace.serving.tokens import TokenFile, Tokens

if TYPE_CHECKING:
    from pathlib import Path


def test_a_secret_is_found_and_not_stored(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / "keys" / "tokens.json")
    secret = file.add("Ada", "admin")
    found = file.read().find(secret)
    assert found is not None
    assert (found.name, found.role) == ("Ada", "admin")
    assert secret not in file.path.read_text()
    assert secret[3:] not in file.path.read_text()
    if os.name != "nt":
        assert file.path.stat().st_mode & 0o077 == 0
    assert file.read().find(secret + " ") is None
    assert Tokens(()).find("") is None
    assert file.read().find("\ud800") is None


def test_tokens_come_and_go(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / "tokens.json")
    first, second = file.add("a"), file.add("b")
    assert first != second
    file.remove("a")
    assert file.read().find(first) is None
    assert file.read().find(second) is not None
    with pytest.raises(SettingError, match="there is no token 'a'; there are 'b'"):
        file.remove("a")


def test_odd_tokens_are_refused(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / "tokens.json")
    file.add("a")
    with pytest.raises(SettingError, match="there is a token 'a' already"):
        file.add("a")
    with pytest.raises(SettingError, match="role should be 'predict' or 'admin', received 'root'"):
        file.add("b", "root")
    with pytest.raises(SettingError, match="name should be letters"):
        file.add("b/../c")
    file.path.write_text('[{"name": "x"}]')
    with pytest.raises(SettingError, match="should hold tokens"):
        file.read()
