"""The Python blocks of the README run, one after the other, on a small sample of their table."""

from __future__ import annotations

import gzip
import re
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with the first rows of the table in `data/`."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "data").mkdir()
    with gzip.open(samples.adult(), "rt", encoding="utf-8") as whole:
        rows = list(islice(whole, ROWS + 1))
    with gzip.open(folder / "data" / "adult.csv.gz", "wt", encoding="utf-8") as small:
        small.writelines(rows)
    return folder


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """What the blocks define: each sees what those before it made."""
    return {"__name__": "readme"}


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.name)
def test_block_runs(
    block: Block, folder: Path, names: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    exec(compile(block.code, f"README.md: {block.name}", "exec"), names)


def test_every_python_block_is_marked() -> None:
    assert README.read_text(encoding="utf-8").count("```python") == len(blocks()) > 0


def test_the_pictures_exist() -> None:
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", README.read_text(encoding="utf-8"))
    missing = [name for name in pictures if not (README.parent / name).is_file()]
    assert not missing
