"""A release: one immutable folder that says what is in it and proves it.

`manifest.json` lists every file with its size and SHA-256, and says which format and libraries
wrote them. The *version* of a release is a hash of its content: the same content has the same
version on every machine, whenever it is written. The manifest is written in one canonical way, so
that not a byte of the folder can change unnoticed.

Reading is done with suspicion: sizes before parsing, no links, no files the manifest does not
know, no path that leaves the folder, no pickles, and each file's hash before its use.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from headrace.errors import ReleaseError
from headrace.storage.arrays import array_bytes, array_from_bytes, arrays_bytes, arrays_from_bytes
from headrace.storage.documents import (
    canonical_json,
    document_bytes,
    document_from_bytes,
    strict_json,
)
from headrace.storage.files import new_file, publish_folder, sha256

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FORMAT", "Limits", "Release", "build_release", "read_release", "write_release"]

FORMAT = 1
"""The format of the releases that this headrace writes, and the newest that it reads."""

MANIFEST = "manifest.json"

# Written by TensorFlow with random identifiers: hashed in the manifest, not part of the version.
_NOT_IN_VERSION = "saved_model/"
_ALLOWED = re.compile(
    r"[\w-]+\.json|[\w-]+\.md|[\w-]+\.npz|arrays/[\w.-]+\.npy|model\.onnx|network\.keras"
    r"|saved_model/.+",
    re.ASCII,
)
_PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth", ".cloudpickle")
_LIBRARIES = ("numpy", "polars", "tensorflow", "keras", "onnx", "tf2onnx", "onnxruntime")

_MIB = 1 << 20
_GIB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The sizes above which a release is refused before it is parsed; in bytes, but for `files`."""

    files: int = 10_000
    manifest: int = 8 * _MIB
    document: int = 512 * _MIB
    graph: int = 2 * _GIB
    file: int = 8 * _GIB
    total: int = 64 * _GIB


@dataclass(frozen=True, repr=False)
class Release:
    """A release that was checked and can be read.

    Attributes:
        path: The folder.
        version: The first 16 hexadecimal digits of the content's hash.
        manifest: What `manifest.json` says.
        alias: The alias it was found under, such as "champion"; None when it was named itself.
    """

    path: Path
    version: str
    manifest: Mapping[str, Any]
    alias: str | None = None

    @property
    def sizes(self) -> dict[str, int]:
        """The size of each file in bytes."""
        return {name: entry["bytes"] for name, entry in self.manifest["files"].items()}

    @property
    def created(self) -> str:
        """When the release was written: ISO 8601, UTC."""
        return str(self.manifest["created"])

    @property
    def notes(self) -> dict[str, Any]:
        """What the writer noted about the release."""
        return dict(self.manifest["notes"])

    def __repr__(self) -> str:
        alias = f", {self.alias}" if self.alias else ""
        return f"Release({str(self.path)!r}: {self.version}{alias})"

    def __contains__(self, name: object) -> bool:
        """Say whether the release has a file, or a folder of files, of this name."""
        files = self.manifest["files"]
        return name in files or any(file.startswith(f"{name}/") for file in files)

    def bytes(self, name: str) -> bytes:
        """Answer the content of a file; these very bytes were checked.

        Raises:
            ReleaseError: No such file, or its content was altered.
        """
        entry = self.manifest["files"].get(name)
        if entry is None:
            raise ReleaseError(f"the release {self.version} has no {name} ({self.path})")
        data = _read_at_most(self.path / name, entry["bytes"])
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise _altered(self.path, name)
        return data

    def document(self, name: str) -> Any:
        """Answer a JSON document, its arrays filled in."""
        return document_from_bytes(self.bytes(name), name, self.array)

    def array(self, name: str) -> NDArray[Any]:
        """Answer the array of a `.npy` file."""
        return array_from_bytes(self.bytes(name), name)

    def arrays(self, name: str = "weights.npz") -> dict[str, NDArray[Any]]:
        """Answer the named arrays of an `.npz` file."""
        return arrays_from_bytes(self.bytes(name), name)

    def text(self, name: str = "card.md") -> str:
        """Answer a text file."""
        return self.bytes(name).decode("utf-8")


def write_release(
    folder: str | os.PathLike[str],
    parts: Mapping[str, Any],
    *,
    notes: Mapping[str, Any] | None = None,
) -> Release:
    """Write a release folder, atomically: it is there as a whole or not at all.

    A release that is there already is replaced (or kept, when it has the same content); any other
    folder with something in it is left alone.

    Args:
        folder: The folder to write.
        parts: The content by file name, see `build_release`.
        notes: Plain values for the manifest.

    Raises:
        ReleaseError: A part that cannot be stored, or a folder that is something else.
        OSError: The disk refused; nothing has changed.
    """
    target = Path(folder).resolve()

    def build(temporary: Path) -> str:
        build_release(temporary, parts, notes=notes)
        return target.name

    publish_folder(target.parent, build, replace=_may_replace)
    return read_release(target)


def build_release(
    folder: Path, parts: Mapping[str, Any], *, notes: Mapping[str, Any] | None = None
) -> str:
    """Fill an empty folder with a release; not atomic by itself.

    Args:
        folder: The folder to fill.
        parts: By file name: for `.json` any plain value with arrays in it, for `.npz` a dict of
            arrays, for `.npy` an array, for `.md` text, for others bytes. A `Path` is copied
            (a folder with all that is in it), a function is called with the path to write to.
        notes: Plain values for the manifest; they are part of the version.

    Returns:
        The version.
    """
    for name, content in parts.items():
        _write_part(folder, name, content)
    files = {name: _entry(folder / name) for name in sorted(_walk(folder, Limits()))}
    for name in files:
        _check_name(name, folder)
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": _environment(),
        "notes": dict(notes or {}),
        "files": files,
    }
    manifest["version"] = _version(manifest)
    manifest["digest"] = _digest(manifest)
    new_file(folder / MANIFEST, canonical_json(manifest))
    return str(manifest["version"])


def read_release(
    folder: str | os.PathLike[str], *, limits: Limits | None = None, alias: str | None = None
) -> Release:
    """Open a release folder after checking all of it.

    Args:
        folder: The folder that holds `manifest.json`.
        limits: Sizes above which a release is refused.
        alias: The alias it was found under, for the answer.

    Raises:
        ReleaseError: Not a release, a format of the future, or anything that differs from what
            was written; the file is named.
    """
    path = Path(folder).resolve()
    limits = limits or Limits()
    manifest = _read_manifest(path, limits)
    _check_files(path, manifest["files"], limits)
    return Release(path, manifest["version"], manifest, alias)


# --- writing ---


def _write_part(folder: Path, name: str, content: Any) -> None:
    target = folder / name
    _check_name("saved_model/any" if name == "saved_model" else name, folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        copy = shutil.copytree if content.is_dir() else shutil.copyfile
        cast("Callable[[Path, Path], Any]", copy)(content, target)
    elif callable(content):
        content(target)
    elif name.endswith(".json"):
        text, files = document_bytes(content, name.removesuffix(".json"))
        for file, data in files.items():
            (folder / file).parent.mkdir(exist_ok=True)
            new_file(folder / file, data)
        new_file(target, text)
    else:
        new_file(target, _content_bytes(name, content))


def _content_bytes(name: str, content: Any) -> bytes:
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, Mapping) and name.endswith(".npz"):
        return arrays_bytes(content)
    if isinstance(content, np.ndarray) and name.endswith(".npy"):
        return array_bytes(content)
    raise ReleaseError(f"{name}: a {type(content).__name__} cannot be stored in this file")


def _entry(path: Path) -> dict[str, Any]:
    return {"sha256": sha256(path), "bytes": path.stat().st_size}


def _version(manifest: Mapping[str, Any]) -> str:
    files = {
        name: entry["sha256"]
        for name, entry in manifest["files"].items()
        if not name.startswith(_NOT_IN_VERSION)
    }
    content = {"format": manifest["format"], "notes": manifest["notes"], "files": files}
    return hashlib.sha256(canonical_json(content)).hexdigest()[:16]


def _digest(manifest: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in manifest.items() if key != "digest"}
    return hashlib.sha256(canonical_json(rest)).hexdigest()


def _environment() -> dict[str, str]:
    found = {"python": platform.python_version(), "system": platform.system()}
    for library in ("headrace", *_LIBRARIES):
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found


def _may_replace(target: Path) -> bool:
    """Say whether a folder in the way may be replaced: only an empty one or another release."""
    if target.is_dir() and (not any(target.iterdir()) or (target / MANIFEST).is_file()):
        return True
    raise ReleaseError(
        f"{target} exists and is not a release; choose another folder, or remove this one first"
    )


# --- reading ---


def _read_manifest(path: Path, limits: Limits) -> dict[str, Any]:
    file = path / MANIFEST
    if not file.is_file() or file.is_symlink():
        raise ReleaseError(f"{path} is not a release: it has no {MANIFEST}")
    if file.stat().st_size > limits.manifest:
        raise ReleaseError(f"{file} is larger than {limits.manifest} bytes; refused")
    data = file.read_bytes()
    try:
        manifest = strict_json(data)
        _check_format(manifest, path)
        _check_shape(manifest)
        whole = canonical_json(manifest) == data and _digest(manifest) == manifest["digest"]
        whole = whole and _version(manifest) == manifest["version"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ReleaseError(f"{file} cannot be read as a manifest: {error}") from error
    if not whole:
        raise _altered(path, MANIFEST)
    return cast("dict[str, Any]", manifest)


def _check_format(manifest: Mapping[str, Any], path: Path) -> None:
    found = manifest["format"]
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise ValueError(f"the format is {found!r}, expected a number")
    if found > FORMAT:
        raise ReleaseError(
            f"{path} has the release format {found}; this headrace reads up to {FORMAT}. "
            "Upgrade headrace to read it"
        )


def _check_shape(manifest: Mapping[str, Any]) -> None:
    for name, entry in manifest["files"].items():
        right = set(entry) == {"sha256", "bytes"} and isinstance(entry["bytes"], int)
        if not right or entry["bytes"] < 0 or not re.fullmatch("[0-9a-f]{64}", entry["sha256"]):
            raise ValueError(f"the entry of {name!r} is malformed")
    manifest["notes"].items()
    datetime.fromisoformat(manifest["created"])


def _check_files(path: Path, files: Mapping[str, Any], limits: Limits) -> None:
    if len(files) > limits.files:
        raise ReleaseError(f"{path} lists {len(files)} files; at most {limits.files} are read")
    for name, entry in files.items():
        _check_name(name, path)
        _check_size(name, entry["bytes"], limits)
    if sum(entry["bytes"] for entry in files.values()) > limits.total:
        raise ReleaseError(f"{path} is larger than {limits.total} bytes in total; refused")
    found = set(_walk(path, limits)) - {MANIFEST}
    if unknown := sorted(found - files.keys()):
        raise ReleaseError(f"{path} has a file that its manifest does not know: {unknown[0]}")
    if missing := sorted(files.keys() - found):
        raise ReleaseError(f"{path} lacks {missing[0]}, which its manifest lists")
    for name, entry in files.items():
        if (path / name).stat().st_size != entry["bytes"] or sha256(path / name) != entry["sha256"]:
            raise _altered(path, name)


def _check_name(name: str, path: Path) -> None:
    if name.lower().endswith(_PICKLES):
        raise ReleaseError(f"{name}: a pickle can run code when it is loaded; refused ({path})")
    parts = PurePosixPath(name).parts
    inside = parts and "/".join(parts) == name and not {".", ".."} & set(parts)
    if not inside or name.startswith("/") or re.search(r'[\\:*?"<>|\x00-\x1f]', name):
        raise ReleaseError(f"{name!r} is not a path inside a release; refused ({path})")
    if not _ALLOWED.fullmatch(name):
        raise ReleaseError(f"{name}: a release has no such file; refused ({path})")


def _check_size(name: str, size: int, limits: Limits) -> None:
    most = limits.file
    if name.endswith((".json", ".md")):
        most = limits.document
    elif name.endswith(".onnx"):
        most = limits.graph
    if size > most:
        raise ReleaseError(f"{name} has {size} bytes; at most {most} are read")


def _walk(folder: Path, limits: Limits) -> list[str]:
    """List the files below a folder as POSIX paths; links and devices are refused."""
    found: list[str] = []
    waiting = [folder]
    while waiting:
        for entry in sorted(os.scandir(waiting.pop()), key=lambda item: item.name):
            name = Path(entry.path).relative_to(folder).as_posix()
            if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
                raise ReleaseError(f"{name}: a release holds plain files and no links ({folder})")
            if entry.is_dir():
                waiting.append(Path(entry.path))
            else:
                found.append(name)
            if len(found) + len(waiting) > limits.files + 1:
                raise ReleaseError(f"{folder} has more than {limits.files} files; refused")
    return found


def _read_at_most(path: Path, size: int) -> bytes:
    """Read a plain file that should have this size; one byte more shows that it does not."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise ReleaseError(f"{path} cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ReleaseError(f"{path} is not a plain file")
        return file.read(size + 1)


def _altered(path: Path, name: str) -> ReleaseError:
    return ReleaseError(
        f"{name} is not what was published: the release was altered or damaged ({path}). "
        "Use another copy, or publish it again"
    )
