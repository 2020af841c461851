"""Why a part ran: what differs from the last time, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.storage.documents import canonical_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from headrace.cache.cache import Entry

__all__ = ["kept_text", "why"]

_NEVER = "never before"
_GONE = object()
_LONGEST = 60
_MANY = 4


def why(ingredients: Mapping[str, Any], before: Sequence[Entry]) -> str:
    """Answer what differs from what was kept of the same part.

    Of several, the one that has most in common is compared, and of these the latest.

    Example:
        >>> from types import SimpleNamespace as Of
        >>> kept = Of(ingredients={"parameters": {"Clip": {"low": 0.01}}}, used=0)
        >>> why({"parameters": {"Clip": {"low": 0.02}}}, [kept])
        'parameters of Clip changed: low 0.01 -> 0.02'
    """
    if not before:
        return _NEVER
    nearest = min(before, key=lambda one: (_distance(ingredients, one.ingredients), -_age(one)))
    texts = [
        text
        for section, said in _SECTIONS.items()
        for text in said(nearest.ingredients.get(section, {}), ingredients.get(section, {}))
    ]
    return "; ".join(texts) or "what was kept was cleaned away"


def kept_text(entry: Entry) -> str:
    """Answer since when something is kept, in local time, and what that saves."""
    made = entry.made.astimezone().strftime("%Y-%m-%d %H:%M") if entry.made else "?"
    return f"kept from {made}, saved {entry.seconds:.1f} s"


def _age(entry: Any) -> float:
    used = entry.used
    return float(used.timestamp() if hasattr(used, "timestamp") else used)


def _distance(left: Mapping[str, Any], right: Mapping[str, Any]) -> int:
    return sum(_leaves(left.get(key, {}), right.get(key, {})) for key in _SECTIONS)


def _leaves(left: Any, right: Any) -> int:
    """Answer how many values differ, at whatever depth."""
    if not (isinstance(left, dict) and isinstance(right, dict)):
        return int(not _equal(left, right))
    return sum(_leaves(*pair) for pair in _differences(left, right).values())


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = list(dict.fromkeys([*old, *new]))
    pairs = {name: (old.get(name, _GONE), new.get(name, _GONE)) for name in names}
    return {name: pair for name, pair in pairs.items() if not _equal(*pair)}


def _equal(left: Any, right: Any) -> bool:
    """Answer whether two values are written alike; 1, 1.0 and True are not."""
    if left is _GONE or right is _GONE:
        return False
    return canonical_json(left) == canonical_json(right)


def _of_data(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    texts = []
    for name, (was, is_now) in _differences(old, new).items():
        if isinstance(was, dict) and isinstance(is_now, dict) and "count" in is_now:
            texts.append(f"{name} changed{_rows(was, is_now)}")
        else:
            texts.append(f"{name} changed{_step(was, is_now)}")
    return texts


def _rows(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    if old.get("count") != new.get("count"):
        return f" ({old.get('count')} -> {new.get('count')})"
    columns = _differences(old.get("columns", {}), new.get("columns", {}))
    if not columns:
        return ""
    words = {0: "values of", 1: "without", 2: "with"}
    kinds = [
        (1 if b is _GONE else 2 if a is _GONE else 0, name) for name, (a, b) in columns.items()
    ]
    first = min(kinds)[0]
    return f" ({words[first]} {_listed([repr(name) for kind, name in kinds if kind == first])})"


def _of_code(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    changed = [name.rpartition(".")[2] for name in _differences(old, new)]
    return [f"the code of {_listed(changed)} changed"] if changed else []


def _of_parameters(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    texts = []
    for owner, (was, is_now) in _differences(old, new).items():
        if isinstance(was, dict) and isinstance(is_now, dict):
            steps = [f"{n}{_step(*pair)}" for n, pair in _differences(was, is_now).items()]
            texts.append(f"parameters of {owner} changed: {_listed(steps)}")
        else:
            texts.append(f"{owner} changed{_step(was, is_now)}")
    return texts


def _of_versions(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [f"{name}{_step(*pair)}" for name, pair in _differences(old, new).items()]


def _of_before(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    changed = list(_differences(old, new))
    return [f"what comes before it changed ({_listed(changed)})"] if changed else []


def _step(old: Any, new: Any) -> str:
    """Answer the way from one value to the other, where both can be shown."""
    if old is _GONE or new is _GONE:
        return " came" if old is _GONE else " went"
    texts = [str(value) for value in (old, new)]
    if any(len(text) > _LONGEST for text in texts) or any(_is_hash(t) for t in texts):
        return ""
    return f" {texts[0]} -> {texts[1]}"


def _is_hash(text: str) -> bool:
    return len(text) >= 16 and all(letter in "0123456789abcdef" for letter in text)


def _listed(texts: Sequence[str]) -> str:
    more = len(texts) - _MANY
    return ", ".join(texts[:_MANY]) + (f" and {more} more" if more > 0 else "")


_SECTIONS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], list[str]]] = {
    "data": _of_data,
    "before": _of_before,
    "code": _of_code,
    "parameters": _of_parameters,
    "versions": _of_versions,
}
