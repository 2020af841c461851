"""Set headrace up in this folder and run it: nothing but Python 3.11 or newer is needed.

    python3 run.py demo     the whole life of a model on a real table, with a report to open
    python3 run.py test     the tests, but for those that train for long (`-m slow` runs these)

Each command makes the virtual environment `.venv` (another place: HEADRACE_VENV) and installs what
it needs, the first time; later runs start at once. What follows the command is handed on:
`python3 run.py test tests/data -x`.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
OLDEST_PYTHON = (3, 11)
# The last `-m` counts: `python3 run.py test -m slow` runs the others.
QUICK = ("-m", "not slow")
COMMANDS = {
    "demo": ("headrace", "demo"),
    # Two processes halve the time even on two cores; each takes 2 GB, so there are never many.
    "test": ("pytest", "--numprocesses=auto", "--maxprocesses=4", "--dist=loadfile", *QUICK),
}
# What decides whether an installation is still the right one.
DESCRIPTION = ("pyproject.toml", "constraints.txt")


def main(arguments: list[str]) -> int:
    """Run one of the commands and answer its exit status."""
    if sys.version_info < OLDEST_PYTHON:
        print(f"headrace needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
        return 2
    if not arguments or arguments[0] not in COMMANDS:
        print(__doc__)
        return 2
    command, *rest = arguments
    python = prepare(Path(os.environ.get("HEADRACE_VENV") or ROOT / ".venv"))
    print(f"{' '.join(COMMANDS[command])} {' '.join(rest)}".strip(), flush=True)
    called: list[str | Path] = [python, "-m", *COMMANDS[command], *rest]
    return subprocess.run(called, cwd=ROOT, check=False).returncode


def prepare(folder: Path) -> Path:
    """Make the environment if need be, install headrace with its tests, answer its Python."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "headrace-installed"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == fingerprint():
        return python
    print(f"Setting up {folder}: this takes a few minutes, once.", flush=True)
    create(folder)
    install: list[str | Path] = [python, "-m", "pip", "install", "--constraint", "constraints.txt"]
    step(
        [*install, "--editable", ".[test]"],
        "The installation failed; pip says why above. Is the package index reachable?",
    )
    stamp.write_text(fingerprint(), encoding="utf-8")
    return python


def create(folder: Path) -> None:
    """Make a virtual environment with pip, or mend one that was interrupted."""
    step(
        [sys.executable, "-m", "venv", folder],
        "Python's venv module does not work here. On Debian and Ubuntu: "
        "apt-get install python3-venv",
    )


def step(command: list[str | Path], failure: str) -> None:
    """Run a command that has to succeed; otherwise say what to do and stop."""
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        sys.exit(failure)


def fingerprint() -> str:
    """Answer a digest of what the installation was made from."""
    digest = hashlib.sha256(str(ROOT).encode())
    for name in DESCRIPTION:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
