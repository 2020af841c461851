from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from headrace.result import Result
from headrace.visualization.headline import headline


@dataclass(frozen=True)
class Outer(Result):
    """A result that holds another one, as a deployment holds its verification."""

    inner: Result
    version: str = "3f9a2c77d01b4e65"
    alias: str | None = None
    sizes: dict[str, int] = field(default_factory=dict)

    def summary(self) -> str:
        return ""

    def to_dict(self) -> dict[str, Any]:
        return {}

    def plot(self, ax: Any = None) -> Any:
        raise NotImplementedError


def test_the_figures_come_from_the_results(make: Any) -> None:
    metric = SimpleNamespace(value=0.9184, low=0.912, high=0.924)
    against = SimpleNamespace(
        metric="roc_auc", value=0.9184, difference=-0.009, low=-0.012, high=-0.006, verdict="worse"
    )
    verification = make(differences={"ONNX": 3e-7, "rows": 0.0}, difference=3e-7, rows=1000)
    decision = SimpleNamespace(action="retrain", reasons=())
    drift = SimpleNamespace(alarmed=("age",), columns=("age", "city"))
    found = headline(
        {
            "Steps": "some code",
            "train": make(seconds={"steps": 1.0, "model": 20.5}, rows=30_000, epochs=38),
            "evaluate": make(
                metrics={"accuracy": metric, "roc_auc": metric},
                primary="roc_auc",
                comparisons={"constant": against, "gradient_boosting": against},
            ),
            "deploy": [Outer(verification)],
            "maintain": make(decision=decision, drift=drift),
        }
    )
    assert found == {
        "Trained in": ("21.5 s", "30,000 rows, 38 epochs"),
        "roc_auc": ("0.918", "0.912 to 0.924"),
        "Against gradient_boosting": ("worse", "by −0.0090 roc_auc"),
        "Release": ("3f9a2c77", "published"),
        "Largest difference": ("3e-07", "2 paths, 1,000 rows"),
        "Decision": ("retrain", "1 of 2 columns drifted"),
    }


def test_nothing_is_known_of_nothing() -> None:
    assert headline({"Data": "rows", "More": None}) == {}
