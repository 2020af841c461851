"""How fast a release answers: in process, over HTTP, and line by line.

One release of 22 columns (12 numbers, 8 categories, 2 dates) with a network of 256 and 256 units is
trained, deployed and asked in several ways, in one run:

- in process: `hr.Runtime.predict` of one dict, beside the bare ONNX Runtime session on arrays that
  are ready;
- over the loopback interface, one client that keeps its connection, and 64 at once, one row a
  request: `headrace serve` beside two servers written by hand around the same graph, without any
  check of rows, limits or errors: Starlette, and FastAPI with a pydantic model of the columns;
- `headrace score`, from JSON lines to JSON lines.

Rounds alternate between the servers, so that a slow minute of the machine hits all of them.

    python benchmarks/serving.py                          # a minute or two
    python benchmarks/serving.py --release models/income  # one's own release, without the peers
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = [f"number_{i}" for i in range(12)]
CATEGORIES = [f"category_{i}" for i in range(8)]
DATES = ["joined", "renewed"]
TABLE_ROWS = 5_000
LEVELS = 30

SERVE = "import sys; from headrace.serving.server import serve; serve(sys.argv[1], port=0)"

# What both servers by hand share: no checks at all, the columns' order known.
BY_HAND = """
import socket, sys
from datetime import datetime
import numpy as np, onnxruntime, uvicorn

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(
    sys.argv[1] + "/model.onnx", options, providers=["CPUExecutionProvider"]
)
NUMBERS = [f"number_{i}" for i in range(12)]
CATEGORIES = [f"category_{i}" for i in range(8)]
DATES = ["joined", "renewed"]
EPOCH = datetime(1970, 1, 1)

def microseconds(text):
    return round((datetime.fromisoformat(text) - EPOCH).total_seconds() * 1e6)

def predict(rows):
    feed = {
        "numbers": np.array([[row[name] for name in NUMBERS] for row in rows], dtype=np.float64),
        "strings": np.array([[row[name] for name in CATEGORIES] for row in rows], dtype=object),
        "times": np.array([[microseconds(row[name]) for name in DATES] for row in rows]),
    }
    found = session.run(["probabilities"], feed)[0]
    labels = ["yes" if row[1] > 0.5 else "no" for row in found]
    return {"predictions": labels, "probabilities": found.tolist()}

def run(app):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    print(f"http://127.0.0.1:{port}", file=sys.stderr, flush=True)
    uvicorn.run(app, port=port, log_level="warning", access_log=False, lifespan="off")
"""
STARLETTE = (
    BY_HAND
    + """
import json
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

async def answer(request):
    return JSONResponse(predict(json.loads(await request.body())["rows"]))

async def health(request):
    return JSONResponse({"status": "ready"})

run(Starlette(routes=[Route("/predict", answer, methods=["POST"]), Route("/health", health)]))
"""
)
FASTAPI = (
    BY_HAND
    + """
from fastapi import FastAPI
from pydantic import BaseModel, create_model

columns = {name: (float, ...) for name in NUMBERS} | {name: (str, ...) for name in CATEGORIES}
Row = create_model("Row", **columns, **{name: (str, ...) for name in DATES})

class Body(BaseModel):
    rows: list[Row]

app = FastAPI()

@app.post("/predict")
async def answer(body: Body):
    return predict([row.model_dump() for row in body.rows])

@app.get("/health")
async def health():
    return {"status": "ready"}

run(app)
"""
)


def make_rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Rows of the table, as a server receives them."""
    random = np.random.default_rng(seed)
    start = datetime(2000, 1, 1)  # noqa: DTZ001 - written without a zone
    rows = []
    for _ in range(count):
        row: dict[str, Any] = dict(zip(NUMBERS, random.normal(size=12).round(6), strict=True))
        row |= {name: f"level {random.integers(LEVELS)}" for name in CATEGORIES}
        for name in DATES:
            row[name] = (start + timedelta(minutes=int(random.integers(10**7)))).isoformat()
        rows.append(row)
    return rows


def make_release(folder: Path) -> Path:
    """Train and deploy a binary model on the table; the answer does not matter here."""
    import polars as pl

    import headrace as hr

    rows = make_rows(TABLE_ROWS)
    answers = ["yes" if row["number_0"] + row["number_1"] > 0 else "no" for row in rows]
    steps = [
        hr.clean.Impute(),
        hr.transform.Dates(),
        hr.transform.Encode(),
        hr.normalize.Standardize(),
        hr.Network([256, 256], epochs=2, patience=None),
    ]
    pipe = hr.Pipeline(steps, target="answer")
    pipe.train(pl.DataFrame(rows).with_columns(answer=pl.Series(answers)))
    return Path(pipe.deploy(folder / "registry").path)


def quantiles(act: Callable[[], object], times: int) -> tuple[float, float]:
    """The median and the 99th percentile of how long something takes, in seconds."""
    for _ in range(min(times, 50)):
        act()
    taken = np.empty(times)
    for i in range(times):
        started = time.perf_counter()
        act()
        taken[i] = time.perf_counter() - started
    return float(np.median(taken)), float(np.quantile(taken, 0.99))


class Client:
    """One kept connection that sends the same request again and again."""

    def __init__(self, url: str, body: bytes) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        self.request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def ask(self) -> bytes:
        """Send the request and answer the body of the answer."""
        self.socket.sendall(self.request)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head, _, body = received.partition(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head.lower())[1])  # type: ignore[index]
        while len(body) < length:
            body += self._receive()
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise SystemExit(f"the server answered {head.decode()} {body[:500].decode()}")
        return body

    def _receive(self) -> bytes:
        received = self.socket.recv(1 << 20)
        if not received:
            raise SystemExit("the server closed the connection")
        return received


class Server:
    """A server process: how long it takes to be ready, how much memory it holds."""

    def __init__(self, name: str, program: str, release: Path) -> None:
        self.name = name
        started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, str(release)],
            stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": ":".join(sys.path)},
        )  # fmt: skip
        line = self.process.stderr.readline() if self.process.stderr else ""
        found = re.search(r"http://\S+", line)
        if found is None:
            raise SystemExit(f"{name} did not start: {line}{self.process.communicate()[1]}")
        self.url = found[0]
        self._wait()
        self.seconds = time.perf_counter() - started
        self.taken: list[tuple[float, float]] = []

    def _wait(self) -> None:
        import urllib.request

        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/health") as answer:
                    answer.read()
                    return
            except OSError:
                time.sleep(0.005)

    @property
    def megabytes(self) -> float:
        """The resident memory; needs /proc."""
        status = Path(f"/proc/{self.process.pid}/status")
        text = status.read_text() if status.exists() else "VmRSS: 0 kB"
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024  # type: ignore[index]

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait()


def table(header: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        cells = [f"{cell:>{w}}" for cell, w in zip(row[1:], widths[1:], strict=True)]
        print("  ".join([f"{row[0]:<{widths[0]}}", *cells]))
    print()


def in_process(release: Path, rows: list[dict[str, Any]]) -> None:
    from headrace.deploy.runtime import Runtime

    started = time.perf_counter()
    runtime = Runtime(release)
    opened = time.perf_counter() - started
    one, blocks = rows[:1], runtime.door(rows[:1])
    many = (rows * 1000)[:1000]
    bare = quantiles(lambda: runtime.run(blocks), 5000)
    found = quantiles(lambda: runtime.predict(one), 5000)
    thousand = quantiles(lambda: runtime.predict(many), 20)
    blocks = runtime.door(many)
    bare_thousand = quantiles(lambda: runtime.run(blocks), 20)
    print(
        f"In process: {len(runtime.schema)} columns, release opened and checked in {opened:.3f} s"
    )
    table(
        ["", "p50", "p99", "p50 / bare"],
        [
            ["bare session, 1 row, arrays ready", *micro(bare), ""],
            ["Runtime.predict, 1 row, from dict", *micro(found), f"{found[0] / bare[0]:.2f}"],
            ["bare session, 1,000 rows, arrays ready", *micro(bare_thousand), ""],
            ["Runtime.predict, 1,000 rows, from dicts", *micro(thousand),
             f"{thousand[0] / bare_thousand[0]:.2f}"],
        ],
    )  # fmt: skip


def micro(seconds: tuple[float, float]) -> list[str]:
    return [f"{value * 1e6:,.0f} µs" for value in seconds]


def over_http(programs: dict[str, str], release: Path, rows: list[dict[str, Any]], n: int) -> None:
    for count, times in ((1, n), (1000, max(n // 100, 10))):
        body = json.dumps({"rows": (rows * count)[:count]}).encode()
        servers = [Server(name, program, release) for name, program in programs.items()]
        for _ in range(5):
            for server in servers:
                client = Client(server.url, body)  # servers close connections that rest
                server.taken.append(quantiles(client.ask, times))
                client.socket.close()
        print(f"Over HTTP: one client, {count:,} row(s) a request, {5 * times:,} requests each")
        best = [_best(server.taken) for server in servers]
        table(
            ["", "ready", "memory", "p50", "p99", "requests/s", "p50 / ours"],
            [
                [
                    *(server.name, f"{server.seconds:.2f} s", f"{server.megabytes:.0f} MB"),
                    *micro(taken),
                    *(f"{1 / taken[0]:,.0f}", f"{taken[0] / best[0][0]:.2f}"),
                ]
                for server, taken in zip(servers, best, strict=True)
            ],
        )
        for server in servers:
            server.stop()


def at_once(programs: dict[str, str], release: Path, rows: list[dict[str, Any]]) -> None:
    """Ask with 64 connections at once, each with its next request as soon as it is answered."""
    body = json.dumps({"rows": rows[:1]}).encode()
    servers = [Server(name, program, release) for name, program in programs.items()]
    found: dict[str, list[tuple[float, float, float]]] = {server.name: [] for server in servers}
    for _ in range(5):
        for server in servers:
            found[server.name].append(_storm(server.url, body, 64, seconds=3.0))
    print("Over HTTP: 64 clients, one row a request, median of five rounds of 3 s")
    medians = {name: np.median(rounds, axis=0) for name, rounds in found.items()}
    first = next(iter(medians.values()))
    table(
        ["", "requests/s", "p50", "p99", "requests/s / ours"],
        [
            [name, f"{rate:,.0f}", *micro((p50, p99)), f"{rate / first[0]:.2f}"]
            for name, (rate, p50, p99) in medians.items()
        ],
    )
    for server in servers:
        server.stop()


def _storm(url: str, body: bytes, count: int, *, seconds: float) -> tuple[float, float, float]:
    """Answer requests a second, and the median and 99th percentile of how long they took."""
    import selectors

    clients = [Client(url, body) for _ in range(count)]
    chosen, taken = selectors.DefaultSelector(), []
    begun = {}
    for client in clients:
        chosen.register(client.socket, selectors.EVENT_READ, client)
        client.socket.sendall(client.request)
        begun[client] = time.perf_counter()
    ends = time.perf_counter() + seconds
    received = dict.fromkeys(clients, b"")
    while (now := time.perf_counter()) < ends:
        for key, _ in chosen.select(1.0):
            client = key.data
            received[client] += client.socket.recv(1 << 16)
            head, _, rest = received[client].partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head.lower())
            if length is None or len(rest) < int(length[1]):
                continue
            if b" 200 " not in head.split(b"\r\n")[0]:
                raise SystemExit(f"the server answered {head.decode()}")
            now = time.perf_counter()
            taken.append(now - begun[client])
            received[client], begun[client] = b"", now
            client.socket.sendall(client.request)
    for client in clients:
        client.socket.close()
    return len(taken) / seconds, *map(float, np.quantile(taken, [0.5, 0.99]))


def _best(rounds: list[tuple[float, float]]) -> tuple[float, float]:
    """The best median of all rounds, and the median of their 99th percentiles."""
    return min(p50 for p50, _ in rounds), float(np.median([p99 for _, p99 in rounds]))


def by_line(release: Path, rows: list[dict[str, Any]]) -> None:
    from headrace.deploy.stream import score

    count = 50_000
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows) * (count // len(rows))
    rates = []
    for _ in range(3):
        started = time.perf_counter()
        answered = score(release, io.BytesIO(lines), io.BytesIO())
        rates.append(answered.lines / (time.perf_counter() - started))
        if answered.errors:
            raise SystemExit(f"{answered.errors} lines were answered with an error")
    print(f"By line: {max(rates):,.0f} rows/s, from JSON lines to JSON lines, one process\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--release", type=Path, help="a release to ask; without peers")
    parser.add_argument("--requests", type=int, default=1000, help="requests a round")
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if settings.release is None:
            release, rows = make_release(Path(folder)), make_rows(500, seed=1)
            programs = {"headrace serve": SERVE, "Starlette by hand": STARLETTE,
                        "FastAPI + pydantic by hand": FASTAPI}  # fmt: skip
        else:
            from headrace.deploy.runtime import Runtime
            from headrace.serving.schemas import row_example

            opened = Runtime(settings.release)
            release, programs = opened.path, {"headrace serve": SERVE}
            rows = [row_example(opened.schema, opened.release.document("profile.json"))]
        in_process(release, rows)
        over_http(programs, release, rows, settings.requests)
        at_once(programs, release, rows)
        by_line(release, rows)


if __name__ == "__main__":
    main()
