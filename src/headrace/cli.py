"""The command line: `headrace train | evaluate | tune | deploy | serve | score | maintain | …`.

Everything heavy is imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Client

    from headrace.deploy.runtime import Runtime
    from headrace.result import Result

__all__ = ["app", "main"]

app = typer.Typer(
    name="headrace",
    help="The whole life of a Keras model on real data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Data = Annotated[str, typer.Argument(help="A file or a glob: CSV, Parquet, NDJSON, Arrow IPC.")]
Model = Annotated[Path, typer.Argument(help="A saved pipeline, a release, or a registry.")]
Report = Annotated[Path | None, typer.Option(help="Write a one-file HTML report here.")]
Kinds = Annotated[
    list[str] | None, typer.Option("--kind", help="The kind of a column, zip=category; repeatable.")
]
Interval = Annotated[
    float | None,
    typer.Option(help="Intervals or sets that hold the truth so often, 0.9; see calibrate."),
]
Memory = Annotated[
    str | None,
    typer.Option(help="The most memory to hold, 500MB or 2GB; larger tables stay on disk."),
]
Modules = Annotated[
    list[str] | None,
    typer.Option("--module", help="A module with steps of your own to import; repeatable."),
]


@app.command()
def train(
    data: Data,
    *,
    target: Annotated[str, typer.Option(help="The column to predict.")],
    to: Annotated[Path, typer.Option(help="The folder to save the pipeline in.")],
    preset: Annotated[
        str, typer.Option(help="fast (seconds), balanced, or best (several networks).")
    ] = "balanced",
    time: Annotated[
        str | None, typer.Option(help="The most time of the network's training: 90s, 2min.")
    ] = None,
    kind: Kinds = None,
    seed: Annotated[int, typer.Option(help="Of every random choice.")] = 0,
    memory: Memory = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A folder to go on from after a kill.")
    ] = None,
    report: Report = None,
) -> None:
    """Train a pipeline on a table and save it."""
    from headrace.model.network import Network
    from headrace.pipeline import Pipeline

    network = Network(preset=preset, time=time)
    kinds = _kinds(kind)
    pipe = Pipeline(target=target, kinds=kinds, network=network, seed=seed, memory=memory)  # type: ignore[arg-type]
    result = pipe.train(data, checkpoint=checkpoint)
    pipe.save(to)
    _show({"train": result}, report)
    typer.echo(f"saved to {to}")


@app.command()
def run(
    data: Data,
    *,
    target: Annotated[str, typer.Option(help="The column to predict.")],
    to: Annotated[Path, typer.Option(help="The folder of the registry to publish to.")],
    preset: Annotated[
        str, typer.Option(help="fast (seconds), balanced, or best (several networks).")
    ] = "balanced",
    trials: Annotated[int, typer.Option(help="How many settings tuning tries; 0 for none.")] = 20,
    cache: Annotated[
        bool, typer.Option(help="Keep results, so that what has not changed is not done again.")
    ] = True,
    kind: Kinds = None,
    seed: Annotated[int, typer.Option(help="Of every random choice.")] = 0,
    report: Report = None,
) -> None:
    """Train, evaluate, tune, deploy and maintain; a killed run goes on where it was."""
    from headrace.model.network import Network
    from headrace.pipeline import Pipeline
    from headrace.run import default_stages
    from headrace.tune.stage import Tune

    stages = [Tune(trials=trials) if s.name == "tune" else s for s in default_stages()]
    pipe = Pipeline(
        target=target,
        kinds=_kinds(kind),  # type: ignore[arg-type]
        network=Network(preset=preset),
        stages=[stage for stage in stages if trials or stage.name != "tune"],
        seed=seed,
    )
    result = pipe.run(data, to=to, cache=cache)
    _show(dict(result.results), report)
    typer.echo(result.cache.summary())


@app.command()
def clean(
    folder: Annotated[Path, typer.Argument(help="A cache, or the registry that it is in.")],
    older_than: Annotated[
        str | None, typer.Option(help="Let go of what was not used since: 30d, 12h.")
    ] = None,
    larger_than: Annotated[
        str | None, typer.Option(help="Then of the least recently used until it is no larger: 5GB.")
    ] = None,
) -> None:
    """Let go of kept results that were not used for long; what is wanted again is made again."""
    from headrace.run import open_cache
    from headrace.sizes import size_text

    cache = open_cache(folder)
    removed = cache.clean(older_than=older_than, larger_than=larger_than)
    typer.echo(f"removed {len(removed)} results, {size_text(sum(one.size for one in removed))}")
    typer.echo(f"kept {len(cache.entries())} results, {size_text(cache.size)}")


@app.command()
def evaluate(model: Model, data: Data, report: Report = None) -> None:
    """Measure a pipeline on rows that it has not seen, each metric with its interval."""
    from headrace.loading import load

    _show({"evaluate": load(model).evaluate(data)}, report)


@app.command()
def calibrate(
    model: Model,
    data: Data,
    *,
    method: Annotated[str | None, typer.Option(help="How errors are measured: cqr, lac, …")] = None,
    by: Annotated[
        list[str] | None, typer.Option(help="A column in whose groups it shall hold; repeatable.")
    ] = None,
    report: Report = None,
) -> None:
    """Calibrate prediction intervals with labelled rows that the model has not learnt from."""
    from headrace.loading import load

    pipe = load(model)
    result = pipe.calibrate(data, method=method, by=tuple(by) if by else None)
    if pipe.home is None:
        pipe.save(model)
    else:
        pipe.deploy(pipe.home, why="calibrated intervals")
    _show({"calibrate": result}, report)


@app.command()
def tune(
    model: Model,
    data: Data,
    *,
    trials: Annotated[int | None, typer.Option(help="How many settings to try.")] = None,
    time: Annotated[str | None, typer.Option(help="How long to search: 90s, 10min, 2h.")] = None,
    storage: Annotated[
        Path | None, typer.Option(help="SQLite file; an interrupted search goes on from it.")
    ] = None,
    report: Report = None,
) -> None:
    """Search for better settings; keep them only if a paired comparison says so."""
    from headrace.loading import load

    pipe = load(model)
    result = pipe.tune(data, trials=trials, time=time, storage=storage)
    if result.kept:
        pipe.save(model)
    _show({"tune": result}, report)


@app.command()
def deploy(
    model: Model,
    to: Annotated[Path, typer.Argument(help="The folder of the registry.")],
    report: Report = None,
) -> None:
    """Prove all paths equal, then publish a release atomically."""
    from headrace.loading import load

    _show({"deploy": load(model).deploy(to)}, report)


@app.command()
def serve(
    model: Model,
    *,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8000,
    tokens: Annotated[
        Path | None, typer.Option(help="A file of tokens (headrace token); then one is needed.")
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="Note predictions and labels in this SQLite file.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that share the port.")] = 1,
    certificate: Annotated[Path | None, typer.Option(help="For TLS: the certificate.")] = None,
    key: Annotated[Path | None, typer.Option(help="For TLS: its private key.")] = None,
    rate: Annotated[
        float | None, typer.Option(help="Requests a second that one caller may send.")
    ] = None,
    log: Annotated[bool, typer.Option(help="Write a line of JSON for each request.")] = False,
    open_: Annotated[
        bool, typer.Option("--open", help="Let other machines ask without tokens.")
    ] = False,
    module: Modules = None,
) -> None:
    """Answer requests over HTTP; without TensorFlow, unless a step is free Python."""
    from headrace.serving.guard import GuardSettings
    from headrace.serving.server import ServerSettings
    from headrace.serving.server import serve as run_server

    settings = ServerSettings(
        host=host,
        port=port,
        workers=workers,
        tokens=_text(tokens),
        ledger=_text(ledger),
        open=open_,
        certificate=_text(certificate),
        key=_text(key),
    )
    guard = GuardSettings(rate=rate, log=log)
    run_server(_runtime(model, module) if module else model, settings=settings, guard=guard)


@app.command()
def token(
    file: Annotated[Path, typer.Argument(help="The file of tokens; only hashes are in it.")],
    action: Annotated[str, typer.Argument(help="add, remove or list")] = "list",
    name: Annotated[str, typer.Argument(help="Whose token it is.")] = "",
    role: Annotated[str, typer.Option(help="predict or admin")] = "predict",
) -> None:
    """Make, remove and list the tokens that a server asks for."""
    from headrace.serving.tokens import TokenFile

    tokens = TokenFile(file)
    if action == "add":
        typer.echo(tokens.add(name, role))
    elif action == "remove":
        tokens.remove(name)
    elif action == "list":
        for one in tokens.read().all:
            typer.echo(f"{one.name}  {one.role}  {one.created}")
    else:
        raise typer.BadParameter(f"expected add, remove or list, received {action!r}")


@app.command()
def score(
    model: Model,
    data: Annotated[
        str | None, typer.Argument(help="A file or a glob; without it, standard input is read.")
    ] = None,
    to: Annotated[
        Path | None, typer.Argument(help="The file to write: .parquet, .csv or .ndjson.")
    ] = None,
    *,
    batch: Annotated[int, typer.Option(help="Rows of standard input answered together.")] = 1024,
    cluster: Annotated[
        str | None, typer.Option(help="A Dask scheduler, tcp://host:8786; its workers answer.")
    ] = None,
    interval: Interval = None,
    module: Modules = None,
) -> None:
    """Answer every row of files of any size in a file, or JSON lines on standard input."""
    if data is None:
        from headrace.deploy.stream import score as run_stream

        lines_in, lines_out = sys.stdin.buffer, sys.stdout.buffer
        run_stream(_runtime(model, module), lines_in, lines_out, batch=batch, interval=interval)
        return
    if to is None:
        raise typer.BadParameter("say where to write the answers: headrace score MODEL IN OUT")
    from headrace.deploy.scoring import scorer_of
    from headrace.engine import Engine
    from headrace.loading import load
    from headrace.train.interval_frames import score_intervals
    from headrace.train.scoring import score_file

    _import(module)
    fitted = load(model).fitted
    with _client(cluster) as client:
        scorer = scorer_of(fitted, Engine.of(executor=client))
        if interval is None:
            rows = score_file(fitted, data, to, scorer)
        else:
            rows = score_intervals(fitted, data, to, interval, scorer)
    typer.echo(f"{rows:,} rows answered in {to}")


@app.command()
def maintain(
    model: Model,
    data: Data,
    report: Report = None,
) -> None:
    """Compare new rows with the champion's; retrain, promote or roll back with reasons.

    Labels are taken from the target's column where the rows have one.
    """
    from headrace.loading import load

    _show({"maintain": load(model).maintain(data)}, report)


@app.command()
def profile(
    data: Data,
    target: Annotated[str | None, typer.Option(help="The column to predict.")] = None,
    time: Annotated[str | None, typer.Option(help="The column of dates: trends, gaps.")] = None,
    kind: Kinds = None,
    report: Annotated[
        Path | None, typer.Option("--to", "--report", help="Write a one-file HTML report here.")
    ] = None,
) -> None:
    """Assess a table: kinds, columns, relations, leaks, trends, patterns, and a quality score."""
    from headrace.profiling.profile import profile as assess

    result = assess(data, target, time=time, kinds=_kinds(kind))
    typer.echo(result.summary())
    if report is not None:
        typer.echo(f"report: {result.write(report)}")


@app.command()
def demo(
    to: Annotated[Path, typer.Option(help="The folder for the report and the registry.")] = Path(
        "headrace-demo"
    ),
) -> None:
    """Live through a model's whole life on a real table, and write a report about it."""
    from headrace.demo import run_demo

    run_demo(to)


def main() -> None:
    """Run the command line; an error that headrace raises on purpose is one clear message."""
    from headrace.errors import HeadraceError

    try:
        app()
    except (HeadraceError, OSError) as error:
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("interrupted; nothing half-written is left")


def _fail(message: str) -> NoReturn:
    typer.secho(f"headrace: {message}", fg="red", err=True)
    raise SystemExit(1)


def _kinds(given: list[str] | None) -> dict[str, str]:
    pairs = [item.rpartition("=") for item in given or []]
    for name, sign, kind in pairs:
        if not (name and sign and kind):
            raise typer.BadParameter("write a kind as column=kind, for example zip=category")
    return {name: kind for name, _, kind in pairs}


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _runtime(model: Path, modules: list[str] | None) -> Runtime:
    """Open a release for answering; steps in free Python come from the modules that are named."""
    from headrace.deploy.runtime import Runtime

    if not modules:
        return Runtime(model)
    from headrace.deploy.python_runtime import runtime_for

    _import(modules)
    return runtime_for(model)


@contextmanager
def _client(cluster: str | None) -> Iterator[Client | None]:
    """Answer a client of a scheduler; None where none is named."""
    if cluster is None:
        yield None
        return
    try:
        from distributed import Client

        client = Client(cluster)  # type: ignore[no-untyped-call]
    except ImportError:
        raise typer.BadParameter("--cluster needs Dask: pip install 'headrace[cluster]'") from None
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"no scheduler answers at {cluster}: {error}") from None
    with client:
        yield client


def _import(modules: list[str] | None) -> None:
    """Import the modules that hold the user's own steps."""
    if modules:
        sys.path.insert(0, str(Path.cwd()))
    for module in modules or ():
        import_module(module)


def _show(results: dict[str, Result], report: Path | None) -> None:
    for result in results.values():
        typer.echo(result.summary())
    if report is not None:
        from headrace.visualization import write_report

        typer.echo(f"report: {write_report(report, results)}")
