"""The Python blocks of the README run as one script, on a small sample of their table."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pytest

from headrace import samples

README = Path(__file__).resolve().parents[1] / "README.md"
ROWS = 3_000
# <!-- test: name --> or <!-- test: name; with this -> that -->, then the block.
BLOCK = re.compile(
    r"<!-- test: (?P<name>[\w ]+?)(; with (?P<old>.+?) -> (?P<new>.+?))? -->\n"
    r"```python\n(?P<code>.*?)```",
    re.DOTALL,
)


class Block(NamedTuple):
    name: str
    code: str


def blocks() -> list[Block]:
    found = []
    for match in BLOCK.finditer(README.read_text(encoding="utf-8")):
        code = match["code"]
        if match["old"]:
            assert match["old"] in code, f"the block {match['name']!r} lacks {match['old']!r}"
            code = code.replace(match["old"], match["new"])
        found.append(Block(match["name"], code))
    return found


@pytest.mark.slow
def test_the_blocks_run(tmp_path: Path) -> None:
    """In a process of their own, as a reader would run them: one of them promises its memory."""
    (tmp_path / "data").mkdir()
    with gzip.open(samples.adult(), "rt", encoding="utf-8") as whole:
        rows = list(islice(whole, ROWS + 1))
    with gzip.open(tmp_path / "data" / "adult.csv.gz", "wt", encoding="utf-8") as small:
        small.writelines(rows)
    script = "\n\n".join(f"# block: {block.name}\n{block.code}" for block in blocks())
    (tmp_path / "readme.py").write_text(script, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "readme.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(README.parent / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-2_000:] + ran.stderr[-4_000:]


def test_every_python_block_is_marked() -> None:
    assert README.read_text(encoding="utf-8").count("```python") == len(blocks()) > 0


def test_the_pictures_exist() -> None:
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", README.read_text(encoding="utf-8"))
    missing = [name for name in pictures if not (README.parent / name).is_file()]
    assert not missing
