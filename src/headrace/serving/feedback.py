"""Feedback: what turned out to be true of rows that were answered, when it is known."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from headrace.deploy.body import Refusal, decode, short
from headrace.ledger.items import Label
from headrace.serving.asking import check_rows, read_body

if TYPE_CHECKING:
    from starlette.requests import Request

    from headrace.serving.asking import BodyLimits

__all__ = ["labels_of", "read_json"]

_KEYS = {"id", "value", "time", "source"}
_LONGEST = 200


async def read_json(request: Request, limits: BodyLimits) -> list[Any]:
    """Answer the labels of a body, `{"labels": [{…}]}`, unchecked.

    Raises:
        Refusal: The body is something else.
    """
    value = decode(await read_body(request, limits))
    if not isinstance(value, dict) or set(value) != {"labels"}:
        raise Refusal(422, 'expected {"labels": [{"id": "…/0", "value": …}]}')
    return check_rows(value["labels"], limits.rows)


def labels_of(given: list[Any]) -> list[Label]:
    """Answer labels; all of them or none.

    Raises:
        Refusal: One of them is no label; it is named by its place.

    Example:
        >>> labels_of([{"id": "a/0", "value": "yes", "time": "2026-01-01T00:00:00Z"}])[0].time
        1767225600.0
    """
    return [_label(one, place) for place, one in enumerate(given)]


def _label(given: Any, place: int) -> Label:
    if not isinstance(given, dict) or not {"id", "value"} <= set(given) <= _KEYS:
        raise Refusal(
            422, f"label {place} should hold 'id' and 'value', perhaps 'time' and 'source'"
        )
    name, source = given["id"], given.get("source", "")
    if not isinstance(name, str) or not isinstance(source, str) or not 0 < len(name) <= _LONGEST:
        raise Refusal(422, f"the id and the source of label {place} should be short texts")
    return Label(name, given["value"], _time(given.get("time"), place), source[:_LONGEST])


def _time(given: Any, place: int) -> float:
    if given is None:
        return time.time()
    try:
        if isinstance(given, str):
            moment = datetime.fromisoformat(given)
            if moment.tzinfo is not None:
                return moment.timestamp()
        elif not isinstance(given, bool) and 0 <= given < 1e11:
            return float(given)
    except (TypeError, ValueError):
        pass
    raise Refusal(
        422,
        f"the time of label {place} should be seconds since 1970, or ISO 8601 with its zone, "
        f"received {short(repr(given))}",
    )
