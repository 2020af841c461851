"""How good the default network is on eight real tables, beside boosted trees and plain MLPs.

    uv run --with lightgbm --with xgboost --with catboost python benchmarks/quality.py \
        [--data FOLDER] [--only adult metro] [--models "headrace balanced" LightGBM] \
        [--seeds 0 1 2] [--limit 120] [--threads 2] [--everything] [--results FILE] [--report]

Each table is split 64/16/20: a model learns from the first part, stops by the second, and the
third is measured; flights and metro are split in the order of time. All get the very same rows
and the same limit of seconds. Results are appended to FILE, one JSON object a line, and what is
there already is not done again, so it can be run in pieces. The scores of the test rows lie
beside it, so that `--report` compares row by row. Peers that are not installed are left out, and
so are tables that FOLDER does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
OURS = "headrace balanced"


def main() -> None:
    given = arguments()
    if not given.report:
        measure_all(given)
    print(report(given.results, given.models))


def arguments() -> argparse.Namespace:
    from quality_models import MODELS
    from quality_tables import TABLES

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=ROOT / "data")
    parser.add_argument("--only", nargs="*", choices=TABLES, default=list(TABLES))
    parser.add_argument("--models", nargs="*", choices=MODELS, default=list(MODELS))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--limit", type=float, default=120.0, help="seconds a model may take")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--everything", action="store_true", help="all rows of the flights")
    parser.add_argument("--results", type=Path, default=Path("quality.jsonl"))
    parser.add_argument("--report", action="store_true", help="only print what was measured")
    return parser.parse_args()


def measure_all(given: argparse.Namespace) -> None:
    from quality_tables import find, split

    os.environ.setdefault("OMP_NUM_THREADS", str(given.threads))
    done = {key(record) for record in read(given.results)}
    missing: set[str] = set()
    for table in given.only:
        path = find(table, given.data)
        if path is None:
            print(f"{table}: left out, {given.data} does not hold it")
            continue
        for seed in given.seeds:
            wanted = [m for m in given.models if (table, seed, m) not in done and m not in missing]
            parts = split(table, path, seed=seed, everything=given.everything) if wanted else None
            for model in wanted:
                try:
                    record = measure(table, parts, model, seed, given)
                except ModuleNotFoundError as error:
                    print(f"{model}: left out, {error}")
                    missing.add(model)
                    continue
                print(line(record), flush=True)


def measure(
    table: str, parts: Any, model: str, seed: int, given: argparse.Namespace
) -> dict[str, Any]:
    """Train a model, score it, and write both down."""
    from quality_models import MODELS

    load, start = os.getloadavg()[0], time.perf_counter()
    scores = MODELS[model](parts, seed, given.limit, given.threads)
    seconds = time.perf_counter() - start
    truth = parts.truth(parts.test)
    record = {
        "table": table,
        "seed": seed,
        "model": model,
        "rows": parts.train.height + parts.valid.height + parts.test.height,
        "metrics": metrics(parts.table.task, truth, scores),
        "metric": parts.table.metric,
        "task": parts.table.task,
        "seconds": round(seconds, 1),
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
    }
    folder = given.results.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{table}-{seed}.npy", truth)
    np.save(folder / f"{table}-{seed}-{model}.npy", np.asarray(scores, dtype=np.float32))
    with given.results.open("a") as file:
        file.write(json.dumps(record) + "\n")
    return record


def metrics(task: str, truth: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, roc_auc_score

    if task == "regression":
        rmse = float(np.sqrt(np.mean((truth - scores) ** 2)))
        return {"rmse": rmse, "mae": float(mean_absolute_error(truth, scores))}
    if task == "binary":
        chosen = scores > 0.5
        auc = {"roc_auc": float(roc_auc_score(truth, scores))}
    else:
        chosen, auc = scores.argmax(axis=1), {}
        scores = scores / scores.sum(axis=1, keepdims=True)
    known = np.arange(scores.shape[1]) if task == "multiclass" else [0, 1]
    loss = float(log_loss(truth, np.clip(scores, 1e-7, 1 - 1e-7), labels=known))
    return {**auc, "log_loss": loss, "accuracy": float(accuracy_score(truth, chosen))}


def read(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    records = [json.loads(text) for text in path.read_text().splitlines() if text]
    return list({key(record): record for record in records}.values())


def key(record: dict[str, Any]) -> tuple[str, int, str]:
    return record["table"], record["seed"], record["model"]


def line(record: dict[str, Any]) -> str:
    figures = "  ".join(f"{name} {value:.5g}" for name, value in record["metrics"].items())
    name = f"{record['table']:<12}{record['seed']:>2}  {record['model']:<22}"
    return f"{name}{record['seconds']:>7.1f} s  load {record['load'][1]:<5}{figures}"


def report(path: Path, models: list[str]) -> str:
    """Answer the scores, the seconds, the mean ranks and the verdicts as Markdown."""
    records = [record for record in read(path) if record["model"] in models]
    tables = list(dict.fromkeys(record["table"] for record in records))
    models = [m for m in models if any(record["model"] == m for record in records)]
    cells = {
        (t, m): [r for r in records if (r["table"], r["model"]) == (t, m)]
        for t in tables
        for m in models
    }
    rows = [["table", "metric", *models]]
    for table in tables:
        metric = next(r["metric"] for r in records if r["table"] == table)
        rows.append([table, metric, *(cell(cells[table, m], metric) for m in models)])
    seconds = [np.mean([r["seconds"] for t in tables for r in cells[t, m]]) for m in models]
    rows.append(["seconds", "mean", *(f"{value:.0f}" for value in seconds)])
    whole = [m for m in models if all(cells[t, m] for t in tables)]
    ranked = ranks(cells, tables, whole)
    shown = {m: interval(ranked[:, place]) for place, m in enumerate(whole)}
    rows.append(["rank", "mean (95 %)", *(shown.get(m, "") for m in models)])
    text = "\n".join(
        "| " + " | ".join(row) + " |" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    )
    return text + "\n\n" + verdicts(path, records, models)


def cell(records: list[dict[str, Any]], metric: str) -> str:
    if not records:
        return ""
    values = [record["metrics"][metric] for record in records]
    seconds = np.mean([record["seconds"] for record in records])
    return f"{np.mean(values):.5g} ({seconds:.0f} s)"


def ranks(cells: dict[Any, Any], tables: list[str], models: list[str]) -> np.ndarray:
    """Answer each model's rank by its mean score, (tables, models), 1 the best."""
    from scipy.stats import rankdata

    rows = []
    for table in tables:
        metric = cells[table, models[0]][0]["metric"] if models else ""
        sign = -1 if metric == "roc_auc" else 1
        means = [np.mean([r["metrics"][metric] for r in cells[table, m]]) for m in models]
        rows.append(rankdata(sign * np.array(means)))
    return np.array(rows)


def interval(values: np.ndarray) -> str:
    """Answer the mean with the bootstrap interval over the tables."""
    drawn = np.random.default_rng(0).choice(values, (2000, len(values))).mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return f"{values.mean():.2f} ({low:.2f} to {high:.2f})"


def verdicts(path: Path, records: list[dict[str, Any]], models: list[str]) -> str:
    """Answer how often the default is better or worse than each rival, row by row."""
    from headrace.evaluate.comparison import compare

    known = {key(record): record for record in records}
    folder = path.with_suffix("")
    lines = [f"| {OURS} against | better | worse | not enough data to tell |", "|---|---|---|---|"]
    for rival in models:
        found: dict[str, list[str]] = {}
        for (table, seed, model), record in known.items():
            if model != OURS or (table, seed, rival) not in known or rival == OURS:
                continue
            names = ("", f"-{OURS}", f"-{rival}")
            truth, ours, theirs = (np.load(folder / f"{table}-{seed}{n}.npy") for n in names)
            comparison = compare(truth, ours, theirs, task=record["task"], metric=record["metric"])
            found.setdefault(comparison.verdict, []).append(f"{table} {seed}")
        if found:
            kinds = ("better", "worse", "not enough data to tell")
            lines.append(
                f"| {rival} | " + " | ".join(listed(found.get(k, [])) for k in kinds) + " |"
            )
    return "\n".join(lines)


def listed(names: list[str]) -> str:
    counts: dict[str, int] = {}
    for name in names:
        table = name.split()[0]
        counts[table] = counts.get(table, 0) + 1
    return f"{len(names)}: " + ", ".join(f"{t} x {n}" for t, n in counts.items()) if names else "0"


if __name__ == "__main__":
    main()
