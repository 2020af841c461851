"""Results as the rooms answer them, with just the figures that the pictures need."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.result import Result
from headrace.visualization import Answers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Given(Result):
    """A result with the attributes that a test gives it."""

    values: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        values = object.__getattribute__(self, "values")
        if name in values:
            return values[name]
        raise AttributeError(name)

    def summary(self) -> str:
        return "the summary of <it>"

    def to_dict(self) -> dict[str, Any]:
        return dict(self.values)

    def plot(self, ax: Axes | None = None) -> Axes:
        from headrace.visualization import training_curves

        return training_curves({"loss": [3.0, 2.0]}, ax)


@pytest.fixture(scope="session")
def make() -> Callable[..., Given]:
    """Make a result of attributes."""
    return lambda **values: Given(values)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def binary() -> Answers:
    random = np.random.default_rng(7)
    y_true = (random.random(800) < 0.3).astype(int)
    output = np.clip(random.normal(0.3 + 0.3 * y_true, 0.2), 0.01, 0.99)
    return Answers(y_true, output[:, np.newaxis], ("<=50K", ">50K"))


@pytest.fixture(scope="session")
def multiclass() -> Answers:
    random = np.random.default_rng(7)
    y_true = random.integers(0, 4, 600)
    scores = random.random((600, 4)) + np.eye(4)[y_true]
    return Answers(y_true, scores / scores.sum(axis=1, keepdims=True), ("a", "b", "c", "d"))


@pytest.fixture(scope="session")
def regression() -> Answers:
    random = np.random.default_rng(7)
    y_true = random.gamma(3, 20_000, 5_000)
    return Answers(y_true, y_true + random.normal(0, 9_000, 5_000))


@pytest.fixture(scope="session")
def profile() -> Given:
    """Three columns: a number with gaps, a category, and one with nothing to draw."""
    number = {"kind": "number", "edges": (0.0, 1.0, 5.0, 100.0), "counts": (50, 30, 10)}
    words = {"kind": "category", "values": {"a $b$": 60, "ü": 30}, "edges": (), "counts": ()}
    nothing = {"kind": "text", "values": {}, "edges": (), "counts": ()}
    common = {"rows": 100, "missing": 10, "other": 0, "distinct": 90}
    columns = [
        SimpleNamespace(name=name, **common, **own)
        for name, own in (("price", number), ("word", words), ("story", nothing))
    ]
    return Given({"columns": columns})


@pytest.fixture(scope="session")
def drifted() -> Given:
    """One column of each sort that drifted, and one that did not."""
    common = {"reference": (0.7, 0.3), "current": (0.2, 0.8), "words": "more <of> it"}
    columns = [
        SimpleNamespace(column="age", effect=0.4, alarm=True, cells=(0.0, 1.0, 2.0), **common),
        SimpleNamespace(column="city", effect=0.2, alarm=True, cells=("x", "y"), **common),
        SimpleNamespace(column="same", effect=0.01, alarm=False, cells=(), **common),
    ]
    return Given({"columns": columns, "smallest_effect": 0.05})


@pytest.fixture(autouse=True)
def _leaves_matplotlib_alone() -> Iterator[None]:
    """No picture may change a setting of matplotlib or leave a figure with pyplot."""
    import matplotlib as mpl
    from matplotlib import _pylab_helpers

    before = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == before
    assert not _pylab_helpers.Gcf.figs
