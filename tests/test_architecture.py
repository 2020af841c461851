"""The rules that the whole house keeps: who may import whom, and what nothing may contain."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import headrace

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
HEAVY = {
    *("tensorflow", "keras", "tf2onnx", "onnx", "pandas", "polars", "pyarrow", "sklearn", "scipy"),
    *("matplotlib", "optuna", "starlette", "uvicorn", "sqlalchemy", "datasketches"),
}

# A room may import rooms of its own storey and of those below; nobody imports a room above.
STOREYS = (
    {"errors", "duration", "sizes", "result", "progress", "samples", "stage", "engine", "table"}
    | {"stopping", "storage"},
    {"data", "ledger"},
    {"cache", "partitions"},
    {"plan"},
    {"preprocessing", "clustering", "metrics", "model", "conformal"},
    {"train", "evaluate", "tune", "deploy", "maintain", "profiling"} | {"serving"},
    {"pipeline", "parameters", "loading", "keeping", "run", "estimators"},
)
STOREY = {room: level for level, rooms in enumerate(STOREYS) for room in rooms}
# "" is the package itself: its names are lazy.
SIDE = {"visualization", "cli", "demo", "__main__", ""}


# -- reading imports ------------------------------------------------------------------------------


@cache
def modules() -> dict[str, Path]:
    """Every module of headrace by its dotted name."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def statements(node: ast.AST, *, lazy: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """The import statements that can run: at import time, and with `lazy` inside functions too."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            for other in child.orelse:
                yield from statements(other, lazy=lazy)
        elif lazy or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from statements(child, lazy=lazy)


def imported(name: str, *, lazy: bool) -> set[str]:
    """The modules that a module of headrace imports, `from package import module` resolved."""
    found = set()
    for statement in statements(tree(modules()[name]), lazy=lazy):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
            continue
        module = statement.module or ""
        inner = {f"{module}.{alias.name}" for alias in statement.names} & modules().keys()
        found |= inner | {module}
    return found


def closure(start: str) -> set[str]:
    """All that importing a module imports at once, packages on the way included."""
    seen: set[str] = set()
    waiting = {start}
    while waiting:
        name = waiting.pop()
        parents = {name.rsplit(".", n)[0] for n in range(name.count(".") + 1)}
        seen.add(name)
        if name in modules():
            waiting |= (imported(name, lazy=False) | parents) - seen
    return seen


def room(name: str) -> str:
    return name.partition(".")[2].partition(".")[0]


def outside(names: set[str]) -> set[str]:
    """The libraries among imported modules that are neither headrace nor Python's own."""
    tops = {name.partition(".")[0] for name in names}
    return tops - {"headrace"} - sys.stdlib_module_names


# -- the import rules -----------------------------------------------------------------------------


def test_every_room_has_its_storey() -> None:
    strangers = {room(name) for name in modules()} - STOREY.keys() - SIDE
    assert not strangers, f"say in STOREYS where these rooms belong: {sorted(strangers)}"


@pytest.mark.parametrize("name", modules())
def test_imports_point_one_way(name: str) -> None:
    if room(name) in SIDE:
        return
    wrong = {
        other
        for other in imported(name, lazy=True) & modules().keys()
        if STOREY.get(room(other), len(STOREYS)) > STOREY[room(name)]
        # A result draws itself with `visualization`, imported inside of `plot`.
        and not (room(other) == "visualization" and other not in imported(name, lazy=False))
        and other != "headrace"
    }
    assert not wrong, f"{name} imports from a storey above: {sorted(wrong)}"


def test_rooms_do_not_import_each_other_in_a_circle() -> None:
    edges: dict[str, set[str]] = {}
    for name in modules():
        if room(name) not in SIDE:
            others = {room(other) for other in imported(name, lazy=True) & modules().keys()}
            edges.setdefault(room(name), set()).update(others - {room(name)} - SIDE)
    while free := [name for name, others in edges.items() if not others & edges.keys()]:
        for name in free:
            del edges[name]
    assert not edges, f"these rooms import each other in a circle: {edges}"


@pytest.mark.parametrize("name", [n for n in modules() if room(n) == "visualization"])
def test_visualization_knows_only_results(name: str) -> None:
    known = {
        other
        for other in imported(name, lazy=True) & modules().keys()
        if room(other) not in {"", "visualization", *STOREYS[0]}
    }
    # The report is written to disk as everything else is: whole or not at all.
    assert not known - {"headrace.deploy", "headrace.storage.files"}


@pytest.mark.parametrize("name", ["headrace.deploy.runtime", "headrace.deploy.adaptive"])
def test_the_runtime_needs_numpy_and_onnx_runtime_only(name: str) -> None:
    needed = outside(closure(name))
    assert needed <= {"numpy", "onnxruntime"}


@pytest.mark.parametrize("name", [n for n, p in modules().items() if p.name == "__init__.py"])
def test_importing_a_package_loads_nothing_heavy(name: str) -> None:
    assert not outside(closure(name)) & HEAVY


# -- import headrace ------------------------------------------------------------------------------


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=SOURCE, check=True, capture_output=True, text=True)


def test_import_headrace_loads_no_heavy_library() -> None:
    loaded = python("-c", "import headrace, sys; print(*sys.modules)").stdout.split()
    assert not set(loaded) & HEAVY


def test_import_headrace_takes_less_than_half_a_second_of_its_own() -> None:
    # The quickest of three runs: a busy machine slows them down, nothing speeds them up.
    assert min(own_import_seconds() for _ in range(3)) < 0.5


def own_import_seconds() -> float:
    report = python("-X", "importtime", "-c", "import headrace").stderr
    rows = re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", report)
    own = [int(microseconds) for microseconds, name in rows if name.startswith("headrace")]
    assert own
    return sum(own) / 1e6


@pytest.mark.parametrize("name", headrace.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(headrace, name) is not None
    assert name in dir(headrace)


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'headrace' has no attribute 'Pipelin'"):
        _ = headrace.Pipelin


def test_type_checkers_see_the_same_public_names() -> None:
    [block] = [node for node in tree(modules()["headrace"]).body if isinstance(node, ast.If)]
    seen = {
        alias.asname: f"{node.module}.{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    table = {name: f"{module}.{name}" for name, module in headrace._NAMES.items()}
    assert seen == table | headrace._MODULES


@pytest.mark.parametrize("name", [n for n in modules() if n != "headrace.__main__"])
def test_all_lists_only_what_is_there(name: str) -> None:
    module = import_module(name)
    missing = [public for public in getattr(module, "__all__", []) if not hasattr(module, public)]
    assert not missing


# -- what nothing may contain ---------------------------------------------------------------------

EXECUTING = {"pickle", "cPickle", "joblib", "cloudpickle", "dill", "shelve", "marshal"}


@pytest.mark.parametrize("name", modules())
def test_source_has_no_pickle_no_eval_no_assert(name: str) -> None:
    assert not outside(imported(name, lazy=True)) & EXECUTING
    assert not imported(name, lazy=True) & EXECUTING
    found = [problem for node in ast.walk(tree(modules()[name])) for problem in problems(node)]
    assert not found


def problems(node: ast.AST) -> Iterator[str]:
    line = getattr(node, "lineno", 0)
    if isinstance(node, ast.Assert):
        yield f"line {line}: assert is gone under python -O; raise an error of headrace.errors"
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec"}:
            yield f"line {line}: {node.func.id}() executes what it is given"
        for keyword in node.keywords:
            unsafe = {"allow_pickle": True, "safe_mode": False}.get(keyword.arg or "")
            if (
                isinstance(keyword.value, ast.Constant)
                and keyword.value.value is unsafe is not None
            ):
                yield f"line {line}: {keyword.arg}={unsafe} opens the door to code in files"


def texts() -> list[Path]:
    """Every text file of the repository."""
    folders = ("src", "tests", "examples", "benchmarks", "docs", "data", ".ci")
    kinds = {"", ".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".json", ".ipynb", ".css", ".html"}
    inside = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    return [
        path
        for path in [*ROOT.iterdir(), *inside]
        if path.is_file() and path.suffix in kinds and "__pycache__" not in path.parts
    ]


def relative(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def test_no_python_file_is_longer_than_500_lines() -> None:
    sources = [path for path in texts() if path.suffix == ".py"]
    long = [path for path in sources if path.read_text(encoding="utf-8").count("\n") > 500]
    assert not relative(long)


# Written in pieces, so that this file does not find itself.
INDEX_HOSTS = re.compile("|".join(["py" + r"pi\.org", "python" + r"hosted\.org", "index-" + "url"]))
MACHINE_PATHS = re.compile(r"(?<![\w.~}])/" + "(work|root|home)/")


@pytest.mark.parametrize("forbidden", [INDEX_HOSTS, MACHINE_PATHS], ids=["index", "machine"])
def test_no_file_names_a_package_index_or_a_path_of_one_machine(
    forbidden: re.Pattern[str],
) -> None:
    found = [path for path in texts() if forbidden.search(path.read_text(encoding="utf-8"))]
    assert not relative(found)


def test_dependencies_are_ranges() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "==" not in text
