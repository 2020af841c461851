"""The command line, as a separate process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headrace.cache.cache import Cache

if TYPE_CHECKING:
    import polars as pl

    import headrace as hr

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = [
    "train",
    "evaluate",
    "tune",
    "deploy",
    "serve",
    "token",
    "score",
    "maintain",
    "profile",
    "demo",
]
COMMANDS += ["run", "clean", "calibrate"]


def headrace(*arguments: object, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "headrace", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_help_names_every_command() -> None:
    shown = headrace("--help").stdout
    for command in COMMANDS:
        assert command in shown


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, headrace.cli; "
        "print(sorted({'tensorflow', 'polars', 'pandas', 'sklearn', 'starlette'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "[]"


def test_an_error_is_one_clear_message(tmp_path: Path) -> None:
    ran = headrace("train", "nowhere.csv", "--target", "y", "--to", tmp_path / "m")
    assert ran.returncode == 1
    assert "headrace: there is no file 'nowhere.csv'" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_profile_shows_kinds_and_statistics(table: pl.DataFrame, tmp_path: Path) -> None:
    table.write_csv(tmp_path / "people.csv")
    ran = headrace(
        "profile", tmp_path / "people.csv", "--target", "rich", "--kind", "grade=category"
    )
    assert ran.returncode == 0, ran.stderr
    assert "datetime" in ran.stdout
    assert headrace("profile", tmp_path / "people.csv", "--kind", "grade").returncode != 0


@pytest.mark.slow
def test_the_whole_life_by_commands(
    table: pl.DataFrame, fresh: pl.DataFrame, tmp_path: Path
) -> None:
    table.drop("wage", "grade").write_csv(tmp_path / "people.csv")
    fresh.drop("wage", "grade").write_parquet(tmp_path / "new.parquet")
    model, registry = tmp_path / "model", tmp_path / "registry"
    for command in (
        ("train", tmp_path / "people.csv", "--target", "rich", "--to", model),
        ("evaluate", model, tmp_path / "new.parquet", "--report", tmp_path / "report.html"),
        ("tune", model, tmp_path / "people.csv", "--trials", 1),
        ("deploy", model, registry),
        ("maintain", registry, tmp_path / "new.parquet"),
    ):
        ran = headrace(*command)
        assert ran.returncode == 0, ran.stderr[-2000:]
    assert (tmp_path / "report.html").stat().st_size > 10_000
    lines = "\n".join(json.dumps(row, default=str) for row in fresh.head(5).to_dicts())
    scored = headrace("score", registry, stdin=lines + "\n")
    answers = [json.loads(line) for line in scored.stdout.splitlines()]
    assert len(answers) == 5, scored.stderr
    assert {answer["prediction"] for answer in answers} <= {"yes", "no"}


@pytest.mark.slow
def test_a_model_is_calibrated_and_answers_intervals_by_commands(
    regression: hr.Pipeline, spare: pl.DataFrame, fresh: pl.DataFrame, tmp_path: Path
) -> None:
    model, registry = regression.save(tmp_path / "model"), tmp_path / "registry"
    spare.write_parquet(tmp_path / "spare.parquet")
    fresh.write_parquet(tmp_path / "fresh.parquet")
    ran = headrace("calibrate", model, tmp_path / "spare.parquet", "--by", "job")
    assert ran.returncode == 0, ran.stderr
    assert "700 calibration rows; wage: absolute" in ran.stdout
    out = tmp_path / "answers.csv"
    ran = headrace("score", model, tmp_path / "fresh.parquet", out, "--interval", "0.9")
    assert ran.returncode == 0, ran.stderr
    assert out.read_text().splitlines()[0] == "prediction,low,high"
    assert headrace("deploy", model, registry).returncode == 0
    assert headrace("calibrate", registry, tmp_path / "spare.parquet").returncode == 0
    lines = "\n".join(json.dumps(row, default=str) for row in fresh.head(3).to_dicts())
    scored = headrace("score", registry, "--interval", "0.8", stdin=lines + "\n")
    answers = [json.loads(line) for line in scored.stdout.splitlines()]
    assert all(one["low"] < one["prediction"] < one["high"] for one in answers), scored.stderr
    wrong = headrace("score", model, tmp_path / "fresh.parquet", out, "--interval", "9")
    assert "interval must be a number between 0 and 1" in wrong.stderr


def test_clean_lets_go_of_what_was_not_used_for_long(tmp_path: Path) -> None:
    cache = Cache(tmp_path / ".cache")
    for number in range(2):
        part = cache.part("sums", f"sum {number}", {"parameters": {"number": number}})
        with part.alone():
            part.save(number, seconds=0.0)
    old = cache.entries()[-1].folder / "about.json"
    os.utime(old, (1, 1))
    ran = headrace("clean", tmp_path, "--older-than", "30d")
    assert ran.stdout.splitlines() == ["removed 1 results, 0 MB", "kept 1 results, 0 MB"]
    assert len(cache.entries()) == 1
    assert headrace("clean", tmp_path / ".cache", "--larger-than", "1 KB").returncode == 0
    nothing = headrace("clean", tmp_path / "nowhere")
    assert nothing.returncode == 1
    assert "holds no cache: give the folder that run published to" in nothing.stderr


@pytest.mark.slow
def test_run_explains_what_it_kept(table: pl.DataFrame, tmp_path: Path) -> None:
    table.select("age", "job", "rich").write_csv(tmp_path / "rows.csv")
    given = (tmp_path / "rows.csv", "--target", "rich", "--to", tmp_path / "models")
    command = ("run", *given, "--preset", "fast", "--trials", "0")
    first, again = headrace(*command), headrace(*command)
    assert "0 of " in first.stdout.splitlines()[-1]
    assert "deploy    deploy" in again.stdout
    assert re.match(r"(\d+) of \1 parts kept", again.stdout.splitlines()[-1])
