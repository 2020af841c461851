"""What a request asks: the rows in its body, in any of four forms, and what is wanted beside."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from headrace.conformal.settings import check_level
from headrace.deploy.body import Refusal, decode, short
from headrace.errors import SettingError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

__all__ = ["ARROW", "JSON", "LINES", "Asked", "BodyLimits", "asked", "check_rows", "read_body"]

JSON = "application/json"
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
ARROW = "application/vnd.apache.arrow.stream"

_FORMS: dict[str, Literal["json", "lines", "arrow"]] = {
    JSON: "json",
    **dict.fromkeys(LINES, "lines"),
    ARROW: "arrow",
}
_KEYS = ("rows", "columns", "interval", "explain", "probabilities")
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, kw_only=True)
class BodyLimits:
    """What one request may hold.

    Attributes:
        bytes: The size of the body.
        rows: The number of rows in it.
        seconds: How long the body may take to arrive.
    """

    bytes: int = 16 << 20
    rows: int = 10_000
    seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks.

    Attributes:
        rows: The rows, as they came.
        interval: The level of intervals or sets; None for none.
        explain: Whether each answer shall be explained.
        probabilities: Whether the probabilities of the classes are wanted.
        form: The form of the body, and of the answer.
    """

    rows: list[Any]
    interval: float | None = None
    explain: bool = False
    probabilities: bool = True
    form: Literal["json", "lines", "arrow"] = "json"


async def asked(request: Request, limits: BodyLimits) -> Asked:
    """Read what a request asks.

    JSON holds `{"rows": [{…}]}` or `{"columns": {"age": […]}}`, and options beside them; JSON lines
    and Arrow streams hold the rows alone, and the options are in the address: `?interval=0.9`.

    Raises:
        Refusal: Too large, of an unknown form, malformed, or without rows.
    """
    form = _form(request.headers)
    data = await read_body(request, limits)
    if form == "json":
        value = decode(data)
        if request.url.query:
            raise Refusal(422, "options of a JSON request belong into its body")
        return _of_json(value, limits.rows)
    rows = _of_lines(data) if form == "lines" else _of_arrow(data, limits)
    options = _options(dict(request.query_params))
    return Asked(check_rows(rows, limits.rows), form=form, **options)


async def read_body(request: Request, limits: BodyLimits) -> bytes:
    """Answer the body of a request.

    Raises:
        Refusal: Larger than the limit (before it is read, where the length is declared), too slow,
            or compressed.
    """
    encoding = request.headers.get("content-encoding")
    if encoding not in (None, "", "identity"):
        raise Refusal(415, f"a compressed body ({short(encoding)}) is not accepted")
    length = request.headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and int(length) > limits.bytes:
        raise _too_large(limits.bytes)
    parts, size = [], 0
    try:
        async with asyncio.timeout(limits.seconds):
            async for part in request.stream():
                size += len(part)
                if size > limits.bytes:
                    raise _too_large(limits.bytes)
                parts.append(part)
    except TimeoutError as error:
        raise Refusal(408, f"the body did not arrive within {limits.seconds:g} s") from error
    return parts[0] if len(parts) == 1 else b"".join(parts)


def check_rows(rows: Any, limit: int) -> list[Any]:
    """Answer rows if they are some, and not too many.

    Raises:
        Refusal: No list, empty, or more than the limit.
    """
    if not isinstance(rows, list) or not rows:
        raise Refusal(422, f"'rows' should be a list of one or more rows, received {_kind(rows)}")
    if len(rows) > limit:
        raise Refusal(413, f"{len(rows)} rows are more than the {limit} that one request may hold")
    return rows


def _of_json(value: Any, limit: int) -> Asked:
    if not isinstance(value, dict):
        raise Refusal(422, f'expected {{"rows": [{{…}}]}}, received {_kind(value)}')
    if unknown := [key for key in value if key not in _KEYS]:
        close = nearest(unknown[0], _KEYS)
        hint = f"; did you mean {close!r}?" if close else f"; the keys are {', '.join(_KEYS)}"
        raise Refusal(422, f"unknown key {short(unknown[0])!r}{hint}")
    if "columns" in value and "rows" in value:
        raise Refusal(422, "give either 'rows' or 'columns', not both")
    rows = _of_columns(value["columns"]) if "columns" in value else value.get("rows")
    return Asked(
        check_rows(rows, limit),
        _level(value.get("interval")),
        _truth(value.get("explain", False), "explain"),
        _truth(value.get("probabilities", True), "probabilities"),
    )


def _of_columns(columns: Any) -> list[dict[str, Any]]:
    """Answer columns as rows."""
    right = isinstance(columns, dict) and columns
    if not right or not all(isinstance(values, list) for values in columns.values()):
        raise Refusal(422, f"'columns' should be lists by name, received {_kind(columns)}")
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        short_one, long_one = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.get)  # type: ignore[arg-type]
        raise Refusal(
            422,
            f"the columns should be equally long; {short(short_one)!r} has {lengths[short_one]} "
            f"values and {short(long_one)!r} {lengths[long_one]}",
        )
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _of_lines(data: bytes) -> list[Any]:
    rows = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(decode(line))
        except Refusal as refusal:
            raise Refusal(refusal.status, f"line {number}: {refusal}") from refusal
    return rows


def _of_arrow(data: bytes, limits: BodyLimits) -> list[Any]:
    """Answer the rows of an Arrow stream; numbers, texts, truth values and dates."""
    import pyarrow as pa

    try:
        with pa.ipc.open_stream(pa.BufferReader(data)) as reader:
            batches, count = [], 0
            for batch in reader:
                count += batch.num_rows
                if count > limits.rows:
                    raise Refusal(
                        413, f"more than the {limits.rows} rows that one request may hold"
                    )
                batch.validate(full=True)
                batches.append(batch)
            table = pa.Table.from_batches(batches, reader.schema)
    except pa.ArrowException as error:
        raise Refusal(400, f"expected an Arrow stream: {short(str(error))}") from error
    names = table.column_names
    if len(set(names)) < len(names):
        raise Refusal(400, "the Arrow stream has two columns of one name")
    return [{name: _plain(value) for name, value in row.items()} for row in table.to_pylist()]


def _plain(value: Any) -> Any:
    """Answer a value of Arrow as JSON would hold it, so that it can be kept and sent on."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return None if value != value else value  # noqa: PLR0124 - NaN, a missing value
    return value.isoformat() if isinstance(value, date) else str(value)


def _options(given: Mapping[str, str]) -> dict[str, Any]:
    """Answer the options that stand in the address."""
    known = {"interval", "explain", "probabilities"}
    if unknown := [key for key in given if key not in known]:
        raise Refusal(422, f"unknown option {short(unknown[0])!r}")
    found: dict[str, Any] = {}
    if "interval" in given:
        try:
            found["interval"] = _level(float(given["interval"]))
        except ValueError as error:
            raise Refusal(
                422, f"interval should be a number, received {short(given['interval'])!r}"
            ) from error
    for name in ("explain", "probabilities"):
        if name in given:
            found[name] = _truth(_TRUTH.get(given[name].lower(), given[name]), name)
    return found


def _form(headers: Mapping[str, str]) -> Literal["json", "lines", "arrow"]:
    kind, _, settings = (headers.get("content-type") or JSON).partition(";")
    form = _FORMS.get(kind.strip().lower())
    if form is None:
        raise Refusal(
            415,
            f"expected {JSON}, {LINES[0]} or {ARROW}, received {short(kind.strip())!r}",
        )
    charset = settings.partition("charset=")[2].strip(' "').lower()
    if charset not in ("", "utf-8", "utf8"):
        raise Refusal(415, f"expected UTF-8, received the charset {short(charset)!r}")
    return form


def _level(level: Any) -> float | None:
    try:
        return None if level is None else check_level(level)
    except SettingError as error:
        raise Refusal(422, str(error)) from error


def _truth(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise Refusal(422, f"{name!r} should be true or false, received {_kind(value)}")
    return value


def _too_large(limit: int) -> Refusal:
    return Refusal(413, f"the body is larger than the {limit:,} bytes that one request may hold")


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", type(None): "nothing"}
    if value == []:
        return "an empty list"
    return names.get(type(value), f"{value!r:.50}")
