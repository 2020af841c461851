"""The cache: results under the hash of what decides them, any number of processes, cleaning."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.cache.cache import Cache
from headrace.cache.errors import NotComparable
from headrace.errors import CheckpointError, SettingError
from headrace.storage import files

if TYPE_CHECKING:
    from pathlib import Path

ABOUT: dict[str, Any] = {"data": {"the rows": {"count": 3, "columns": {"a": "1f"}}}}


def keep(cache: Cache, name: str, number: int, size: int = 0) -> None:
    part = cache.part("sums", name, {"parameters": {"Sum": {"number": number}}})
    assert part.load() is None
    part.save(number, {"zeros": np.zeros(size)}, seconds=1.5)


def test_what_was_kept_comes_back_and_the_explanation_says_so(tmp_path: Path) -> None:
    for _ in range(2):
        cache = Cache(tmp_path / "new" / "cache")
        part = cache.part("sums", "total", ABOUT, "the total")
        piece = part.load()
        if piece is None:
            part.save({"total": 3}, {"parts": np.arange(3)}, seconds=3.2)
    assert piece is not None
    assert piece.document == {"total": 3}
    assert piece.arrays["parts"].tolist() == [0, 1, 2]
    [line] = cache.explanation().lines
    assert (line.kind, line.part, line.kept, line.saved) == ("sums", "the total", True, 3.2)
    assert line.text.startswith("kept from 20")
    assert line.text.endswith("saved 3.2 s")


def test_other_ingredients_are_another_part(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    keep(cache, "total", 1)
    keep(cache, "total", 2)
    keep(cache, "mean", 1)
    assert len(cache.entries()) == 3
    assert cache.explanation()["total"] == "ran: parameters of Sum changed: number 1 -> 2"
    assert cache.explanation()["mean"] == "ran: never before"


def test_what_cannot_be_compared_is_never_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    part = cache.part("sums", "total", NotComparable("an open file is no plain value"))
    with part.alone():
        assert part.load() is None
        assert part.folder is None
        part.begin()
        part.save(1, seconds=0.0)
    assert cache.entries() == ()
    assert cache.explanation()["total"] == "ran: an open file is no plain value"


def test_a_damaged_value_is_made_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    keep(cache, "total", 1)
    [entry] = cache.entries()
    (entry.folder / "value.npz").write_bytes(b"half")
    again = Cache(tmp_path)
    keep(again, "total", 1)
    assert again.explanation()["total"] == "ran: what was kept cannot be read"
    assert again.part("sums", "total", entry.ingredients).load() is not None


def test_work_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    part = Cache(tmp_path).part("train", "train", ABOUT)
    part.begin()
    assert part.folder is not None
    part.folder.mkdir()
    cache = Cache(tmp_path)
    again = cache.part("train", "train", ABOUT)
    assert again.load() is None
    assert again.folder == part.folder
    assert cache.explanation()["train"] == "went on: it was cut off before its end"
    assert cache.entries()[0].made is None


def test_age_and_size_decide_what_is_cleaned_away(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for number in range(4):
        keep(cache, f"sum {number}", number, size=1000)
    for age, entry in enumerate(sorted(cache.entries(), key=lambda one: one.name)):
        used = time.time() - 86_400 * (4 - age)  # "sum 0" was used four days ago
        os.utime(entry.folder / "about.json", (used, used))
    assert [one.name for one in cache.entries()] == ["sum 3", "sum 2", "sum 1", "sum 0"]
    assert [one.name for one in cache.clean(older_than="3.5d")] == ["sum 0"]
    one = cache.entries()[0].size
    assert [e.name for e in cache.clean(larger_than=2 * one)] == ["sum 1"]
    assert cache.size == 2 * one
    assert cache.clean(older_than="30d", larger_than="5GB") == ()
    assert cache.part("sums", "sum 2", {"parameters": {"Sum": {"number": 2}}}).load() is not None
    assert [e.name for e in cache.clean(larger_than=one)] == ["sum 3"]  # "sum 2" was just used


def test_ages_and_sizes_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="not 'a month'"):
        Cache(tmp_path).clean(older_than="a month")
    with pytest.raises(SettingError, match="a size is bytes, or text such as"):
        Cache(tmp_path).clean(larger_than="much")


def test_what_a_process_is_at_is_not_cleaned_away(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    part = cache.part("train", "train", ABOUT)
    with part.alone():
        part.begin()
        assert cache.clean(larger_than=1) == ()
    assert len(cache.clean(larger_than=1)) == 1
    assert cache.entries() == ()


def test_a_full_disk_is_a_clear_error_and_nothing_is_half_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    cache = Cache(tmp_path)
    part = cache.part("sums", "total", ABOUT)
    assert part.load() is None
    monkeypatch.setattr(files.disk, "write", full)
    with pytest.raises(CheckpointError, match="cannot be written: No space left on device"):
        part.save(1, seconds=0.0)
    with pytest.raises(CheckpointError, match="run without one: cache=False"):
        part.begin()
    monkeypatch.undo()
    assert cache.entries() == ()
    assert cache.part("sums", "total", ABOUT).load() is None


WORK = """
import sys, time
from headrace.cache.cache import Cache
cache = Cache(sys.argv[1])
part = cache.part("sums", "total", {"data": {}})
with part.alone():
    if part.load() is None:
        print("working", flush=True)
        time.sleep(0.5)
        part.save(1, seconds=0.5)
print(cache.explanation()["total"])
"""


def test_of_two_processes_one_works_and_the_other_waits(tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(WORK), str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = sorted(process.communicate()[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert told[0].startswith("kept from")
    assert told[1] == "working\nran: never before\n"


def test_a_killed_process_frees_its_part(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WORK.replace("0.5)", "60)"), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.kill()
    part = Cache(tmp_path).part("sums", "total", {"data": {}})
    with part.alone():
        assert part.load() is None
