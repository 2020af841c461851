"""The Open Inference Protocol, version 2: what KServe, Triton and Seldon clients speak.

Each column of the release is a tensor of its own, with one value for each row; a column that may be
absent may be left out. Numbers are FP64 (any number type is taken), truth values BOOL, texts and
dates BYTES. A missing value is NaN in binary tensors, null in JSON, and the empty text.
The binary tensor extension is understood in both directions.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
from starlette.responses import Response

import headrace
from headrace.deploy.body import Refusal, decode, short
from headrace.errors import DataError
from headrace.serving.asking import Asked, check_rows, read_body
from headrace.serving.openapi import operation, path_parameter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.requests import Request

    from headrace.serving.answering import Answerer
    from headrace.serving.app import Service

__all__ = ["Inference"]

_HEADER = "inference-header-content-length"
_NUMBERS = {
    **{f"UINT{bits}": f"<u{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": f"<i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
    "BOOL": "?",
}
_KINDS = {"number": "FP64", "boolean": "BOOL"}


class Inference:
    """The paths under `/v2`.

    Args:
        service: Who answers.
        name: What the model is called.
    """

    def __init__(self, service: Service, name: str) -> None:
        self._service = service
        self.name = name
        service.operations |= _operations()

    def routes(self) -> Iterator[tuple[str, Any, str]]:
        """Answer the paths, what answers them, and the methods."""
        for start in ("/v2", "/v2/"):
            yield start, self._guarded(self.server), "GET"
        yield "/v2/health/live", self._service.live_probe, "GET"
        yield "/v2/health/ready", self._service.ready_probe, "GET"
        for start in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
            yield start, self._guarded(self.metadata), "GET"
            yield f"{start}/ready", self._guarded(self.ready), "GET"
            yield f"{start}/infer", self._guarded(self.infer), "POST"

    async def server(self, _: Request) -> Response:
        """Say what the server is."""
        return _json(
            {
                "name": "headrace",
                "version": headrace.__version__,
                "extensions": ["binary_tensor_data"],
            }
        )

    async def ready(self, request: Request) -> Response:
        """Say that a model answers."""
        self._answerer(request)
        return _json({"name": self.name, "ready": True})

    async def metadata(self, request: Request) -> Response:
        """Say which tensors a model takes and answers."""
        runtime = self._answerer(request).runtime
        inputs = [
            {"name": column.name, "datatype": _KINDS.get(column.kind, "BYTES"), "shape": [-1]}
            for column in runtime.schema
        ]
        known = set(self._service.live.lineup.versions().values())
        return _json(
            {
                "name": self.name,
                "versions": sorted(known),
                "platform": "onnx_headrace",
                "inputs": inputs,
                "outputs": _outputs(self._answerer(request)),
            }
        )

    async def infer(self, request: Request) -> Response:
        """Answer tensors."""
        data = await read_body(request, self._service.limits)
        head, rest = _split(data, request.headers.get(_HEADER))
        asked = decode(head)
        answerer = self._answerer(request, default=None)
        rows = _rows(asked, rest, {column.name for column in self._schema(answerer)})
        wanted = Asked(check_rows(rows, self._service.limits.rows))
        says = await self._service.answer(request, wanted, answerer)
        return _answer(self.name, asked, says)

    def _schema(self, answerer: Answerer | None) -> Any:
        return (answerer or self._service.live.lineup.champion).runtime.schema

    def _answerer(self, request: Request, default: Any = ...) -> Any:
        """Answer who is asked by the path; the champion where no version is named."""
        model, version = request.path_params["model"], request.path_params.get("version")
        if model != self.name:
            raise Refusal(404, f"there is no model {short(model)!r}; there is {self.name!r}")
        if version is None:
            return self._service.live.lineup.champion if default is ... else default
        found = self._service.live.lineup.of(version)
        if found is None:
            known = ", ".join(sorted(set(self._service.live.lineup.versions().values())))
            raise Refusal(404, f"the version {short(version)!r} does not answer; there is {known}")
        return found

    def _guarded(self, act: Any) -> Any:
        async def answer(request: Request) -> Response:
            try:
                response: Response = await act(request)
            except DataError as error:
                return _json({"error": str(error)}, 400)
            except Refusal as refusal:
                status = 400 if refusal.status == 422 else refusal.status
                return _json({"error": str(refusal)}, status)
            return response

        return answer


# -- what comes in --------------------------------------------------------------------------------


def _split(data: bytes, length: str | None) -> tuple[bytes, memoryview]:
    """Answer the JSON of a body, and the binary tensors behind it."""
    if length is None:
        return data, memoryview(b"")
    if not (length.isascii() and length.isdigit()) or int(length) > len(data):
        raise Refusal(400, f"{_HEADER} should be the length of the JSON, received {length!r:.40}")
    return data[: int(length)], memoryview(data)[int(length) :]


def _rows(asked: Any, rest: memoryview, known: set[str]) -> list[dict[str, Any]]:
    inputs = asked.get("inputs") if isinstance(asked, dict) else None
    if not isinstance(inputs, list) or not inputs:
        raise Refusal(400, "expected 'inputs', a list of one or more tensors")
    columns: dict[str, list[Any]] = {}
    for tensor in inputs:
        name, rest = _column(tensor, rest, columns)
        if name not in known:
            raise Refusal(400, f"the model has no input {short(name)!r}")
    if len(rest):
        raise Refusal(400, f"{len(rest)} bytes are left behind the last tensor")
    counts = {len(values) for values in columns.values()}
    if len(counts) > 1:
        raise Refusal(400, f"the inputs have unequal numbers of rows: {sorted(counts)}")
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _column(tensor: Any, rest: memoryview, columns: dict[str, list[Any]]) -> tuple[str, memoryview]:
    """Read one tensor into the columns; answer its name and the bytes behind it."""
    if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
        raise Refusal(400, "each input should have a name, a shape, a datatype and data")
    name, kind = tensor["name"], tensor.get("datatype")
    if kind not in _NUMBERS and kind != "BYTES":
        raise Refusal(400, f"the input {short(name)!r} has the unknown datatype {kind!r:.40}")
    if name in columns:
        raise Refusal(400, f"the input {short(name)!r} is given twice")
    count = _count(name, tensor.get("shape"))
    size = (tensor.get("parameters") or {}).get("binary_data_size")
    if size is None:
        values = _flat(tensor.get("data"))
    else:
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(rest):
            raise Refusal(400, f"binary_data_size of {short(name)!r} is {size!r:.40}")
        values, rest = _binary(name, kind, rest[:size]), rest[size:]
    if len(values) != count:
        raise Refusal(400, f"the input {short(name)!r} has {len(values)} values, not {count}")
    columns[name] = values
    return name, rest


def _count(name: str, shape: Any) -> int:
    whole = isinstance(shape, list) and all(
        isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in shape
    )
    if not whole or len(shape) not in (1, 2) or shape[1:] not in ([], [1]):
        raise Refusal(400, f"the shape of {short(name)!r} should be [rows] or [rows, 1]")
    return int(shape[0])


def _flat(data: Any) -> list[Any]:
    """Answer values, whether they are nested by row or not."""
    if not isinstance(data, list):
        raise Refusal(400, "the data of a tensor should be a list")
    if data and all(isinstance(one, list) and len(one) == 1 for one in data):
        return [one[0] for one in data]
    return data


def _binary(name: str, kind: str, data: memoryview) -> list[Any]:
    if kind == "BYTES":
        return _texts(name, data)
    dtype = np.dtype(_NUMBERS[kind])
    if len(data) % dtype.itemsize:
        raise Refusal(400, f"the bytes of {short(name)!r} are no whole {kind} values")
    values: list[Any] = np.frombuffer(data, dtype).tolist()
    return [None if isinstance(v, float) and math.isnan(v) else v for v in values]


def _texts(name: str, data: memoryview) -> list[str]:
    """Answer texts; each has its length before it, four bytes, the lowest first."""
    texts, place = [], 0
    while place < len(data):
        if place + 4 > len(data):
            raise Refusal(400, f"the bytes of {short(name)!r} end within a length")
        (size,) = struct.unpack_from("<I", data, place)
        place += 4
        if place + size > len(data):
            raise Refusal(400, f"the bytes of {short(name)!r} end within a text")
        try:
            texts.append(bytes(data[place : place + size]).decode("utf-8"))
        except UnicodeDecodeError as error:
            raise Refusal(400, f"a text of {short(name)!r} is not UTF-8") from error
        place += size
    return texts


# -- what goes out --------------------------------------------------------------------------------


def _outputs(answerer: Answerer) -> list[dict[str, Any]]:
    runtime = answerer.runtime
    if runtime.task == "joint":
        columns = runtime.target.columns if runtime.target else ()
        return [{"name": name, "datatype": "BYTES", "shape": [-1]} for name in columns]
    kind = "BYTES" if runtime.classes else "INT64" if runtime.task == "clustering" else "FP64"
    found = [{"name": "prediction", "datatype": kind, "shape": [-1]}]
    if runtime.classes:
        shape = [-1, len(runtime.classes)]
        found.append({"name": "probabilities", "datatype": "FP64", "shape": shape})
    return found


def _tensors(says: Mapping[str, Any]) -> dict[str, tuple[str, list[int], list[Any]]]:
    """Answer datatype, shape and flat values of each tensor that can be answered."""
    predictions = says["predictions"]
    rows = len(predictions)
    if isinstance(predictions[0], dict):
        return {
            name: ("BYTES", [rows], [_text(row[name]) for row in predictions])
            for name in predictions[0]
        }
    found: dict[str, tuple[str, list[int], list[Any]]] = {}
    if "classes" in says or isinstance(predictions[0], str):
        found["prediction"] = ("BYTES", [rows], [_text(one) for one in predictions])
    elif isinstance(predictions[0], int):
        found["prediction"] = ("INT64", [rows], list(predictions))
    else:
        found["prediction"] = ("FP64", [rows], list(predictions))
    if "probabilities" in says:
        flat = [value for row in says["probabilities"] for value in row]
        found["probabilities"] = ("FP64", [rows, len(says["classes"])], flat)
    for name, values in says.get("distribution", {}).items():
        found[name] = ("FP64", [rows], values)
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _answer(name: str, asked: Mapping[str, Any], says: Mapping[str, Any]) -> Response:
    tensors = _tensors(says)
    binary_all = bool((asked.get("parameters") or {}).get("binary_data_output"))
    wanted = _wanted(asked.get("outputs"), list(tensors), binary=binary_all)
    outputs, parts = [], []
    for output, binary in wanted.items():
        kind, shape, values = tensors[output]
        told: dict[str, Any] = {"name": output, "shape": shape, "datatype": kind}
        if binary:
            parts.append(_bytes(kind, values))
            told["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            told["data"] = values
        outputs.append(told)
    answer: dict[str, Any] = {"model_name": name, "model_version": says["version"]}
    if isinstance(asked.get("id"), str):
        answer["id"] = asked["id"]
    answer |= {"parameters": {"headrace_id": says["id"]}, "outputs": outputs}
    if not parts:
        return _json(answer)
    from headrace.serving.app import encode

    head = encode(answer)
    return Response(
        b"".join([head, *parts]),
        media_type="application/octet-stream",
        headers={"Inference-Header-Content-Length": str(len(head))},
    )


def _wanted(outputs: Any, known: list[str], *, binary: bool) -> dict[str, bool]:
    """Answer the outputs that are wanted, and whether each should be binary."""
    if outputs is None or outputs == []:
        return dict.fromkeys(known, binary)
    if not isinstance(outputs, list):
        raise Refusal(400, "'outputs' should be a list")
    wanted = {}
    for one in outputs:
        name = one.get("name") if isinstance(one, dict) else None
        if name not in known:
            raise Refusal(
                400, f"the model has no output {name!r:.60}; there are {', '.join(known)}"
            )
        wanted[name] = bool((one.get("parameters") or {}).get("binary_data", binary))
    return wanted


def _bytes(kind: str, values: list[Any]) -> bytes:
    if kind != "BYTES":
        return np.asarray(values, _NUMBERS[kind]).tobytes()
    texts = [value.encode() for value in values]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def _json(content: Any, status: int = 200) -> Response:
    from headrace.serving.app import json_response

    return json_response(content, status)


def _operations() -> dict[str, Any]:
    model = [path_parameter("model")]
    both = [*model, path_parameter("version")]
    found = {"GET /v2": operation("What the server is", refusals=(401,))}
    for start, given in (
        ("/v2/models/{model}", model),
        ("/v2/models/{model}/versions/{version}", both),
    ):
        told = {"parameters": given, "refusals": (400, 401)}
        found[f"GET {start}"] = operation("Which tensors the model takes and answers", **told)  # type: ignore[arg-type]
        found[f"GET {start}/ready"] = operation("The model answers", **told)  # type: ignore[arg-type]
        found[f"POST {start}/infer"] = operation(
            "Answer tensors (Open Inference Protocol)",
            body={"type": "object", "required": ["inputs"]},
            **told,  # type: ignore[arg-type]
        )
    return found
