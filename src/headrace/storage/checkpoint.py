"""The checkpoint: a folder that keeps the finished pieces of long work, so that it can go on.

A piece is one file: a plain document and arrays beside it, written so that it is whole or not
there. A folder says what work it belongs to; other work is refused, never mixed in.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import CheckpointError, ReleaseError
from headrace.storage.arrays import array_from_bytes, arrays_bytes, arrays_from_bytes
from headrace.storage.documents import (
    canonical_json,
    document_bytes,
    document_from_bytes,
    strict_json,
)
from headrace.storage.files import disk, make_folders, remove_leftovers, write_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["Checkpoint", "Piece", "piece_bytes", "piece_from_bytes"]

_ABOUT = "about.json"
_SUFFIX = ".npz"
_DOCUMENT = "document"


@dataclass(frozen=True, eq=False)
class Piece:
    """A finished piece of work.

    Attributes:
        document: Plain values and arrays, as `headrace.storage.documents` writes them.
        arrays: Arrays of numbers by name.
    """

    document: Any
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


class Checkpoint:
    """A folder with the finished pieces of one work.

    Args:
        folder: The folder; made when the first piece is kept.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     kept = Checkpoint.of_work(folder, {"rows": "1f3a", "seed": 0})
        ...     kept.save("epoch-3", {"loss": 0.25}, {"kernel": np.eye(2)})
        ...     kept.names(), kept.load("epoch-3").document, kept.load("epoch-4")
        (['epoch-3'], {'loss': 0.25}, None)
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @classmethod
    def of_work(cls, folder: str | Path, about: Mapping[str, Any]) -> Checkpoint:
        """Open the folder of a work, or begin it.

        Args:
            folder: The folder; made if it is not there.
            about: What decides the result of the work, as plain values. Work that differs in any
                of them has a folder of its own.

        Raises:
            CheckpointError: The folder belongs to other work, or cannot be written.
        """
        kept = cls(folder)
        known = kept._about()
        if known is None:
            kept._write(_ABOUT, canonical_json(dict(about)))
            return kept
        plain = json.loads(canonical_json(dict(about)))
        different = [key for key in {**plain, **known} if plain.get(key) != known.get(key)]
        if different:
            raise CheckpointError(
                f"{folder} holds the checkpoint of other work: it differs in "
                f"{', '.join(sorted(different))}. Go on with what it was begun with, give another "
                "folder, or delete this one to begin anew"
            )
        remove_leftovers(kept.folder)
        return kept

    def part(self, name: str) -> Checkpoint:
        """Answer the checkpoint of a part of the work, in a folder below."""
        return Checkpoint(self.folder / name)

    def names(self) -> list[str]:
        """Answer the names of the pieces that are there, sorted."""
        if not self.folder.is_dir():
            return []
        found = (path.name for path in self.folder.iterdir() if path.suffix == _SUFFIX)
        return sorted(name.removesuffix(_SUFFIX) for name in found if not name.startswith("."))

    def load(self, name: str) -> Piece | None:
        """Answer a piece; None where there is none, or none that can be read."""
        try:
            data = (self.folder / f"{name}{_SUFFIX}").read_bytes()
        except FileNotFoundError:
            return None
        try:
            return piece_from_bytes(data, name)
        except ReleaseError:
            return None

    def save(
        self, name: str, document: Any, arrays: Mapping[str, NDArray[Any]] | None = None
    ) -> None:
        """Keep a piece; one of this name is replaced.

        Raises:
            CheckpointError: It cannot be written; what was kept before is still whole.
        """
        self._write(f"{name}{_SUFFIX}", piece_bytes(Piece(document, arrays or {})))

    def remove(self, name: str) -> None:
        """Let go of a piece."""
        path = self.folder / f"{name}{_SUFFIX}"
        if path.exists():
            disk.unlink(path)

    def _about(self) -> dict[str, Any] | None:
        try:
            return dict(strict_json((self.folder / _ABOUT).read_bytes()))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None

    def _write(self, name: str, data: bytes) -> None:
        try:
            make_folders(self.folder)
            write_file(self.folder / name, data)
        except OSError as error:
            raise CheckpointError(
                f"the checkpoint {self.folder / name} cannot be written: "
                f"{error.strerror or error}. What was kept before is whole: make room, or give a "
                "folder that can be written, and start again to go on from there"
            ) from error


def piece_bytes(piece: Piece) -> bytes:
    """Answer a piece as the content of its file, which may travel to another machine.

    Example:
        >>> piece_from_bytes(piece_bytes(Piece({"epoch": 3})), "state").document
        {'epoch': 3}
    """
    text, files = document_bytes(piece.document, _DOCUMENT)
    parts = {name: np.frombuffer(data, np.uint8) for name, data in files.items()}
    parts[_DOCUMENT] = np.frombuffer(text, np.uint8)
    return arrays_bytes({**piece.arrays, **parts})


def piece_from_bytes(data: bytes, name: str) -> Piece:
    """Answer the piece that `piece_bytes` wrote.

    Args:
        data: The content of its file.
        name: The piece, for the errors.

    Raises:
        ReleaseError: It is no piece.
    """
    arrays = arrays_from_bytes(data, name)
    try:
        text = arrays.pop(_DOCUMENT).tobytes()
        document = document_from_bytes(
            text, name, lambda file: array_from_bytes(arrays.pop(file).tobytes(), file)
        )
    except KeyError as error:
        raise ReleaseError(f"{name}: the array {error} is missing") from error
    return Piece(document, arrays)
