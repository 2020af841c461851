"""Who answers now: champion, canary and shadow, exchanged while requests are answered.

A `Lineup` never changes. A request takes the present one once and keeps it to its end, so no answer
mixes two releases; a change puts a new lineup in the old one's place in one step.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headrace.deploy.registry import ALIASES, Registry
from headrace.deploy.runtime import Runtime
from headrace.errors import HeadraceError, ReleaseError, SettingError
from headrace.serving.adjustments import (
    Adjustments,
    read_adjustments,
    read_changes,
    write_adjustments,
)
from headrace.serving.answering import Answerer
from headrace.serving.schemas import ordinary_row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["Lineup", "Live"]

_log = logging.getLogger("headrace.serving")


@dataclass(frozen=True, eq=False)
class Lineup:
    """Who answers.

    Attributes:
        champion: Answers.
        canary: Answers a share of the requests.
        shadow: Answers as well, for comparison only.
        adjustments: What is changed of the answers.
    """

    champion: Answerer
    canary: Answerer | None = None
    shadow: Answerer | None = None
    adjustments: Adjustments = field(default_factory=Adjustments)

    def chosen(self) -> Answerer:
        """Answer who answers the next request."""
        if self.canary is not None and random.random() < self.adjustments.share:  # noqa: S311 - no secret
            return self.canary
        return self.champion

    def of(self, version: str) -> Answerer | None:
        """Answer a release of the lineup by its version."""
        found = (self.champion, self.canary, self.shadow)
        return next((one for one in found if one is not None and one.version == version), None)

    def versions(self) -> dict[str, str]:
        """Answer the version of each part that is there."""
        parts = {"champion": self.champion, "canary": self.canary, "shadow": self.shadow}
        return {part: one.version for part, one in parts.items() if one is not None}


class Live:
    """Keeps the lineup as the registry and the adjustments say.

    Args:
        runtime: The release that answers first.
        registry: The registry whose aliases are followed; None for a release by itself.
        alias: The alias that is followed; None to stay with the release.
        threads: Threads inside one call of a graph.
    """

    def __init__(
        self,
        runtime: Runtime,
        registry: Path | None = None,
        alias: str | None = None,
        *,
        threads: int = 1,
    ) -> None:
        """Take the adjustments that are in force."""
        self.registry = Registry(registry) if registry is not None else None
        self._alias = alias if alias in ALIASES else None
        self._threads = threads
        self._lock = threading.Lock()
        self._own_changes: list[dict[str, Any]] = []
        self._open: dict[str, Runtime] = {runtime.version: runtime}
        self.failure: str | None = None
        self.on_change: list[Callable[[Lineup], None]] = []
        self.lineup = Lineup(Answerer(runtime, Adjustments()))
        self.refresh()

    def refresh(self) -> bool:
        """Look at the registry; answer whether the lineup has changed.

        A release that cannot be opened changes nothing: the old one goes on, `failure` says why.
        """
        with self._lock:
            try:
                lineup = self._wanted(self._adjustments())
            except (HeadraceError, OSError) as error:
                if self.failure != str(error):
                    self.failure = str(error)
                    _tell("a change could not be made", error=str(error))
                return False
            self.failure = None
            return lineup is not None and self._take(lineup)

    def adjust(self, given: Mapping[str, Any], *, who: str, why: str) -> Adjustments:
        """Change adjustments; the next request is answered by them.

        Raises:
            SettingError: A value that cannot be.
            ReleaseError: A version that is not there.
            Refusal: An adjustment that does not fit the task.
        """
        with self._lock:
            before = self._adjustments()
            # Tried first, so that nothing is written down that cannot be.
            self._wanted(before.changed(given))
            if self.registry is not None:
                after = write_adjustments(self.registry.path, given, who=who, why=why)
            else:
                after = before.changed(given)
                line = {"time": time.time(), "who": who, "why": why, "changed": dict(given)}
                self._own_changes.insert(0, line)
            lineup = self._wanted(after)
            if lineup is not None:
                self._take(lineup)
            _tell("adjusted", who=who, why=why, changed=dict(given))
            return after

    def changes(self) -> list[dict[str, Any]]:
        """Answer the last adjustments, the newest first."""
        if self.registry is None:
            return self._own_changes[:50]
        return read_changes(self.registry.path)

    def move(self, action: str, version: str, *, who: str, why: str) -> str:
        """Promote a release or roll back; answer the version that is the champion now.

        Raises:
            SettingError: There is no registry, or no such action.
            ReleaseError: No such release.
        """
        if self.registry is None:
            raise SettingError("this server answers one release; a registry can promote another")
        told = f"{why} ({who}, by the server)"
        if action == "promote":
            release = self.registry.promote(version, told)
        elif action == "rollback":
            release = self.registry.rollback(told)
        else:
            raise SettingError(f"expected 'promote' or 'rollback', received {action!r}")
        self.refresh()
        return release.version

    def _adjustments(self) -> Adjustments:
        if self.registry is None:
            return self.lineup.adjustments
        return read_adjustments(self.registry.path)

    def _wanted(self, adjustments: Adjustments) -> Lineup | None:
        """Answer the lineup that should be; None where it is there already."""
        now = self.lineup
        champion = now.champion.version
        if self.registry is not None and self._alias is not None:
            champion = self.registry.alias(self._alias) or champion
        versions = {"champion": champion}
        for part in ("canary", "shadow"):
            named = getattr(adjustments, part)
            if named is not None:
                versions[part] = self._version(named)
        if versions == now.versions() and adjustments == now.adjustments:
            return None
        answerers = {
            part: Answerer(self._runtime(version), adjustments)
            for part, version in versions.items()
        }
        _check_alike(answerers)
        return Lineup(**answerers, adjustments=adjustments)

    def _version(self, name: str) -> str:
        if self.registry is None:
            raise SettingError("this server answers one release; a registry has others")
        if name in ALIASES:
            found = self.registry.alias(name)
            if found is None:
                raise ReleaseError(f"the registry {self.registry.path.name} has no {name}")
            return found
        return self.registry.resolve(name).version

    def _runtime(self, version: str) -> Runtime:
        """Open a release once, and let it answer a row before anybody waits for it."""
        if version not in self._open:
            if self.registry is None:
                raise SettingError("this server answers one release; a registry has others")
            runtime = Runtime(self.registry.path, name=version, threads=self._threads)
            runtime.predict([ordinary_row(runtime)])
            self._open[version] = runtime
        return self._open[version]

    def _take(self, lineup: Lineup) -> bool:
        before = self.lineup.versions()
        self.lineup = lineup
        kept = set(lineup.versions().values())
        self._open = {version: one for version, one in self._open.items() if version in kept}
        for told in self.on_change:
            told(lineup)
        if before != lineup.versions():
            _tell("releases changed", before=before, now=lineup.versions())
        return True


def _check_alike(answerers: Mapping[str, Answerer]) -> None:
    """Refuse a canary that answers another question than the champion."""
    champion = answerers["champion"].runtime
    for part, one in answerers.items():
        same = one.runtime.task == champion.task and one.runtime.classes == champion.classes
        if not same:
            raise SettingError(
                f"the {part} {one.version} answers {one.runtime.task}, the champion "
                f"{champion.task}; they should answer the same"
            )


def _tell(event: str, **details: Any) -> None:
    _log.info(json.dumps({"event": event, **details}, ensure_ascii=False, default=str))
