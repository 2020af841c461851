"""A registry: a folder of releases, the aliases `champion` and `challenger`, and their history.

    models/income/
        releases/3f9a…/        one folder a release, named by its version, never changed
        aliases/champion       the version that answers; a small file, replaced atomically
        aliases/challenger
        history.jsonl          who did what, when and why; one JSON object a line

The alias files say what is in force; the history says how it came about. A change is first
written to the history and then made, both durably. If a process dies between the two, or somebody
edits an alias by hand, the next change notes what it found.

Writers take turns by a lock; readers need none and are never locked out.
"""

from __future__ import annotations

import getpass
import json
import platform
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.deploy.release import Limits, Release, build_release, read_release
from headrace.errors import ReleaseError, nearest
from headrace.storage.documents import canonical_json
from headrace.storage.files import (
    append_line,
    disk,
    flush_folder,
    make_folders,
    publish_folder,
    remove_leftovers,
    write_file,
)
from headrace.storage.lock import locked

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = ["ALIASES", "Change", "Registry", "find_release"]

ALIASES = ("champion", "challenger")

_VERSION = re.compile(r"[0-9a-f]{16}")
_MOST_ALIAS_BYTES = 64


@dataclass(frozen=True, kw_only=True)
class Change:
    """One line of a registry's history.

    Attributes:
        time: When, ISO 8601 in UTC.
        who: The user and the machine.
        action: "publish", "promote", "challenge", "withdraw", "rollback", or "found" for a state
            that no line of the history explains.
        version: The release it is about; None when an alias was taken away.
        alias: The alias that moves, if one does.
        previous: The version that the alias named before.
        why: The reason that was given.
        verdict: What the comparison said that led to the change.
        digest: The digest of the release's manifest.
    """

    time: str
    who: str
    action: str
    version: str | None
    alias: str | None = None
    previous: str | None = None
    why: str = ""
    verdict: str | None = None
    digest: str | None = None


class Registry:
    """A folder of releases.

    Args:
        path: The folder; made by the first publication.

    Example:
        >>> Registry("models/nothing-here").versions()
        ()
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Point to a registry; nothing is read or written."""
        self.path = Path(path).resolve()

    @property
    def _releases(self) -> Path:
        return self.path / "releases"

    @property
    def _history(self) -> Path:
        return self.path / "history.jsonl"

    # --- reading: no lock ---

    def versions(self) -> tuple[str, ...]:
        """Answer the versions of all releases, sorted."""
        if not self._releases.is_dir():
            return ()
        names = (entry.name for entry in self._releases.iterdir())
        return tuple(sorted(name for name in names if _VERSION.fullmatch(name)))

    def list(self) -> tuple[Release, ...]:
        """Open every release, the oldest first, with its alias.

        Raises:
            ReleaseError: One of them was altered.
        """
        named = {version: alias for alias in reversed(ALIASES) if (version := self.alias(alias))}
        found = [self._open(version, named.get(version)) for version in self.versions()]
        return tuple(sorted(found, key=lambda release: (release.created, release.version)))

    def alias(self, name: str) -> str | None:
        """Answer the version that an alias names, None when it is not set.

        Raises:
            ReleaseError: An unknown alias, or a damaged alias file.
        """
        _check_alias(name)
        file = self.path / "aliases" / name
        try:
            with file.open("rb") as stream:
                content = stream.read(_MOST_ALIAS_BYTES)
        except FileNotFoundError:
            return None
        version = content.decode("ascii", "replace").strip()
        if not _VERSION.fullmatch(version):
            raise ReleaseError(f"{file} should hold the version of a release, found {version!r}")
        return version

    def resolve(self, name: str = "champion", *, limits: Limits | None = None) -> Release:
        """Open the release of an alias or a version.

        Args:
            name: "champion", "challenger", a version, or the first digits of one.
            limits: Sizes above which a release is refused.

        Raises:
            ReleaseError: No such release, or it was altered.
        """
        if name in ALIASES:
            version = self.alias(name)
            if version is None:
                raise ReleaseError(f"the registry {self.path} has no {name} yet; {self._known()}")
            return self._open(version, name, limits)
        return self._open(self._complete(name), None, limits)

    def previous(self) -> Release | None:
        """Open the champion before this one, that a rollback would go back to.

        Raises:
            ReleaseError: It was altered.
        """
        past = self._past_champions()
        return self._open(past[-1], None) if past else None

    def history(self) -> tuple[Change, ...]:
        """Answer all changes, the oldest first; a line that was never finished is left out."""
        if not self._history.exists():
            return ()
        lines = self._history.read_bytes().split(b"\n")[:-1]
        try:
            return tuple(Change(**json.loads(line)) for line in lines)
        except (ValueError, TypeError) as error:
            raise ReleaseError(f"{self._history} is damaged: {error}") from error

    # --- writing: one at a time ---

    def publish(
        self, parts: Mapping[str, Any], *, notes: Mapping[str, Any] | None = None, why: str = ""
    ) -> Release:
        """Add a release; the aliases stay as they are.

        Publishing the same content again answers the release that is there.

        Args:
            parts: The content, see `headrace.deploy.release.build_release`.
            notes: Plain values for the manifest.
            why: The reason, for the history.

        Raises:
            ReleaseError: A part that cannot be stored.
            OSError: The disk refused; no release has been added.
        """
        self._make_folders()
        with locked(self.path / ".lock"):
            self._tidy()
            folder = publish_folder(
                self._releases,
                lambda temporary: build_release(temporary, parts, notes=notes),
                replace=self._is_damaged,
            )
            release = read_release(folder)
            digest = release.manifest["digest"]
            if self._published_digest(release.version) != digest:
                self._note("publish", release.version, why=why, digest=digest)
        return release

    def promote(self, version: str, why: str, *, verdict: str | None = None) -> Release:
        """Make a release the champion, the one that answers.

        Args:
            version: The release, or "challenger".
            why: The reason, for the history.
            verdict: What the comparison said, for the history.

        Raises:
            ReleaseError: No such release, or it was altered.
        """
        return self._move("promote", "champion", version, why, verdict)

    def challenge(self, version: str, why: str, *, verdict: str | None = None) -> Release:
        """Make a release the challenger, the one that is compared with the champion."""
        return self._move("challenge", "challenger", version, why, verdict)

    def withdraw(self, why: str) -> None:
        """Take the alias of the challenger away; its release stays."""
        with locked(self._existing() / ".lock"):
            self._tidy()
            self._drop_challenger(why)

    def rollback(self, why: str) -> Release:
        """Make the previous champion the champion again; twice goes back twice.

        Raises:
            ReleaseError: There was no champion before, or its release was altered.
        """
        with locked(self._existing() / ".lock"):
            self._tidy()
            past = self._past_champions()
            if not past:
                raise ReleaseError(
                    f"the registry {self.path} cannot roll back: no champion came before"
                )
            release = self._open(past[-1], "champion")
            self._set("rollback", "champion", release, why, None)
        return release

    # --- the inside ---

    def _move(
        self, action: str, alias: str, version: str, why: str, verdict: str | None
    ) -> Release:
        with locked(self._existing() / ".lock"):
            self._tidy()
            found = self.resolve(version)
            release = Release(found.path, found.version, found.manifest, alias)
            if self.alias(alias) != release.version:
                self._set(action, alias, release, why, verdict)
            if alias == "champion" and self.alias("challenger") == release.version:
                self._drop_challenger(f"became the champion: {why}")
        return release

    def _set(
        self, action: str, alias: str, release: Release, why: str, verdict: str | None
    ) -> None:
        previous, digest = self.alias(alias), release.manifest["digest"]
        self._note(
            action, release.version, alias=alias, previous=previous, why=why, verdict=verdict,
            digest=digest,
        )  # fmt: skip
        write_file(self.path / "aliases" / alias, f"{release.version}\n".encode())

    def _drop_challenger(self, why: str) -> None:
        previous = self.alias("challenger")
        if previous is not None:
            self._note("withdraw", None, alias="challenger", previous=previous, why=why)
            disk.unlink(self.path / "aliases" / "challenger")
            flush_folder(self.path / "aliases")

    def _note(self, action: str, version: str | None, **more: str | None) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        record = {"time": now, "who": _who(), "action": action, "version": version}
        record.update({key: value for key, value in more.items() if value is not None})
        append_line(self._history, canonical_json(record))

    def _tidy(self) -> None:
        """Remove what a killed writer left, and note a state that the history does not explain."""
        for folder in (self._releases, self.path / "aliases"):
            remove_leftovers(folder)
        for alias in ALIASES:
            told, found = self._told(alias), self.alias(alias)
            if told != found:
                why = "the alias and the history differed: a change was cut off, or made by hand"
                self._note("found", found, alias=alias, previous=told, why=why)

    def _published_digest(self, version: str) -> str | None:
        changes = [c for c in self.history() if c.action == "publish" and c.version == version]
        return changes[-1].digest if changes else None

    def _told(self, alias: str) -> str | None:
        versions = [change.version for change in self.history() if change.alias == alias]
        return versions[-1] if versions else None

    def _past_champions(self) -> tuple[str, ...]:
        """Answer the champions before this one that a rollback can go back to."""
        stack: list[str] = []
        for change in self.history():
            if change.alias != "champion" or change.version is None:
                continue
            if change.action in ("rollback", "found") and change.version in stack:
                # Back to an earlier one: those that came after it are gone.
                del stack[stack.index(change.version) + 1 :]
            elif not stack or stack[-1] != change.version:
                stack.append(change.version)
        return tuple(stack[:-1])

    def _open(self, version: str, alias: str | None, limits: Limits | None = None) -> Release:
        folder = self._releases / version
        if not folder.is_dir():
            raise ReleaseError(
                f"the registry {self.path} has no release {version}; {self._known()}"
            )
        release = read_release(folder, limits=limits, alias=alias)
        if release.version != version:
            raise ReleaseError(f"{folder} holds the release {release.version}; it was altered")
        if self._published_digest(version) not in (None, release.manifest["digest"]):
            raise ReleaseError(f"{folder}/manifest.json is not the one that was published")
        return release

    def _is_damaged(self, folder: Path) -> bool:
        """Say whether the release in the way may be replaced: when it can no longer be read."""
        try:
            self._open(folder.name, None)
        except ReleaseError:
            return True
        return False

    def _complete(self, name: str) -> str:
        fits = [version for version in self.versions() if name and version.startswith(name)]
        if len(fits) == 1:
            return fits[0]
        if fits:
            raise ReleaseError(f"{name!r} begins {len(fits)} versions; give more digits")
        close = nearest(name, (*ALIASES, *self.versions()))
        meant = f"; perhaps {close!r} is meant" if close else ""
        raise ReleaseError(
            f"the registry {self.path} has no release {name!r}{meant}; {self._known()}"
        )

    def _known(self) -> str:
        versions = self.versions()
        return f"it has {', '.join(versions[:10])}" if versions else "it has no releases"

    def _existing(self) -> Path:
        if not self._releases.is_dir():
            raise ReleaseError(f"{self.path} is not a registry: it has no folder 'releases'")
        return self.path

    def _make_folders(self) -> None:
        if (self.path / "manifest.json").exists():
            raise ReleaseError(f"{self.path} is a release; a registry needs a folder of its own")
        for folder in (self._releases, self.path / "aliases"):
            make_folders(folder)


def find_release(
    path: str | os.PathLike[str], name: str = "champion", *, limits: Limits | None = None
) -> tuple[Release, Path | None]:
    """Open what a path means: a release folder, or a registry's champion.

    Args:
        path: A release folder or a registry.
        name: For a registry: the alias or version to open.
        limits: Sizes above which a release is refused.

    Returns:
        The release, and the registry it was found in (None for a folder of its own).

    Raises:
        ReleaseError: Neither, or the release was altered.
    """
    folder = Path(path).resolve()
    if (folder / "manifest.json").is_file():
        return read_release(folder, limits=limits), None
    if (folder / "releases").is_dir():
        return Registry(folder).resolve(name, limits=limits), folder
    found = "holds neither" if folder.exists() else "does not exist"
    raise ReleaseError(
        "expected a release (a folder with manifest.json) or a registry (a folder with "
        f"releases/), but {folder} {found}"
    )


def _check_alias(name: str) -> None:
    if name not in ALIASES:
        raise ReleaseError(f"an alias is one of {', '.join(ALIASES)}; received {name!r}")


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return f"{user}@{platform.node() or 'unknown'}"
