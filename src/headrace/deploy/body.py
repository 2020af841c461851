"""JSON from outside: strict, with words for what is wrong with it and with the rows in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.errors import HeadraceError
from headrace.storage.documents import strict_json

if TYPE_CHECKING:
    from headrace.errors import DataError

__all__ = ["Refusal", "decode", "problems", "short"]

_LONGEST_VALUE = 200


class Refusal(HeadraceError):  # noqa: N818 - not a failure: an answer to the client
    """A request that cannot be answered.

    Attributes:
        status: The HTTP status that says why.
    """

    def __init__(self, status: int, text: str) -> None:
        """Keep the status and the text."""
        self.status = status
        super().__init__(text)


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


def short(text: str) -> str:
    """Answer a text, its end cut off where it is long.

    Example:
        >>> len(short("x" * 1000))
        200
    """
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and abs(value) < 1e15:
        return value
    return short(value if isinstance(value, str) else repr(value))
