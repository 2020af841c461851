from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from headrace.storage import files
from headrace.storage.files import (
    Disk,
    append_line,
    make_folders,
    publish_folder,
    remove_leftovers,
    sha256,
    temporary_name,
    write_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def every_failure(monkeypatch: pytest.MonkeyPatch, failing_disk: Any) -> Any:
    """Answers the disks that fail at the first, second, … call of something, whole or torn."""

    def disks(prepare: Callable[[], object], act: Callable[[], object]) -> list[Disk]:
        prepare()
        counting = failing_disk()
        monkeypatch.setattr(files, "disk", counting)
        act()
        steps = range(1, counting.calls + 1)
        return [failing_disk(step, torn=torn) for step in steps for torn in (False, True)]

    return disks


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_write_file_replaces_the_content(tmp_path: Path) -> None:
    file = tmp_path / "alias"
    write_file(file, b"old")
    write_file(file, b"new")
    assert file.read_bytes() == b"new"
    assert names(tmp_path) == ["alias"]


def test_sha256_of_a_file_of_many_chunks(tmp_path: Path) -> None:
    content = os.urandom((1 << 20) + 17)
    (tmp_path / "file").write_bytes(content)
    assert sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_write_file_shows_old_or_new_whatever_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every_failure: Any
) -> None:
    file = tmp_path / "alias"
    prepare = lambda: file.write_bytes(b"old content")  # noqa: E731
    disks = every_failure(prepare, lambda: write_file(file, b"new content"))
    assert len(disks) == 2 * 5  # create, write, fsync, rename, fsync of the folder
    for disk in disks:
        prepare()
        monkeypatch.setattr(files, "disk", disk)
        with pytest.raises(OSError, match="no space left"):
            write_file(file, b"new content")
        assert file.read_bytes() in (b"old content", b"new content")
        assert names(tmp_path) == ["alias"]


def test_append_line_is_whole_or_ignored_whatever_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every_failure: Any
) -> None:
    file = tmp_path / "history"
    prepare = lambda: file.write_bytes(b"one\n")  # noqa: E731
    for disk in every_failure(prepare, lambda: append_line(file, b"two")):
        prepare()
        monkeypatch.setattr(files, "disk", disk)
        with pytest.raises(OSError, match="no space left"):
            append_line(file, b"two")
        assert file.read_bytes().split(b"\n")[:-1] in ([b"one"], [b"one", b"two"])
        monkeypatch.setattr(files, "disk", Disk())
        append_line(file, b"three")
        assert file.read_bytes() in (b"one\nthree\n", b"one\ntwo\nthree\n")


def fill(folder: Path, text: str) -> str:
    (folder / "below").mkdir()
    files.new_file(folder / "below" / "file", text.encode())
    files.new_file(folder / "other", text.encode())
    return "release"


def content(folder: Path) -> set[str]:
    return {file.read_text() for file in (folder / "below" / "file", folder / "other")}


@pytest.mark.parametrize("exchange", [True, False])
def test_publish_folder_shows_old_or_new_whatever_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every_failure: Any, *, exchange: bool
) -> None:
    if not exchange:

        def refuse(left: Path, right: Path) -> None:
            raise OSError(errno.ENOSYS, "not here")

        monkeypatch.setattr(files, "_exchange", refuse)

    def publish(text: str) -> None:
        publish_folder(tmp_path, lambda folder: fill(folder, text), replace=lambda _: True)

    def prepare() -> None:
        monkeypatch.setattr(files, "disk", Disk())
        publish("old")

    disks = every_failure(prepare, lambda: publish("new"))
    assert len(disks) >= 2 * 10
    for disk in disks:
        prepare()
        monkeypatch.setattr(files, "disk", disk)
        with pytest.raises(OSError, match="no space left"):
            publish("new")
        assert content(tmp_path / "release") in ({"old"}, {"new"})
        assert names(tmp_path) == ["release"]


def test_publish_folder_keeps_the_old_one_when_told_so(tmp_path: Path) -> None:
    for text in ("old", "new"):
        publish_folder(
            tmp_path, lambda folder, text=text: fill(folder, text), replace=lambda _: False
        )
    assert content(tmp_path / "release") == {"old"}
    assert names(tmp_path) == ["release"]


KILLED = """
import os, sys
from pathlib import Path
from headrace.storage import files

class Deadly(files.Disk):
    calls = 0
    def __getattribute__(self, name):
        if name in ("create", "write", "fsync", "rename", "exchange"):
            Deadly.calls += 1
            if Deadly.calls == int(sys.argv[2]):
                os._exit(9)
        return super().__getattribute__(name)

files.disk = Deadly()

def fill(folder):
    files.new_file(folder / "file", b"new")
    return "release"

files.publish_folder(Path(sys.argv[1]), fill, replace=lambda _: True)
"""


def test_a_killed_publication_leaves_old_or_new_and_the_next_one_tidies(tmp_path: Path) -> None:
    folder = tmp_path / "release"
    status, step, seen = 9, 0, set()
    while status == 9:
        step += 1
        folder.mkdir(exist_ok=True)
        (folder / "file").write_bytes(b"old")
        command = [sys.executable, "-c", KILLED, str(tmp_path), str(step)]
        status = subprocess.run(command, check=False, env=_environment()).returncode
        assert status in (0, 9)
        seen.add((folder / "file").read_bytes())
    assert step == 7  # create, write, two fsyncs, exchange, fsync of the parent; then none kills
    assert seen == {b"old", b"new"}
    assert names(tmp_path) == ["release"]


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


def test_folders_are_made_as_deep_as_needed(tmp_path: Path) -> None:
    make_folders(tmp_path / "a" / "b" / "c")
    make_folders(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileExistsError):
        make_folders(tmp_path / "file")


def test_leftovers_of_the_dead_go_and_work_of_the_living_stays(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    mine = temporary_name()
    of_the_dead = mine.replace(f"-{os.getpid()}-", f"-{ended.pid}-")
    of_the_living = mine.replace(f"-{os.getpid()}-", f"-{os.getppid()}-")
    elsewhere = f".headrace-tmp-another.machine-{ended.pid}-0123abcd"
    for name in (mine, of_the_dead, of_the_living, elsewhere, "users own"):
        (tmp_path / name).mkdir()
    remove_leftovers(tmp_path)
    assert names(tmp_path) == sorted([mine, of_the_living, elsewhere, "users own"])
    yesterday = time.time() - 2 * 86_400
    os.utime(tmp_path / elsewhere, (yesterday, yesterday))
    remove_leftovers(tmp_path)
    assert elsewhere not in names(tmp_path)
