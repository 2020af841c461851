"""The feature store: rows as a network reads them, in flat files that are mapped into memory.

A store is a folder with one flat little-endian file a block (numbers, categories, target, weight),
written once, in parts. A part holds the rows of so many consecutive rows of the source; inside of
a part they are shuffled, so that blocks read at random mix well. After each part the files are
flushed and a small journal says how far they are good: a killed writer goes on behind the last
whole part, to the same bytes. The finished store is renamed into its place, whole or not there.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from headrace.errors import CheckpointError
from headrace.model.labelled import Labelled
from headrace.plan.features import Features
from headrace.storage.documents import canonical_json, strict_json
from headrace.storage.files import (
    disk,
    flush_folder,
    make_folders,
    remove_leftovers,
    write_file,
)
from headrace.storage.lock import locked
from headrace.train.contents import BlockFile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from headrace.train.contents import Contents

__all__ = ["PART_ROWS", "FeatureStore", "store_key"]

PART_ROWS = 131_072
"""Rows of the source that make a part."""

_ABOUT = "store.json"
_JOURNAL = "journal.json"
_WRITING = ".writing-"


def store_key(**about: Any) -> str:
    """Answer the name of a store: a hash of all that decides its bytes, as plain values.

    Example:
        >>> store_key(data="1f3a", seed=0)
        'adc9533a0e66cf3a4d0c'
    """
    return hashlib.sha256(canonical_json(about)).hexdigest()[:20]


class FeatureStore:
    """A folder of finished stores, each under its key.

    Args:
        folder: The folder; made when the first store is written.
        part_rows: Rows of the source that make a part.
    """

    def __init__(self, folder: Path, part_rows: int = PART_ROWS) -> None:
        self.folder = folder
        self.part_rows = part_rows

    def open(self, key: str) -> Labelled | None:
        """Answer the rows of a finished store, mapped and read-only; None where there is none.

        Raises:
            CheckpointError: The store is damaged.
        """
        place = self.folder / key
        try:
            about = strict_json((place / _ABOUT).read_bytes())
        except FileNotFoundError:
            return None
        rows = int(about["rows"])
        files = {name: BlockFile(**file) for name, file in about["files"].items()}
        for name, file in files.items():
            found = (place / name).stat().st_size if (place / name).is_file() else 0
            if found != rows * file.row_bytes:
                raise CheckpointError(
                    f"the feature store {place} is damaged: {name} has {found:,} bytes, expected "
                    f"{rows * file.row_bytes:,}. Delete the folder, and it is written again"
                )
        blocks = {name: file.open(place / name, rows) for name, file in files.items()}
        features = Features(
            blocks.get("numbers", np.zeros((rows, 0), np.float32)),
            blocks.get("categories", np.zeros((rows, 0), np.int32)),
        )
        return Labelled(features, blocks["target"], blocks.get("weight"))

    def write(self, key: str, contents: Contents) -> Labelled:
        """Write a store, or go on where a killed writer stopped; a finished one is opened.

        Raises:
            CheckpointError: The disk is full or refuses; what was written before is still whole.
            DataError: A number is missing or infinite behind the steps, or there are no rows.
        """
        try:
            make_folders(self.folder)
            with locked(self.folder / f".{key}.lock"):
                remove_leftovers(self.folder)
                if self.open(key) is None:
                    self._write(key, contents)
        except OSError as error:
            raise CheckpointError(
                f"the feature store {self.folder / key} cannot be written: "
                f"{error.strerror or error}. What was written before is whole: make room, or give "
                "a folder that can be written, and start again to go on from there"
            ) from error
        written = self.open(key)
        if written is None:
            raise CheckpointError(f"the feature store {self.folder / key} is gone again")
        return written

    def _write(self, key: str, contents: Contents) -> None:
        building = self.folder / f"{_WRITING}{key}"
        building.mkdir(exist_ok=True)
        remove_leftovers(building)
        files = contents.files()
        done = _Journal.read(building, files, self.part_rows)
        with _Blocks(building, files, done.rows) as blocks:
            for number, arrays in contents.parts(done.parts, self.part_rows):
                blocks.append(arrays)
                done = _Journal(number + 1, done.rows + len(arrays["target"]), self.part_rows)
                done.write(building)
        about = {"rows": done.rows, "files": {name: asdict(file) for name, file in files.items()}}
        write_file(building / _ABOUT, canonical_json(about))
        disk.unlink(building / _JOURNAL)
        flush_folder(building)
        disk.rename(building, self.folder / key)
        flush_folder(self.folder)


@dataclass(frozen=True)
class _Journal:
    """How far the files of a store are good.

    Attributes:
        parts: The first part that is not in them.
        rows: Rows in them.
        part_rows: Rows of the source that make a part.
    """

    parts: int
    rows: int
    part_rows: int

    @classmethod
    def read(cls, folder: Path, files: Mapping[str, BlockFile], part_rows: int) -> _Journal:
        """Answer the journal of a folder; that of an empty one where it cannot be gone on from."""
        new = cls(0, 0, part_rows)
        try:
            found = cls(**json.loads((folder / _JOURNAL).read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return new
        enough = all(
            (folder / name).is_file()
            and (folder / name).stat().st_size >= found.rows * file.row_bytes
            for name, file in files.items()
        )
        return found if enough and found.part_rows == part_rows else new

    def write(self, folder: Path) -> None:
        write_file(folder / _JOURNAL, canonical_json(asdict(self)))


class _Blocks:
    """The files of a store that is being written, each cut to the rows that are good."""

    def __init__(self, folder: Path, files: Mapping[str, BlockFile], rows: int) -> None:
        self._descriptors: dict[str, int] = {}
        self._places = {name: folder / name for name in files}
        self._sizes = {name: rows * file.row_bytes for name, file in files.items()}

    def __enter__(self) -> Self:
        for name, path in self._places.items():
            if path.exists():
                disk.truncate(path, self._sizes[name])
            flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY | getattr(os, "O_BINARY", 0)
            self._descriptors[name] = os.open(path, flags, 0o666)
        return self

    def __exit__(self, *error: object) -> None:
        for descriptor in self._descriptors.values():
            os.close(descriptor)

    def append(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write rows behind the others and wait until they are on the disk."""
        for name, array in arrays.items():
            disk.write(self._descriptors[name], np.ascontiguousarray(array).tobytes())
        for descriptor in self._descriptors.values():
            disk.fsync(descriptor)
