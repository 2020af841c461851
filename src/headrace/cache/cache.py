"""The cache: a folder of kept results, each under the hash of all that decides it.

    cache/
        steps/3f9a…/about.json     what decided it, when it was made, how long that took
        steps/3f9a…/value.npz      the result: a plain document and arrays
        train/81c0…/state/         what long work keeps of itself, so that it can go on
        locks/81c0….lock           who is at it; empty files

A result is kept for good: other data, code, parameters or versions have another hash, so nothing is
ever out of date. What has not been used for long can be cleaned away at any moment; it is then made
anew when it is wanted.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.cache.errors import NotComparable
from headrace.cache.explanation import Explanation, Line
from headrace.cache.reasons import kept_text, why
from headrace.duration import seconds
from headrace.errors import CheckpointError, ReleaseError
from headrace.progress import bar
from headrace.sizes import bytes_of
from headrace.storage.checkpoint import Checkpoint
from headrace.storage.documents import canonical_json, strict_json
from headrace.storage.files import make_folders, remove_leftovers, temporary_name, write_file
from headrace.storage.lock import locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from headrace.storage.checkpoint import Piece

__all__ = ["Cache", "Entry", "Part"]

_ABOUT = "about.json"
_VALUE = "value"
_STATE = "state"
_LOCKS = "locks"
_DIGITS = 32
_COMPARED = 200
_NO_WAIT = 0.0


@dataclass(frozen=True)
class Entry:
    """Something that is kept.

    Attributes:
        kind: What kind of part it is of: "steps", "train", "evaluate", ….
        name: Which part, such as "clean.Clip".
        key: The hash of its ingredients.
        ingredients: All that decided it, in sections: data, code, parameters, versions, before.
        made: When it was finished; None while it is unfinished work.
        seconds: How long that took.
        used: When it was made or taken last.
        size: Of its files, in bytes.
        folder: Where they lie.
    """

    kind: str
    name: str
    key: str
    ingredients: Mapping[str, Any]
    made: datetime | None
    seconds: float
    used: datetime
    size: int
    folder: Path


class Cache:
    """A folder of kept results. Any number of processes may use it at once.

    Args:
        folder: The folder; made when the first result is kept.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     cache = Cache(folder)
        ...     for _ in range(2):
        ...         part = cache.part("sums", "total", {"data": {"rows": [1, 2]}})
        ...         if part.load() is None:
        ...             part.save({"total": 3}, seconds=0.1)
        ...     print(cache.explanation().lines[0].text)
        ran: never before
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._lines: list[Line] = []

    def part(
        self, kind: str, name: str, ingredients: Mapping[str, Any] | NotComparable, label: str = ""
    ) -> Part:
        """Answer a part of the work, to look up or to keep.

        Args:
            kind: What kind of part it is; parts of one kind lie together.
            name: Which part; what changed is told against the last one of the same name.
            ingredients: All that decides the result, as plain values in sections: data, code,
                parameters, versions, before. Or why that cannot be said: it is then never kept.
            label: What the explanation calls it; the name if empty.
        """
        return Part(self, kind, name, ingredients, label or name)

    def apart(self) -> Cache:
        """Answer the same cache with an explanation of its own, for work inside of a part."""
        return Cache(self.folder)

    def entries(self) -> tuple[Entry, ...]:
        """Answer all that is kept, what was used last in front."""
        folders = [path for path in self.folder.glob("*/*") if path.is_dir()]
        found = [entry for path in folders if (entry := _entry(path)) is not None]
        return tuple(sorted(found, key=lambda entry: entry.used, reverse=True))

    @property
    def size(self) -> int:
        """The size of all that is kept, in bytes."""
        return sum(entry.size for entry in self.entries())

    def clean(
        self, *, older_than: float | str | None = None, larger_than: float | str | None = None
    ) -> tuple[Entry, ...]:
        """Let go of what was not used for long; what a process is at stays.

        Args:
            older_than: Let go of what was not used since, in seconds or as "30d", "12h".
            larger_than: Then let go of the least recently used until the rest is no larger, in
                bytes or as "5GB".

        Returns:
            What was removed.

        Raises:
            SettingError: An age or a size that cannot be read.
        """
        for folder in self.folder.glob("*/"):
            remove_leftovers(folder)
        kept = list(self.entries())
        oldest = None if older_than is None else time.time() - seconds(older_than)
        most = None if larger_than is None else bytes_of(larger_than, "a size")
        total = sum(entry.size for entry in kept)
        removed = []
        for entry in reversed(kept):
            old = oldest is not None and entry.used.timestamp() < oldest
            if (old or (most is not None and total > most)) and self._remove(entry):
                removed.append(entry)
                total -= entry.size
        return tuple(removed)

    def explanation(self) -> Explanation:
        """Answer what was kept and what ran, and why, since this cache was opened."""
        return Explanation(str(self.folder), tuple(self._lines))

    def note(self, line: Line) -> int:
        """Write down what happened to a part; answer the place of the line."""
        self._lines.append(line)
        return len(self._lines) - 1

    def amend(self, place: int, change: Callable[[Line], Line]) -> None:
        """Change a line that was written down."""
        self._lines[place] = change(self._lines[place])

    @contextmanager
    def alone(self, key: str, label: str) -> Iterator[None]:
        """Keep other processes from the same work while the block runs; wait for one that is at it.

        Raises:
            CheckpointError: The folder cannot be written.
        """
        path, held = self._lock(key), ExitStack()
        try:
            held.enter_context(locked(path, patience=_NO_WAIT))
        except ReleaseError:
            with bar(f"waiting for another process that is at {label}", None):
                held.enter_context(locked(path, patience=math.inf))
        with held:
            yield

    def _lock(self, key: str) -> Path:
        folder = self.folder / _LOCKS
        try:
            make_folders(folder)
        except OSError as error:
            raise CheckpointError(_unwritable(self.folder, error)) from error
        return folder / f"{key}.lock"

    def _remove(self, entry: Entry) -> bool:
        try:
            with locked(self._lock(entry.key), patience=_NO_WAIT):
                gone = entry.folder.with_name(temporary_name())
                entry.folder.rename(gone)  # out of sight in one step, then away
                shutil.rmtree(gone)
        except (ReleaseError, FileNotFoundError):
            return False
        return True


class Part:
    """A part of the work: its result is taken from the cache, or made and kept.

    Attributes:
        key: The hash of its kind, name and ingredients; None where they cannot be compared.
    """

    def __init__(
        self,
        cache: Cache,
        kind: str,
        name: str,
        ingredients: Mapping[str, Any] | NotComparable,
        label: str,
    ) -> None:
        self._cache = cache
        self._kind = kind
        self._name = name
        self._label = label
        self._reason = str(ingredients) if isinstance(ingredients, NotComparable) else ""
        self._ingredients = {} if isinstance(ingredients, NotComparable) else dict(ingredients)
        about = canonical_json([kind, name, self._ingredients])
        self.key = None if self._reason else hashlib.sha256(about).hexdigest()[:_DIGITS]
        self._place = -1

    @property
    def folder(self) -> Path | None:
        """The folder for what long work keeps of itself; None where nothing can be kept."""
        return None if self.key is None else self._home / _STATE

    @property
    def _home(self) -> Path:
        return self._cache.folder / self._kind / str(self.key)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from this part while the block runs; wait for one that is at it."""
        if self.key is None:
            yield
            return
        with self._cache.alone(self.key, self._label):
            yield

    def load(self) -> Piece | None:
        """Answer what is kept of this part, if it is; the explanation says why not."""
        entry = None if self.key is None else _entry(self._home, sized=False)
        piece = None
        if entry is not None and entry.made is not None:
            piece = Checkpoint(self._home).load(_VALUE)
        if piece is None or entry is None:
            self._ran(entry)
            return None
        _touch(self._home)
        self._say(Line(self._kind, self._label, kept_text(entry), kept=True, saved=entry.seconds))
        return piece

    def begin(self) -> None:
        """Write down what this part is, before long work keeps something of itself."""
        if self.key is not None and _entry(self._home, sized=False) is None:
            self._describe(None, 0.0)

    def save(
        self, document: Any, arrays: Mapping[str, Any] | None = None, *, seconds: float
    ) -> None:
        """Keep the result of this part.

        Args:
            document: Plain values.
            arrays: Arrays of numbers by name.
            seconds: How long it took.

        Raises:
            CheckpointError: It cannot be written; nothing half-written is kept.
        """
        if self.key is None:
            return
        Checkpoint(self._home).save(_VALUE, document, arrays)
        self._describe(datetime.now(UTC), seconds)

    def not_kept(self, reason: str) -> None:
        """Say in the explanation why this part will run again the next time."""
        self._cache.amend(self._place, lambda line: line.adding(f"not kept: {reason}"))

    def lost(self, reason: str) -> None:
        """Say in the explanation that what was kept is of no use now, and the part ran."""
        self._say(Line(self._kind, self._label, f"ran: {reason}", kept=False))

    def _ran(self, unfinished: Entry | None) -> None:
        if self.key is None:
            text = f"ran: {self._reason}"
        elif unfinished is not None and unfinished.made is not None:
            text = "ran: what was kept cannot be read"
        elif unfinished is not None:
            text = "went on: it was cut off before its end"
        else:
            latest = _latest(self._cache.folder / self._kind)
            same = [one for one in latest if one.name == self._name and one.made is not None]
            text = f"ran: {why(self._ingredients, same)}"
        self._say(Line(self._kind, self._label, text, kept=False))

    def _say(self, line: Line) -> None:
        if self._place < 0:
            self._place = self._cache.note(line)
        else:
            self._cache.amend(self._place, lambda _: line)

    def _describe(self, made: datetime | None, seconds: float) -> None:
        about = {
            "kind": self._kind,
            "name": self._name,
            "ingredients": self._ingredients,
            "made": None if made is None else made.isoformat(),
            "seconds": seconds,
        }
        try:
            make_folders(self._home)
            remove_leftovers(self._home)
            write_file(self._home / _ABOUT, canonical_json(about))
        except OSError as error:
            raise CheckpointError(_unwritable(self._home, error)) from error


def _entry(folder: Path, *, sized: bool = True) -> Entry | None:
    """Answer what a folder holds; None where that is not whole, or going away."""
    try:
        about = strict_json((folder / _ABOUT).read_bytes())
        made = None if about["made"] is None else datetime.fromisoformat(about["made"])
        files = [path.stat() for path in folder.rglob("*") if sized and path.is_file()]
        used = datetime.fromtimestamp((folder / _ABOUT).stat().st_mtime, UTC)
        return Entry(
            about["kind"], about["name"], folder.name, about["ingredients"], made,
            float(about["seconds"]), used, sum(file.st_size for file in files), folder,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _latest(folder: Path) -> list[Entry]:
    """Answer the entries of one kind that were used last, as many as are worth comparing."""
    paths = list(folder.iterdir()) if folder.is_dir() else []
    latest = sorted(paths, key=_last_use, reverse=True)[:_COMPARED]
    return [entry for path in latest if (entry := _entry(path, sized=False)) is not None]


def _last_use(folder: Path) -> float:
    try:
        return (folder / _ABOUT).stat().st_mtime
    except OSError:
        return 0.0


def _touch(folder: Path) -> None:
    """Note that an entry was used; on a disk that cannot be written it stays as it was."""
    try:
        os.utime(folder / _ABOUT)
    except OSError:
        return


def _unwritable(folder: Path, error: OSError) -> str:
    return (
        f"the cache {folder} cannot be written: {error.strerror or error}. Make room, give another "
        "folder as cache, or run without one: cache=False"
    )
