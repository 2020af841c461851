from __future__ import annotations

from typing import TYPE_CHECKING

import optuna
import pytest

from headrace.errors import SettingError
from headrace.tune.storage import opened

if TYPE_CHECKING:
    from pathlib import Path


def test_the_file_and_its_folder_are_made(tmp_path: Path) -> None:
    path = tmp_path / "studies" / "one.db"
    with opened(path) as storage:
        optuna.create_study(storage=storage, study_name="kept")
    assert path.exists()
    with opened(str(path)) as storage:
        assert [one.study_name for one in storage.get_all_studies()] == ["kept"]


def test_only_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "one.db"
    busy = "another process is tuning the study in .*one.db: wait for it to end"
    with opened(path), pytest.raises(SettingError, match=busy), opened(path):
        pass
    with opened(path):
        pass


def test_another_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, not a study")
    with pytest.raises(SettingError, match=r"notes.txt is not a stored study"), opened(path):
        pass
    assert path.read_text().startswith("these are my notes")


def test_without_a_path_it_is_memory() -> None:
    with opened(None) as storage:
        assert isinstance(storage, optuna.storages.InMemoryStorage)
