"""Live adjustments: what an administrator changed of a served model, without a new release.

They lie beside the registry's aliases in `live.json`, so that every worker process and every
restart knows them; each change is a line of `live.jsonl`: who, when, what, why.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from headrace.errors import SettingError, nearest
from headrace.storage.documents import canonical_json, strict_json
from headrace.storage.files import append_line, write_file
from headrace.storage.lock import locked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Adjustments", "read_adjustments", "read_changes", "write_adjustments"]

_FILE, _LOG, _LOCK = "live.json", "live.jsonl", ".live.lock"
_MOST_BYTES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Adjustments:
    """What is changed of a served model.

    Attributes:
        canary: The version, or "challenger", that answers a share of the requests.
        share: That share, 0 to 1.
        shadow: The version, or "challenger", that answers all requests for comparison only.
        threshold: Of two classes: the probability of the second one from which it is answered.
        recalibrate: Of two classes: slope and shift of the log-odds.
        fallback: What is answered for every row while the model is switched off.
        killed: Whether the model is switched off: the fallback, or 503, is answered.
    """

    canary: str | None = None
    share: float = 0.0
    shadow: str | None = None
    threshold: float | None = None
    recalibrate: tuple[float, float] | None = None
    fallback: Any = None
    killed: bool = False

    def changed(self, given: Mapping[str, Any]) -> Adjustments:
        """Answer these with some of them changed.

        Raises:
            SettingError: An unknown name, or a value that cannot be.

        Example:
            >>> Adjustments().changed({"threshold": 0.3}).threshold
            0.3
        """
        names = [field.name for field in fields(self)]
        for name in given:
            if name not in names:
                close = nearest(name, names)
                meant = f"; perhaps {close!r} is meant" if close else ""
                raise SettingError(
                    f"unknown adjustment {name!r}{meant}; there are {', '.join(names)}"
                )
        checked = {name: _CHECKS[name](value) for name, value in given.items()}
        found = replace(self, **checked)
        if found.share and found.canary is None:
            raise SettingError("share needs a canary: which version answers it")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Answer them as plain values."""
        return asdict(self)


def read_adjustments(folder: Path) -> Adjustments:
    """Answer what is in force; nothing is changed where no file is.

    Raises:
        SettingError: The file is damaged.
    """
    try:
        with (folder / _FILE).open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return Adjustments()
    try:
        return Adjustments().changed(strict_json(data[:_MOST_BYTES]))
    except (ValueError, RecursionError, AttributeError) as error:
        raise SettingError(f"{folder / _FILE} is damaged: {error}") from error


def write_adjustments(folder: Path, given: Mapping[str, Any], *, who: str, why: str) -> Adjustments:
    """Change adjustments durably, and note who changed what, and why.

    Raises:
        SettingError: A value that cannot be; nothing has changed.
    """
    with locked(folder / _LOCK):
        before = read_adjustments(folder)
        after = before.changed(given)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"time": now, "who": who, "why": why, "changed": dict(given)}
        append_line(folder / _LOG, canonical_json(line))
        write_file(folder / _FILE, canonical_json(after.to_dict()))
    return after


def read_changes(folder: Path, most: int = 50) -> list[dict[str, Any]]:
    """Answer the last changes, the newest first."""
    try:
        lines = (folder / _LOG).read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in reversed(lines[-most:])]


def _version(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and 0 < len(value) <= 64):
        return value
    raise SettingError(f"expected a version, 'challenger' or null, received {value!r:.60}")


def _share(value: Any) -> float:
    return _between(value, "share")


def _between(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise SettingError(f"{name} should be a number from 0 to 1, received {value!r:.60}")
    return float(value)


def _threshold(value: Any) -> float | None:
    return None if value is None else _between(value, "threshold")


def _line(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    numbers = isinstance(value, list | tuple) and all(
        isinstance(one, int | float) and not isinstance(one, bool) and abs(one) < 1e3
        for one in value
    )
    if not numbers or len(value) != 2 or value[0] <= 0:
        raise SettingError(
            f"recalibrate should be a positive slope and a shift, received {value!r:.60}"
        )
    return float(value[0]), float(value[1])


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise SettingError(f"fallback should be a label or a number, received {value!r:.60}")


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise SettingError(f"killed should be true or false, received {value!r:.60}")
    return value


_CHECKS: dict[str, Any] = {
    "canary": _version,
    "share": _share,
    "shadow": _version,
    "threshold": _threshold,
    "recalibrate": _line,
    "fallback": _plain,
    "killed": _truth,
}
