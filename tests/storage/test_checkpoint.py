"""Checkpoints: pieces that are whole or not there, and folders that know their work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.errors import CheckpointError
from headrace.storage import checkpoint as module
from headrace.storage import files
from headrace.storage.checkpoint import Checkpoint

if TYPE_CHECKING:
    from pathlib import Path

WORK = {"rows": "1f3a", "seed": 0}


def test_a_piece_comes_back_as_it_was(tmp_path: Path) -> None:
    kept = Checkpoint.of_work(tmp_path / "new" / "folder", WORK)
    arrays = {"a/b": np.arange(6, dtype=np.float32).reshape(2, 3), "none": np.zeros((0, 2))}
    document = {"loss": [0.5, None, float("inf")], "größe": 1, "long": np.arange(100)}
    kept.save("epoch-1", document, arrays)
    found = Checkpoint.of_work(tmp_path / "new" / "folder", WORK).load("epoch-1")
    assert found is not None
    assert found.document.pop("long").tolist() == document.pop("long").tolist()  # type: ignore[attr-defined]
    assert found.document == document
    assert {name: array.tolist() for name, array in found.arrays.items()} == {
        name: array.tolist() for name, array in arrays.items()
    }
    assert found.arrays["a/b"].dtype == np.float32


def test_pieces_are_listed_and_let_go(tmp_path: Path) -> None:
    kept = Checkpoint(tmp_path / "folder")
    assert kept.names() == []
    for name in ("b", "a"):
        kept.save(name, None)
    assert kept.names() == ["a", "b"]
    kept.remove("a")
    kept.remove("never there")
    assert kept.names() == ["b"]


def test_parts_have_folders_of_their_own(tmp_path: Path) -> None:
    kept = Checkpoint.of_work(tmp_path, WORK)
    kept.part("tabm-1").save("done", 1)
    assert kept.names() == []
    assert kept.part("tabm-1").names() == ["done"]


def test_other_work_is_refused_and_told_apart(tmp_path: Path) -> None:
    Checkpoint.of_work(tmp_path, WORK)
    with pytest.raises(CheckpointError, match="it differs in rows, steps. Go on with"):
        Checkpoint.of_work(tmp_path, {"rows": "other", "seed": 0, "steps": 3})


def test_a_damaged_piece_counts_as_none(tmp_path: Path) -> None:
    kept = Checkpoint(tmp_path)
    kept.save("piece", {"a": 1}, {"x": np.ones(3)})
    path = tmp_path / "piece.npz"
    path.write_bytes(path.read_bytes()[:-30])
    assert kept.load("piece") is None


def test_a_full_disk_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing_disk: Any
) -> None:
    kept = Checkpoint.of_work(tmp_path, WORK)
    kept.save("piece", "old")
    counting = failing_disk()
    monkeypatch.setattr(files, "disk", counting)
    kept.save("piece", "old")
    steps = counting.calls
    assert steps > 3
    for step in range(1, steps + 1):
        monkeypatch.setattr(files, "disk", failing_disk(step, torn=True))
        with pytest.raises(CheckpointError, match="cannot be written: no space left on device"):
            kept.save("piece", "new")
        found = kept.load("piece")
        assert found is not None
        assert found.document in ("old", "new")


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot be written: .*give a folder that can be"):
        Checkpoint.of_work(tmp_path / "file" / "folder", WORK)
    assert module.Checkpoint is Checkpoint
