"""A real server process, asked over the loopback interface."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.routing import Route

from headrace.deploy.runtime import Runtime
from headrace.errors import ReleaseError
from headrace.serving.app import BodyLimits, create_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from headrace.deploy.release import Release

SERVE = """
import sys
from headrace.serving.asking import BodyLimits
from headrace.serving.server import serve

serve(sys.argv[1], port=0, limits=BodyLimits(bytes=200_000, rows=300))
"""


class Server:
    """A server process and a client to it."""

    def __init__(self, release: Path) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(release)],
            stderr=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        self.seconds = time.perf_counter() - started
        found = re.fullmatch(r"headrace serves ([0-9a-f]{16}) on (http://127.0.0.1:\d+)\n", line)
        assert found, line + self.process.stderr.read()
        self.version, self.url = found[1], found[2]
        self.http = httpx.Client(base_url=self.url, timeout=30)

    def predict(self, rows: Any) -> httpx.Response:
        return self.http.post("/predict", json={"rows": rows})

    def post(self, body: bytes, **headers: str) -> httpx.Response:
        return self.http.post("/predict", content=body, headers=headers)

    def stop(self) -> int:
        self.http.close()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=20)
        assert self.process.stderr is not None
        self.log = self.process.stderr.read()
        self.process.stderr.close()
        return status


@pytest.fixture(scope="module")
def server(wide_release: Release) -> Iterator[Server]:
    running = Server(wide_release.path)
    yield running
    running.stop()
    assert "Traceback" not in running.log


def test_it_says_which_release_answers(server: Server, wide_release: Release) -> None:
    answer = server.http.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready", "version": wide_release.version, "task": "binary",
    }  # fmt: skip
    assert server.version == wide_release.version


def test_it_answers_as_the_runtime_does(
    server: Server, wide_release: Release, wide_rows: list[dict[str, Any]]
) -> None:
    runtime = Runtime(wide_release.path)
    for rows in (wide_rows[:1], wide_rows, wide_rows * 10):
        answer = server.predict(rows)
        assert answer.status_code == 200
        body = answer.json()
        assert body["predictions"] == runtime.predict(rows).tolist()
        assert body["probabilities"] == runtime.predict_proba(rows).tolist()
        assert body["classes"] == ["no", "yes"]
        assert body["version"] == wide_release.version
        assert "ignored" not in body


def test_unknown_columns_are_named_in_the_answer(
    server: Server, wide_row: Callable[[int], dict[str, Any]]
) -> None:
    row = wide_row(0)
    answer = server.predict([row | {"id": 7}, row | {"note": "x", "id": 8}, row])
    assert answer.json()["ignored"] == ["id", "note"]
    assert server.predict([row]).json()["predictions"] == answer.json()["predictions"][:1]


def test_rows_that_do_not_fit_name_row_and_column(
    server: Server, wide_row: Callable[[int], dict[str, Any]]
) -> None:
    rows = [wide_row(0), wide_row(1) | {"number 3": "many"}, wide_row(2) | {"joined": "soon"}]
    del rows[0]["category 2"]
    rows[0]["categry 2"] = "x"
    answer = server.predict(rows)
    assert answer.status_code == 422
    body = answer.json()
    assert body["error"].startswith("3 problems:")
    found = {(p["column"], p["row"], p["value"]) for p in body["problems"]}
    assert found == {("number 3", 1, "many"), ("joined", 2, "soon"), ("category 2", 0, None)}
    hints = [p["hint"] for p in body["problems"] if p["column"] == "category 2"]
    assert hints == ["Did you mean 'categry 2'?"]


@pytest.mark.parametrize(
    ("rows", "text"),
    [([], "'rows' should be a list of one or more rows, received an empty list"),
     ({"a": 1}, "received an object"), ("x", "received text"), (None, "received nothing"),
     ([1, None], "expected a mapping"), ([[1, 2]], "expected a mapping"),
     ([{}], "the column is missing")],
)  # fmt: skip
def test_what_are_no_rows_is_refused(server: Server, rows: Any, text: str) -> None:
    answer = server.predict(rows)
    assert answer.status_code == 422
    assert text in answer.json()["error"]


ROW = b'{"rows": [{"number 0": %s}]}'


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [(b"", 400, "expected JSON"),
     (b"{", 400, "expected JSON"),
     (b"[]", 422, "received an empty list"),
     (b'{"row": []}', 422, "unknown key 'row'; did you mean 'rows'?"),
     (b'{"rows": [], "model": "x"}', 422, "unknown key 'model'; the keys are rows, columns, "),
     (b'{"rows": [{"a": 1, "a": 2}]}', 400, "the key 'a' is given twice"),
     (b'{"rows": [], "rows": []}', 400, "the key 'rows' is given twice"),
     (ROW % b"NaN", 400, "NaN is not a JSON number"),
     (ROW % b"-Infinity", 400, "-Infinity is not a JSON number"),
     (ROW % b"1e999", 422, "number 0"),
     (ROW % (b"9" * 5000), 400, "expected JSON"),
     (ROW % (b"9" * 4000), 422, "number 0"),
     (ROW % b"[1]", 422, "number 0"),
     (ROW % b'{"deep": {}}', 422, "number 0"),
     (b'{"rows": ' + b"[" * 50_000, 400, "nested too deeply"),
     (b'{"rows": ' + b'{"a":' * 30_000, 400, "nested too deeply"),
     (b'{"rows": [{"category 0": "\\ud800"}]}', 400, "half of a surrogate pair"),
     ('{"rows": [{"category 0": "ü"}]}'.encode("latin-1"), 400, "expected UTF-8, byte 26 is not"),
     ('{"rows": []}'.encode("utf-16"), 400, "expected UTF-8"),
     (b"\xef\xbb\xbf{}", 400, "expected JSON"),
     (b"\x00" * 100, 400, "expected JSON")],
)  # fmt: skip
def test_odd_bodies_are_the_clients_fault(
    server: Server, body: bytes, status: int, text: str
) -> None:
    answer = server.post(body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert text in answer.text.replace('\\"', '"')
    assert "Traceback" not in answer.text
    assert len(answer.content) < 20_000


def test_odd_values_of_a_whole_row_never_break_the_server(
    server: Server, wide_row: Callable[[int], dict[str, Any]]
) -> None:
    odd = [
        *(True, 0, -0.0, 1e308, 5e-324, 10**30, -(2**63), [], {}, None, "1e400", "NaN"),
        *(
            "",
            " ",
            "\x00",
            "a\x00b",
            "🙂",
            "x" * 10_000,
            "2024-02-30",
            "9999-12-31T23:59:59.999999",
        ),
    ]
    for name in ("number 0", "category 0", "joined"):
        for value in odd:
            answer = server.predict([wide_row(0) | {name: value}])
            assert answer.status_code in (200, 422), (name, value, answer.text)
            assert "error" in answer.json() or len(answer.json()["predictions"]) == 1


def test_limits_hold(server: Server, wide_row: Callable[[int], dict[str, Any]]) -> None:
    many = b'{"rows": [' + b",".join([b"{}"] * 301) + b"]}"
    answer = server.post(many)
    assert answer.status_code == 413
    assert "301 rows are more than the 300" in answer.json()["error"]
    answer = server.post(b" " * 200_001)
    assert answer.status_code == 413
    assert "larger than the 200,000 bytes" in answer.json()["error"]

    def pieces() -> Iterator[bytes]:  # without a declared length
        for _ in range(300):
            yield b" " * 1000

    assert server.http.post("/predict", content=pieces()).status_code == 413
    assert server.predict([wide_row(0)]).status_code == 200


def test_only_json_in_utf8_is_taken(server: Server) -> None:
    body = b'{"rows": []}'
    for headers, text in [
        ({"content-type": "text/csv"}, "application/vnd.apache.arrow.stream, received 'text/csv'"),
        ({"content-type": "application/json; charset=latin-1"}, "the charset 'latin-1'"),
        ({"content-encoding": "gzip"}, "a compressed body (gzip)"),
    ]:
        answer = server.http.post("/predict", content=body, headers=headers)
        assert answer.status_code == 415
        assert text in answer.json()["error"]
    allowed = {"content-type": "application/json; charset=UTF-8"}
    assert server.http.post("/predict", content=body, headers=allowed).status_code == 422


def test_other_paths_and_methods_answer_in_json(server: Server) -> None:
    for method, path, status in [
        ("GET", "/nothing", 404), ("GET", "/predict", 405), ("POST", "/health", 405),
        ("GET", "/../../etc/passwd", 404), ("DELETE", "/schema", 405),
    ]:  # fmt: skip
        answer = server.http.request(method, path)
        assert answer.status_code == status
        assert set(answer.json()) == {"error"}


def test_the_schema_is_told(server: Server, wide_release: Release) -> None:
    body = server.http.get("/schema").json()
    assert body["version"] == wide_release.version
    assert (body["task"], body["target"], body["classes"]) == ("binary", "bought", ["no", "yes"])
    assert [column["name"] for column in body["columns"]][:2] == ["number 0", "number 1"]


def test_openapi_shows_the_columns_with_examples(server: Server) -> None:
    document = server.http.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert {"/predict", "/explain", "/health", "/schema"} <= set(document["paths"])
    post = document["paths"]["/predict"]["post"]
    content = post["requestBody"]["content"]["application/json"]
    row = content["schema"]["properties"]["rows"]["items"]
    assert len(row["properties"]) == 22
    assert row["properties"]["number 0"]["examples"] == [0.25]
    assert row["properties"]["category 0"]["examples"] == ["Zürich"]
    assert row["properties"]["joined"]["format"] == "date-time"
    assert row["properties"]["joined"]["examples"] == ["1999-05-01T12:30:00"]
    assert "left" not in row["required"]
    assert {"200", "400", "401", "413", "415", "422", "429", "503"} <= set(post["responses"])
    answer = server.http.post("/predict", json=content["example"])
    assert answer.status_code == 200
    properties = post["responses"]["200"]["content"]["application/json"]["schema"]["properties"]
    assert set(answer.json()) <= set(properties)


def test_many_clients_at_once_get_their_own_answers(
    server: Server, wide_release: Release, wide_row: Callable[[int], dict[str, Any]]
) -> None:
    runtime = Runtime(wide_release.path)
    rows = [wide_row(seed) for seed in range(200)]
    expected = runtime.predict_proba(rows).tolist()

    def ask(place: int) -> bool:
        count = 1 + place % 90
        given = [rows[(place + i) % 200] for i in range(count)]
        answer = server.predict(given)
        wanted = [expected[(place + i) % 200] for i in range(count)]
        return bool(answer.json()["probabilities"] == [pytest.approx(p, abs=1e-6) for p in wanted])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(100)))


def test_half_a_request_and_a_closed_connection_do_no_harm(
    server: Server, wide_row: Callable[[int], dict[str, Any]]
) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
    for sent in (head, b"GET / HTTP/9.9\r\n\r\n", b"\x00\xff" * 100, b"POST /pre"):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(sent)
    assert server.predict([wide_row(0)]).status_code == 200


SEVERAL = """
import sys
from headrace.serving.server import ServerSettings, serve

if __name__ == "__main__":
    port, tokens, patience = int(sys.argv[2]), sys.argv[3] or None, float(sys.argv[4])
    workers = int(sys.argv[5])
    serve(sys.argv[1], settings=ServerSettings(
        port=port, tokens=tokens, patience=patience, workers=workers))
"""


def start(folder: Path, *given: object) -> subprocess.Popen[str]:
    """Start a server by a file, as worker processes need it."""
    (folder / "several.py").write_text(SEVERAL)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, folder / "several.py", *map(str, given)],
        stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip


def test_several_processes_share_port_tokens_and_figures(
    wide_release: Release, wide_row: Callable[[int], dict[str, Any]], tmp_path: Path
) -> None:
    from headrace.serving.tokens import TokenFile

    secret = TokenFile(tmp_path / "tokens.json").add("ada")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = start(tmp_path, wide_release.path, port, tmp_path / "tokens.json", 5, 2)
    try:
        head = {"authorization": f"Bearer {secret}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=head) as http:
            for _ in range(300):
                try:
                    http.get("/health/ready").raise_for_status()
                    break
                except httpx.HTTPError:
                    time.sleep(0.1)
        for _ in range(20):  # a connection each, so that both processes answer
            answer = httpx.post(
                f"http://127.0.0.1:{port}/predict", json={"rows": [wide_row(0)]}, headers=head
            )
            assert answer.status_code == 200
        assert httpx.get(f"http://127.0.0.1:{port}/schema").status_code == 401
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", headers=head).text
        assert 'headrace_requests_total{route="/predict",status="200"} 20.0' in text
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        log = process.communicate(timeout=30)[1]
    assert "Traceback" not in log


def test_a_head_that_does_not_arrive_closes_the_connection(
    wide_release: Release, tmp_path: Path
) -> None:
    process = start(tmp_path, wide_release.path, 0, "", 0.5, 1)
    try:
        assert process.stderr is not None
        port = int(process.stderr.readline().rsplit(":", 1)[1])
        for sent in (b"", b"POST /pre", b"GET /health HTTP/1.1\r\nHost: loc"):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                connection.sendall(sent)
                assert connection.recv(100) == b""
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            for _ in range(2):  # rest between two requests is no fault
                connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                received = b""
                while not received.endswith(b"}"):
                    received += connection.recv(4000)
                assert b"200 OK" in received
                time.sleep(0.8)
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_neither_tensorflow_nor_a_table_library_is_in_the_server(server: Server) -> None:
    maps = Path(f"/proc/{server.process.pid}/maps")
    if not maps.exists():
        pytest.skip("needs /proc")
    text = maps.read_text()
    assert "onnxruntime" in text
    for library in ("tensorflow", "polars", "pandas", "pyarrow", "sklearn", "scipy"):
        assert f"/{library}" not in text


def test_it_stops_cleanly(price_release: Release) -> None:
    running = Server(price_release.path)
    answer = running.predict([{"area": 10, "new": True}])
    says = answer.json()
    assert says.pop("id")
    assert says == {"version": price_release.version, "predictions": [21.0]}
    running.stop()
    assert "Traceback" not in running.log


def test_no_release_no_server(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="expected a release"):
        create_app(tmp_path)


def test_a_failure_inside_says_nothing_to_the_client(wide_release: Release) -> None:
    app = create_app(Runtime(wide_release.path), limits=BodyLimits(rows=5))

    def fail(_: object) -> None:
        raise RuntimeError("the secret path /etc/shadow")

    async def ask() -> httpx.Response:
        inside = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=inside, base_url="http://localhost") as client:
            return await client.get("/fail")

    app.router.routes.append(Route("/fail", fail))
    answer = asyncio.run(ask())
    assert answer.status_code == 500
    assert answer.json() == {"error": "the server could not answer; its log says why"}
