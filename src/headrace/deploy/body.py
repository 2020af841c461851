"""Request bodies and lines from outside: limits first, then strict JSON, then rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrace.conformal.settings import check_level
from headrace.errors import DataError, HeadraceError, SettingError, nearest
from headrace.storage.documents import strict_json

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["BodyLimits", "Refusal", "decode", "interval_of", "problems", "read_body", "rows_of"]

_LONGEST_VALUE = 200
_KEYS = ("rows", "interval")


@dataclass(frozen=True, kw_only=True)
class BodyLimits:
    """What one request may hold.

    Attributes:
        bytes: The size of the body.
        rows: The number of rows in it.
    """

    bytes: int = 16 << 20
    rows: int = 10_000


class Refusal(HeadraceError):  # noqa: N818 - not a failure: an answer to the client
    """A request that cannot be answered.

    Attributes:
        status: The HTTP status that says why.
    """

    def __init__(self, status: int, text: str) -> None:
        """Keep the status and the text."""
        self.status = status
        super().__init__(text)


async def read_body(request: Request, limit: int) -> bytes:
    """Answer the body of a JSON request.

    Raises:
        Refusal: Larger than the limit (before it is read, where the length is declared), not
            declared as JSON, or in another encoding than UTF-8.
    """
    _check_type(request.headers.get("content-type"), request.headers.get("content-encoding"))
    length = request.headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return b"".join(parts)


def decode(data: bytes) -> Any:
    """Answer the value of a strict JSON text.

    Raises:
        Refusal: Not UTF-8, malformed, a repeated key, NaN or Infinity, nested too deeply.

    Example:
        >>> decode(b'{"rows": [{"age": 39}]}')
        {'rows': [{'age': 39}]}
    """
    try:
        return strict_json(data)
    except UnicodeDecodeError as error:
        raise Refusal(400, f"expected UTF-8, byte {error.start} is not") from error
    except ValueError as error:
        raise Refusal(400, f"expected JSON: {error}") from error
    except RecursionError as error:
        raise Refusal(400, "expected JSON, this is nested too deeply") from error


def rows_of(value: Any, limit: int) -> list[Any]:
    """Answer the rows of a decoded body, `{"rows": [{…}, …]}`, perhaps with `"interval": 0.9`.

    Raises:
        Refusal: Another shape, no rows, or more than the limit.
    """
    if not isinstance(value, dict):
        raise Refusal(422, f'expected {{"rows": [{{…}}]}}, received {_kind(value)}')
    if unknown := [key for key in value if key not in _KEYS]:
        close = nearest(unknown[0], _KEYS)
        hint = f"; did you mean {close!r}?" if close else "; the keys are 'rows' and 'interval'"
        raise Refusal(422, f"unknown key {_short(unknown[0])!r}{hint}")
    rows = value.get("rows")
    if not isinstance(rows, list) or not rows:
        raise Refusal(422, f"'rows' should be a list of one or more rows, received {_kind(rows)}")
    if len(rows) > limit:
        raise Refusal(413, f"{len(rows)} rows are more than the {limit} that one request may hold")
    return rows


def interval_of(value: Any) -> float | None:
    """Answer the level of intervals that a decoded body asks for; None for none.

    Raises:
        Refusal: It is no number between 0 and 1.

    Example:
        >>> interval_of({"rows": [{"age": 39}], "interval": 0.9})
        0.9
    """
    level = value.get("interval")
    try:
        return None if level is None else check_level(level)
    except SettingError as error:
        raise Refusal(422, str(error)) from error


def problems(error: DataError) -> list[dict[str, Any]]:
    """Answer what is wrong with rows as plain values that JSON can hold."""
    return [
        {
            "column": problem.column,
            "row": problem.row,
            "value": _plain(problem.value),
            "error": problem.text,
            "hint": problem.hint,
        }
        for problem in error.problems
    ]


def _check_type(content_type: str | None, encoding: str | None) -> None:
    kind, _, settings = (content_type or "application/json").partition(";")
    if kind.strip().lower() != "application/json":
        raise Refusal(415, f"expected application/json, received {_short(kind.strip())!r}")
    charset = settings.partition("charset=")[2].strip(' "').lower()
    if charset not in ("", "utf-8", "utf8"):
        raise Refusal(415, f"expected UTF-8, received the charset {_short(charset)!r}")
    if encoding not in (None, "", "identity"):
        raise Refusal(415, f"a compressed body ({_short(encoding)}) is not accepted")


def _too_large(limit: int) -> Refusal:
    return Refusal(413, f"the body is larger than the {limit:,} bytes that one request may hold")


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and abs(value) < 1e15:
        return value
    return _short(value if isinstance(value, str) else repr(value))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", type(None): "nothing"}
    if value == []:
        return "an empty list"
    return names.get(type(value), f"{value!r:.50}")
