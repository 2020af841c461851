"""The demonstration: a model's whole life on a real table, in about two minutes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import polars as pl
from rich.console import Console

from headrace.data.split import split
from headrace.errors import ReleaseError
from headrace.pipeline import Pipeline
from headrace.samples import adult
from headrace.visualization import write_report

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.result import Result

__all__ = ["run_demo"]

_TARGET = "income"
_PATIENCE = 30.0


def run_demo(to: Path) -> None:
    """Train, evaluate, tune, deploy, ask and maintain; then write a report.

    Args:
        to: The folder for `registry/` and `report.html`.
    """
    console = Console()
    people = pl.read_csv(adult())
    known, later = split(people, share=0.2, stratify=_TARGET)
    train, test = split(known, share=0.2, stratify=_TARGET)
    console.print(f"{people.height:,} people, {people.width - 1} columns: who earns more than 50K?")
    results: dict[str, Result] = {}

    def tell(stage: str, result: Result) -> None:
        results[stage] = result
        console.rule(stage)
        console.print(result.summary(), highlight=False, markup=False)

    pipe = Pipeline(target=_TARGET)
    tell("train", pipe.train(train))
    tell("evaluate", pipe.evaluate(test))
    tell("tune", pipe.tune(train.sample(6_000, seed=0), trials=2, time=20))
    release = pipe.deploy(to / "registry")
    tell("deploy", release)
    console.rule("ask")
    row = test.drop(_TARGET).row(0, named=True)
    console.print(f"POST /predict {json.dumps(row)}", highlight=False, markup=False)
    console.print(f"-> {json.dumps(_ask(release.path, row))}", highlight=False, markup=False)
    tell("maintain", pipe.maintain(later))
    drifted = later.with_columns(pl.col("hours-per-week") / 5).drop(_TARGET)
    tell("maintain, hours by the day", pipe.maintain(drifted))
    sections = {"Data": pipe.fitted.profile, "Steps": repr(pipe), **results}
    about = f"{people.height:,} people of the 1994 US census: who earns more than 50K?"
    report = write_report(
        to / "report.html", sections, title="Income: the life of a model", about=about
    )
    console.rule()
    console.print(f"report:   {report}\nregistry: {to / 'registry'}", highlight=False)


def _ask(release: Path, row: dict[str, Any]) -> Any:
    """Start the server, ask it once over HTTP, and stop it."""
    port = _free_port()
    server = subprocess.Popen(  # noqa: S603 - our own server, our own arguments
        [sys.executable, "-m", "headrace", "serve", str(release), "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(f"http://127.0.0.1:{port}/health", server)
        return _post(f"http://127.0.0.1:{port}/predict", {"rows": [row]})
    finally:
        server.terminate()
        server.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE
    while server.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own server
                answer.read()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise ReleaseError(f"the server did not answer at {url} within {_PATIENCE:.0f} s")


def _post(url: str, body: Any) -> Any:
    request = urllib.request.Request(  # noqa: S310 - our own server
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return json.load(answer)
