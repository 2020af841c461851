from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.deploy.release import Limits, read_release, write_release
from headrace.errors import ReleaseError
from headrace.storage import files
from headrace.storage.documents import canonical_json

if TYPE_CHECKING:
    from pathlib import Path

PARTS: dict[str, Any] = {
    "schema.json": {"columns": []},
    "plan.json": {"nodes": [{"knots": np.arange(100.0), "fill": float("nan")}]},
    "weights.npz": {"00000": np.ones((2, 3), np.float32)},
    "arrays/extra.npy": np.arange(5),
    "model.onnx": b"\x08\x08not a real graph",
    "card.md": "# Größe\n",
}


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_release(tmp_path / "model", PARTS, notes={"task": "binary"})
    return tmp_path / "model"


def test_a_release_is_read_as_it_was_written(folder: Path) -> None:
    release = read_release(folder)
    assert release.path == folder
    assert release.notes == {"task": "binary"}
    assert release.document("schema.json") == {"columns": []}
    node = release.document("plan.json")["nodes"][0]
    np.testing.assert_array_equal(node["knots"], np.arange(100.0))
    assert np.isnan(node["fill"])
    np.testing.assert_array_equal(release.arrays()["00000"], np.ones((2, 3)))
    np.testing.assert_array_equal(release.array("arrays/extra.npy"), np.arange(5))
    assert release.bytes("model.onnx") == PARTS["model.onnx"]
    assert release.text() == "# Größe\n"
    assert "plan.json" in release
    assert "arrays" in release
    assert "saved_model" not in release
    assert release.sizes["card.md"] == len("# Größe\n".encode())
    assert release.version in repr(release)
    assert {"python", "numpy"} <= release.manifest["environment"].keys()


def test_nothing_in_a_release_is_a_pickle(folder: Path) -> None:
    for content in snapshot(folder).values():
        assert not content.startswith(b"\x80")
        assert b"pickle" not in content


def test_the_version_is_that_of_the_content(tmp_path: Path) -> None:
    first = write_release(tmp_path / "a", PARTS)
    again = write_release(tmp_path / "b", dict(reversed(PARTS.items())))
    other = write_release(tmp_path / "c", PARTS | {"card.md": "# Groesse\n"})
    noted = write_release(tmp_path / "d", PARTS, notes={"task": "regression"})
    assert len(first.version) == 16
    assert first.version == again.version
    assert len({first.version, other.version, noted.version}) == 3


def test_the_version_leaves_the_saved_model_out_which_holds_random_names(tmp_path: Path) -> None:
    def saved(text: str) -> Any:
        def write(folder: Path) -> None:
            folder.mkdir()
            (folder / "saved_model.pb").write_text(text)

        return write

    versions = {
        write_release(tmp_path / text, PARTS | {"saved_model": saved(text)}).version
        for text in ("one", "two")
    }
    assert len(versions) == 1


def test_folders_and_files_are_copied_in(tmp_path: Path) -> None:
    (tmp_path / "from" / "variables").mkdir(parents=True)
    (tmp_path / "from" / "variables" / "data").write_bytes(b"1")
    (tmp_path / "graph").write_bytes(b"2")
    parts = {"saved_model": tmp_path / "from", "model.onnx": tmp_path / "graph"}
    release = write_release(tmp_path / "model", parts)
    assert release.bytes("saved_model/variables/data") == b"1"
    assert release.bytes("model.onnx") == b"2"


def test_a_release_is_replaced_by_another(folder: Path) -> None:
    before = read_release(folder).version
    write_release(folder, PARTS | {"card.md": "new"})
    assert read_release(folder).version != before
    assert names(folder.parent) == ["model"]


def test_an_empty_folder_may_become_a_release_and_any_other_not(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_release(tmp_path / "empty", PARTS)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(ReleaseError, match="thesis exists and is not a release; choose another"):
        write_release(tmp_path / "thesis", PARTS)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [("model.pkl", b"", "a pickle can run code"), ("../model.onnx", b"", "not a path inside"),
     ("/tmp/model.onnx", b"", "not a path inside"), ("train.py", b"", "a release has no such file"),
     ("arrays/a/b.npy", np.zeros(1), "a release has no such file"),
     ("card.md", object(), "a object cannot be stored"), ("a.npz", np.zeros(1), "a ndarray cannot"),
     ("plan.json", {"f": print}, r"plan\.f: a release holds")],
)  # fmt: skip
def test_parts_that_do_not_belong_are_refused(
    tmp_path: Path, name: str, content: Any, text: str
) -> None:
    with pytest.raises(ReleaseError, match=text):
        write_release(tmp_path / "model", PARTS | {name: content})
    assert names(tmp_path) == []


def test_a_folder_that_is_no_release(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"is not a release: it has no manifest\.json"):
        read_release(tmp_path)
    with pytest.raises(ReleaseError, match="nothing is not a release"):
        read_release(tmp_path / "nothing")


def test_one_changed_byte_anywhere_is_found_and_named(folder: Path) -> None:
    original = snapshot(folder)
    for name, content in original.items():
        for place in sorted({0, len(content) // 2, len(content) - 1}):
            changed = bytearray(content)
            changed[place] ^= 1
            (folder / name).write_bytes(changed)
            with pytest.raises(ReleaseError, match=name.rpartition("/")[2]):
                read_release(folder)
        (folder / name).write_bytes(content)
    read_release(folder)


def test_every_byte_of_the_manifest_counts(folder: Path) -> None:
    file = folder / "manifest.json"
    content = file.read_bytes()
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1
        file.write_bytes(changed)
        with pytest.raises(ReleaseError, match="manifest"):
            read_release(folder)
    file.write_bytes(content + b"\n")
    with pytest.raises(ReleaseError, match=r"manifest\.json is not what was published"):
        read_release(folder)


def test_a_file_that_changes_after_the_check_is_still_found(folder: Path) -> None:
    release = read_release(folder)
    (folder / "card.md").write_text("# Other")
    with pytest.raises(ReleaseError, match=r"card\.md is not what was published"):
        release.text()
    (folder / "card.md").unlink()
    with pytest.raises(ReleaseError, match=r"card\.md cannot be read"):
        release.text()
    with pytest.raises(ReleaseError, match=r"has no other\.json"):
        release.document("other.json")


def test_an_unknown_a_missing_and_a_cut_file(folder: Path) -> None:
    (folder / "extra.txt").write_text("hello")
    with pytest.raises(ReleaseError, match=r"its manifest does not know: extra\.txt"):
        read_release(folder)
    (folder / "extra.txt").unlink()
    (folder / "card.md").unlink()
    with pytest.raises(ReleaseError, match=r"lacks card\.md"):
        read_release(folder)
    (folder / "card.md").write_bytes(b"#")
    with pytest.raises(ReleaseError, match=r"card\.md is not what was published"):
        read_release(folder)


def test_links_and_pipes_are_refused(folder: Path, tmp_path: Path) -> None:
    card = (folder / "card.md").read_bytes()
    (tmp_path / "elsewhere").write_bytes(card)
    (folder / "card.md").unlink()
    (folder / "card.md").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ReleaseError, match=r"card\.md: a release holds plain files and no links"):
        read_release(folder)
    (folder / "card.md").unlink()
    make_pipe = getattr(os, "mkfifo", None) or pytest.skip("this system has no named pipes")
    make_pipe(folder / "card.md")
    with pytest.raises(ReleaseError, match=r"card\.md: a release holds plain files"):
        read_release(folder)
    (folder / "card.md").unlink()
    (folder / "card.md").write_bytes(card)
    manifest = folder / "manifest.json"
    manifest.rename(tmp_path / "manifest.json")
    manifest.symlink_to(tmp_path / "manifest.json")
    with pytest.raises(ReleaseError, match=r"has no manifest\.json"):
        read_release(folder)


ENTRY = {"sha256": "0" * 64, "bytes": 3}


@pytest.mark.parametrize(
    ("name", "text"),
    [("../outside.json", "not a path inside a release"), ("/etc/passwd", "not a path inside"),
     ("arrays/../../x.npy", "not a path inside"), ("C:\\x.json", "not a path inside"),
     ("arrays//x.npy", "not a path inside"), ("", "not a path inside"),
     ("x\x00.json", "not a path inside"), ("model.pickle", "a pickle can run code"),
     ("arrays/x.PKL", "a pickle can run code"), ("run.py", "a release has no such file")],
)  # fmt: skip
def test_a_forged_name_is_refused(folder: Path, forge: Any, name: str, text: str) -> None:
    forge(folder, lambda manifest: manifest["files"].update({name: ENTRY}))
    with pytest.raises(ReleaseError, match=text):
        read_release(folder)


@pytest.mark.parametrize(
    "entry", [{"sha256": "0" * 64}, {"sha256": "x", "bytes": 1}, {"sha256": "0" * 64, "bytes": -1},
              {"sha256": "0" * 64, "bytes": "1"}, 3, [], None],
)  # fmt: skip
def test_a_forged_entry_is_refused(folder: Path, entry: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"]["card.md"] = entry
    (folder / "manifest.json").write_bytes(canonical_json(manifest))
    with pytest.raises(ReleaseError, match="cannot be read as a manifest"):
        read_release(folder)


@pytest.mark.parametrize(
    "content", [b"[]", b"null", b"{}", b'{"format": 1}', b"[" * 10**5, b"\xff"]
)
def test_what_is_no_manifest(folder: Path, content: bytes) -> None:
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(ReleaseError, match="cannot be read as a manifest"):
        read_release(folder)


def test_a_format_of_the_future_asks_for_an_upgrade(folder: Path, forge: Any) -> None:
    forge(folder, lambda manifest: manifest.update(format=2))
    with pytest.raises(ReleaseError, match="the release format 2; this headrace reads up to 1"):
        read_release(folder)
    forge(folder, lambda manifest: manifest.update(format=0))
    with pytest.raises(ReleaseError, match="the format is 0"):
        read_release(folder)


@pytest.mark.parametrize(
    ("limits", "text"),
    [(Limits(manifest=100), r"manifest\.json is larger than 100 bytes"),
     (Limits(files=3), r"lists 7 files; at most 3 are read"),
     (Limits(document=5), r"\.(md|json) has \d+ bytes; at most 5 are read"),
     (Limits(graph=5), r"model\.onnx has 18 bytes; at most 5 are read"),
     (Limits(file=100), r"\.npy has \d+ bytes; at most 100 are read"),
     (Limits(total=1000), "is larger than 1000 bytes in total")],
)  # fmt: skip
def test_sizes_are_looked_at_before_anything_is_parsed(
    folder: Path, limits: Limits, text: str
) -> None:
    with pytest.raises(ReleaseError, match=text):
        read_release(folder, limits=limits)


def test_a_huge_declared_size_is_not_read(folder: Path, forge: Any) -> None:
    def change(manifest: Any) -> None:
        manifest["files"]["weights.npz"]["bytes"] = 10**15

    forge(folder, change)
    with pytest.raises(ReleaseError, match=r"weights\.npz has 1000000000000000 bytes"):
        read_release(folder)


def test_saving_shows_old_or_new_whatever_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing_disk: Any
) -> None:
    new = PARTS | {"card.md": "new"}
    counting = failing_disk()
    monkeypatch.setattr(files, "disk", counting)
    versions = {write_release(tmp_path / "model", part).version for part in (PARTS, new)}
    for step in range(1, counting.calls // 2 + 1):
        monkeypatch.setattr(files, "disk", files.Disk())
        shutil.rmtree(tmp_path / "model")
        write_release(tmp_path / "model", PARTS)
        monkeypatch.setattr(files, "disk", failing_disk(step, torn=True))
        with pytest.raises(OSError, match="no space left"):
            write_release(tmp_path / "model", new)
        assert read_release(tmp_path / "model").version in versions
        assert names(tmp_path) == ["model"]
