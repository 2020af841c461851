"""The protocols of others, the forms of bodies, batches and explanations."""

from __future__ import annotations

import io
import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from headrace.deploy.runtime import Runtime
from headrace.serving.app import create_app
from tests.serving.client import ask, ask_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.applications import Starlette

    from headrace.deploy.release import Release


@pytest.fixture
def app(wide_release: Release) -> Starlette:
    return create_app(wide_release.path)


@pytest.fixture
def rows(wide_row: Callable[[int], dict[str, Any]]) -> list[dict[str, Any]]:
    return [wide_row(seed) for seed in range(4)]


@pytest.fixture
def expected(wide_release: Release, rows: list[dict[str, Any]]) -> list[list[float]]:
    found: list[list[float]] = Runtime(wide_release.path).predict_proba(rows).tolist()
    return found


def tensors(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "shape": [len(rows)],
            "datatype": "FP64" if name.startswith("number") else "BYTES",
            "data": [row[name] for row in rows],
        }
        for name in rows[0]
    ]


# -- Open Inference Protocol ----------------------------------------------------------------------


def test_the_server_and_its_model_are_told(app: Starlette, wide_release: Release) -> None:
    for path in ("/v2", "/v2/"):
        says = ask(app, "GET", path).json()
        assert set(says) == {"name", "version", "extensions"}
        assert says["extensions"] == ["binary_tensor_data"]
    assert ask(app, "GET", "/v2/health/live").json()["live"] is True
    assert ask(app, "GET", "/v2/health/ready").json()["ready"] is True
    model = ask(app, "GET", "/v2/models/bought").json()
    assert model["versions"] == [wide_release.version]
    assert {"name": "number 0", "datatype": "FP64", "shape": [-1]} in model["inputs"]
    assert {"name": "category 0", "datatype": "BYTES", "shape": [-1]} in model["inputs"]
    assert [one["name"] for one in model["outputs"]] == ["prediction", "probabilities"]
    path = f"/v2/models/bought/versions/{wide_release.version}/ready"
    assert ask(app, "GET", path).json() == {"name": "bought", "ready": True}
    for path in ("/v2/models/other", "/v2/models/bought/versions/1"):
        answer = ask(app, "GET", path)
        assert answer.status_code == 404
        assert set(answer.json()) == {"error"}


def test_tensors_in_json_are_answered(
    app: Starlette, rows: list[dict[str, Any]], expected: list[list[float]], wide_release: Release
) -> None:
    body = {"id": "42", "inputs": tensors(rows)}
    says = ask(app, "POST", "/v2/models/bought/infer", json=body).json()
    assert (says["id"], says["model_name"], says["model_version"]) == (
        "42", "bought", wide_release.version,
    )  # fmt: skip
    label, sure = says["outputs"]
    assert (label["datatype"], label["shape"]) == ("BYTES", [4])
    assert (sure["datatype"], sure["shape"]) == ("FP64", [4, 2])
    assert sure["data"] == pytest.approx(np.ravel(expected).tolist(), abs=1e-6)
    nested = [
        one | {"shape": [4, 1], "data": [[value] for value in one["data"]]} for one in tensors(rows)
    ]
    body = {"inputs": nested, "outputs": [{"name": "probabilities"}]}
    again = ask(app, "POST", "/v2/models/bought/infer", json=body).json()
    assert [one["name"] for one in again["outputs"]] == ["probabilities"]
    assert again["outputs"][0]["data"] == sure["data"]


def test_binary_tensors_go_both_ways(
    app: Starlette, rows: list[dict[str, Any]], expected: list[list[float]]
) -> None:
    inputs, parts = [], []
    for tensor in tensors(rows):
        values = tensor.pop("data")
        if tensor["datatype"] == "FP64":
            part = np.array(values, "<f8").tobytes()
        else:
            texts = [value.encode() for value in values]
            part = b"".join(struct.pack("<I", len(text)) + text for text in texts)
        inputs.append(tensor | {"parameters": {"binary_data_size": len(part)}})
        parts.append(part)
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    told = {"inference-header-content-length": str(len(head))}
    content = b"".join([head, *parts])
    answer = ask(app, "POST", "/v2/models/bought/infer", content=content, headers=told)
    assert answer.status_code == 200
    length = int(answer.headers["inference-header-content-length"])
    says, data = json.loads(answer.content[:length]), answer.content[length:]
    sizes = [one["parameters"]["binary_data_size"] for one in says["outputs"]]
    assert sum(sizes) == len(data)
    sure = np.frombuffer(data[sizes[0] :], "<f8").reshape(4, 2)
    assert sure == pytest.approx(np.array(expected), abs=1e-6)
    (size,) = struct.unpack_from("<I", data)
    assert data[4 : 4 + size] in (b"no", b"yes")
    short = ask(app, "POST", "/v2/models/bought/infer", content=content[:-1], headers=told)
    assert short.status_code == 400
    more = ask(app, "POST", "/v2/models/bought/infer", content=content + b"x", headers=told)
    assert "1 bytes are left behind the last tensor" in more.json()["error"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"inputs": []}, "one or more tensors"),
        ({"inputs": [{"name": "number 0"}]}, "unknown datatype"),
        ({"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [1]}]}, "no input 'x'"),
        ({"inputs": [{"name": "x", "datatype": "FP64", "shape": [2], "data": [1]}]},
         "has 1 values, not 2"),
        ({"inputs": [{"name": "x", "datatype": "FP64", "shape": [-1], "data": [1]}]}, "the shape"),
        ({"inputs": [{"name": "number 0", "datatype": "FP64", "shape": [1], "data": [1]}]},
         "the column is missing"),
        ({"outputs": [{"name": "nothing"}]}, "no output 'nothing'"),
    ],
)  # fmt: skip
def test_odd_tensors_are_the_clients_fault(
    app: Starlette, rows: list[dict[str, Any]], change: dict[str, Any], text: str
) -> None:
    body = {"inputs": tensors(rows)} | change
    answer = ask(app, "POST", "/v2/models/bought/infer", json=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
    assert text in answer.json()["error"]


# -- MLflow ---------------------------------------------------------------------------------------


def test_the_forms_of_mlflow_are_answered_alike(app: Starlette, rows: list[dict[str, Any]]) -> None:
    labels = ask(app, "POST", "/predict", json={"rows": rows}).json()["predictions"]
    names = list(rows[0])
    lists = [list(row.values()) for row in rows]
    for body in (
        {"dataframe_records": rows},
        {"dataframe_split": {"columns": names, "data": lists, "index": [0, 1, 2, 3]}},
        {"instances": rows},
        {"inputs": {name: [row[name] for row in rows] for name in names}},
        {"instances": lists, "params": {}},
    ):
        answer = ask(app, "POST", "/invocations", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["predictions"] == labels
    text = ",".join(names) + "\r\n" + "\r\n".join(",".join(map(str, line)) for line in lists)
    csv = ask(app, "POST", "/invocations", content=text, headers={"content-type": "text/csv"})
    assert csv.json()["predictions"] == labels
    assert ask(app, "GET", "/ping").text == "\n"
    assert ask(app, "GET", "/version").text


@pytest.mark.parametrize(
    ("given", "status", "text"),
    [
        ({"json": {}}, 400, "exactly one of"),
        ({"json": {"inputs": [], "instances": []}}, 400, "exactly one of"),
        ({"json": {"dataframe_split": {"columns": ["a"]}}}, 400, "'columns' and 'data'"),
        ({"json": {"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}}, 400, "a list of 1"),
        ({"json": {"dataframe_records": [{"a": 1}]}}, 400, "the column is missing"),
        ({"content": "a", "headers": {"content-type": "text/plain"}}, 415, "text/csv"),
        ({"content": "a", "headers": {"content-type": "text/csv; charset=latin-1"}}, 415, "UTF-8"),
        ({"content": "", "headers": {"content-type": "text/csv"}}, 400, "received nothing"),
    ],
)
def test_odd_invocations_are_refused(
    app: Starlette, given: dict[str, Any], status: int, text: str
) -> None:
    answer = ask(app, "POST", "/invocations", **given)
    assert answer.status_code == status
    assert text in answer.text
    assert "stack_trace" not in answer.text


# -- forms of bodies ------------------------------------------------------------------------------


def test_columns_lines_and_arrow_are_answered_alike(
    app: Starlette, rows: list[dict[str, Any]]
) -> None:
    plain = ask(app, "POST", "/predict", json={"rows": rows}).json()
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    by_column = ask(app, "POST", "/predict", json={"columns": columns}).json()
    assert by_column["probabilities"] == plain["probabilities"]

    lines = "\n".join(json.dumps(row) for row in rows) + "\n"
    head = {"content-type": "application/x-ndjson"}
    answer = ask(app, "POST", "/predict", content=lines, headers=head)
    assert answer.headers["x-headrace-version"] == plain["version"]
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert [one["probabilities"] for one in found] == plain["probabilities"]
    assert [one["id"].rsplit("/")[-1] for one in found] == ["0", "1", "2", "3"]

    sink = io.BytesIO()
    table = pa.Table.from_pylist(rows)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    head = {"content-type": "application/vnd.apache.arrow.stream"}
    answer = ask(app, "POST", "/predict", content=sink.getvalue(), headers=head)
    with pa.ipc.open_stream(answer.content) as reader:
        back = reader.read_all()
    assert back.column("prediction").to_pylist() == plain["predictions"]
    assert back.column("probabilities").to_pylist() == plain["probabilities"]
    stamped = table.set_column(
        table.column_names.index("joined"), "joined", table["joined"].cast(pa.timestamp("us"))
    )
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, stamped.schema) as writer:
        writer.write_table(stamped)
    again = ask(app, "POST", "/predict", content=sink.getvalue(), headers=head)
    with pa.ipc.open_stream(again.content) as reader:
        assert reader.read_all()["probabilities"].to_pylist() == plain["probabilities"]
    assert app.state.service.recent.seen[-1].row["joined"] == "1999-05-01T12:30:00"
    bad = ask(app, "POST", "/predict", content=b"ARROW1", headers=head)
    assert (bad.status_code, "expected an Arrow stream" in bad.text) == (400, True)


def test_options_say_what_is_wanted(app: Starlette, rows: list[dict[str, Any]]) -> None:
    says = ask(app, "POST", "/predict", json={"rows": rows, "probabilities": False}).json()
    assert "probabilities" not in says
    for body, text in (
        ({"rows": rows, "columns": {}}, "not both"),
        ({"columns": {"a": [1], "b": [1, 2]}}, "equally long; 'a' has 1 values and 'b' 2"),
        ({"rows": rows, "explain": 1}, "'explain' should be true or false"),
        ({"rows": rows, "interval": 0.9}, "no calibrated intervals"),
    ):
        answer = ask(app, "POST", "/predict", json=body)
        assert (answer.status_code, text in answer.json()["error"]) == (422, True), answer.text


# -- batches --------------------------------------------------------------------------------------


def test_requests_of_one_moment_are_answered_together_and_apart(
    app: Starlette, rows: list[dict[str, Any]], expected: list[list[float]]
) -> None:
    bad = rows[0] | {"number 0": "many"}
    bodies = [{"rows": [row]} for row in rows] + [{"rows": [bad]}] + [{"rows": rows}]
    answers = ask_all(app, [("POST", "/predict", {"json": body}) for body in bodies])
    for answer, wanted in zip(answers[:4], expected, strict=True):
        assert answer.json()["probabilities"] == [pytest.approx(wanted, abs=1e-6)]
    assert answers[4].status_code == 422
    assert answers[4].json()["problems"][0]["row"] == 0
    assert len(answers[5].json()["predictions"]) == 4
    assert len({one.json()["id"] for one in answers if one.status_code == 200}) == 5


# -- explanations ---------------------------------------------------------------------------------


def test_contributions_add_up_to_the_answer(
    app: Starlette, rows: list[dict[str, Any]], expected: list[list[float]]
) -> None:
    says = ask(app, "POST", "/explain", json={"rows": rows}).json()
    for found, wanted in zip(says["explanations"], expected, strict=True):
        assert found["of"] == "yes"
        assert found["answer"] == pytest.approx(wanted[1], abs=1e-6)
        total = sum(found["contributions"].values())
        assert total == pytest.approx(found["answer"] - found["base"], abs=1e-5)
        assert abs(found["gap"]) < 1e-5
        assert set(found["contributions"]) == set(rows[0])
        sizes = [abs(value) for value in found["contributions"].values()]
        assert sizes == sorted(sizes, reverse=True)


def test_a_sum_is_explained_by_its_parts(price_release: Release) -> None:
    app = create_app(price_release.path)
    says = ask(app, "POST", "/explain", json={"rows": [{"area": 10, "new": True}]}).json()
    (found,) = says["explanations"]
    assert found["contributions"]["area"] + found["contributions"]["new"] == pytest.approx(
        found["answer"] - found["base"]
    )
    assert found["contributions"]["area"] == pytest.approx(20.0)
    assert found["errors"]["area"] == pytest.approx(0.0, abs=1e-9)


def test_clusters_are_not_explained(cluster_release: Release) -> None:
    app = create_app(cluster_release.path)
    answer = ask(app, "POST", "/explain", json={"rows": [{"x": 1}]})
    assert (answer.status_code, "are not explained" in answer.json()["error"]) == (422, True)
