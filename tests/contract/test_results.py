"""What every result keeps: text, plain values, a picture, a page in a notebook.

A new result is entered in RESULTS with a way to make one; without that the first test fails.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import pkgutil
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import headrace
import headrace as hr
from headrace.deploy.parity import Verification
from headrace.deploy.result import DeployResult
from headrace.evaluate import counterfactual, partial_dependence_pair
from headrace.evaluate.several import SeveralEvaluations
from headrace.result import Result
from headrace.train.learning_rate import LearningRateSearch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HOSTILE = "<script>alert(1)</script> größe"


class Ground:
    """Pipelines and rows that results are made of, each made once."""

    def __init__(self, pipe: hr.Pipeline, values: hr.Pipeline, folder: Path) -> None:
        self.pipe, self.values, self.folder = pipe, values, folder
        self.rows, self.spare = _people(200, 3), _people(300, 4)
        self._made: dict[str, Any] = {}

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    @property
    def evaluation(self) -> Any:
        return self.once("evaluation", lambda: self.pipe.evaluate(self.rows))

    @property
    def calibrated(self) -> hr.Pipeline:
        def make() -> hr.Pipeline:
            copy = self.values.copy()
            copy.adopt(self.values.fitted, None)
            self._made["calibrate"] = copy.calibrate(self.spare)
            return copy

        found: hr.Pipeline = self.once("calibrated", make)
        return found

    @property
    def clusters(self) -> hr.Pipeline:
        def make() -> hr.Pipeline:
            pipe = hr.Pipeline([hr.normalize.Standardize(), hr.KMeans(2)])
            pipe.train(self.points)
            return pipe

        found: hr.Pipeline = self.once("clusters", make)
        return found

    @property
    def points(self) -> pl.DataFrame:
        random = np.random.default_rng(0)
        middles = np.array([[0.0, 0.0], [9.0, 9.0]])[random.integers(0, 2, 200)]
        return pl.DataFrame(middles + random.normal(size=(200, 2)), schema=[HOSTILE, "y"])

    @property
    def explanation(self) -> Any:
        return self.once("explanation", lambda: hr.explain(self.pipe, self.rows.head(50)))

    @property
    def maintained(self) -> Any:
        return self.once("maintained", lambda: self.deployed.maintain(self.spare))

    @property
    def deployed(self) -> hr.Pipeline:
        def make() -> hr.Pipeline:
            pipe = self.pipe.copy()
            pipe.adopt(self.pipe.fitted, None)
            self._made["deploy"] = pipe.deploy(self.folder / "models")
            return pipe

        found: hr.Pipeline = self.once("deployed", make)
        return found

    @property
    def tuned(self) -> Any:
        pipe = hr.Pipeline([hr.clean.Impute(), hr.Network([4], epochs=2)], target="wage")
        return pipe.tune(self.rows.select("age", "hours", "wage"), trials=2)

    @property
    def ran(self) -> Any:
        def make() -> Any:
            steps = [hr.clean.Impute(), hr.transform.Encode(), hr.Network([4], epochs=2)]
            stages = [hr.Train(), hr.Evaluate(compare=(), importance=False)]
            pipe = hr.Pipeline(steps, target="rich", stages=stages)
            table = self.rows.select("age", "hours", "job", "rich")
            return pipe.run(table, cache=self.folder / "cache")

        return self.once("ran", make)


def _people(rows: int, seed: int) -> pl.DataFrame:
    from tests.conftest import people

    return people(rows, seed).rename({"hours": HOSTILE}).rename({HOSTILE: "hours"})


RESULTS: dict[str, Callable[[Ground], Any]] = {
    "Assessment": lambda g: hr.profile(g.rows, "rich"),
    "Attribution": lambda g: g.explanation.attribution,
    "CalibrateResult": lambda g: (g.calibrated, g._made["calibrate"])[1],
    "Calibration": lambda g: g.evaluation.calibration(),
    "ClusterCards": lambda g: hr.cluster_cards(g.clusters, g.points),
    "ClusterDrift": lambda g: hr.cluster_drift(g.clusters, g.points),
    "ClusterEvaluation": lambda g: g.clusters.evaluate(g.points),
    "ClusterNumber": lambda g: hr.choose_k(g.points, ks=[2, 3]),
    "Comparison": lambda g: g.evaluation.comparisons["dummy"],
    "Counterfactual": lambda g: counterfactual(g.pipe, g.rows.head(1)),
    "Coverage": lambda g: hr.coverage(g.calibrated, g.rows),
    "Dependence": lambda g: g.explanation.dependence[0],
    "DependencePair": lambda g: partial_dependence_pair(g.pipe, g.rows, ("age", "hours")),
    "DeployResult": lambda g: DeployResult(g.folder, "3f9a2c77d01b4e65", "champion", {"a": 1}, None),
    "DriftReport": lambda g: g.maintained.drift,
    "Evaluation": lambda g: g.evaluation,
    "Explanation": lambda g: g.explanation,
    "cache.Explanation": lambda g: g.ran.cache,
    "Fairness": lambda g: hr.fairness(g.pipe, g.rows, by="member"),
    "Importance": lambda g: g.evaluation.importance,
    "LearningRateSearch": lambda _: LearningRateSearch(
        rates=(0.001, 0.01, 0.1), losses=(0.7, 0.5, 2.0), smoothed=(0.7, 0.5, 2.0),
        suggestion=0.01, usual=0.002, batch_size=256, diverged=True, seconds=4.0,
    ),
    "Lift": lambda g: g.evaluation.lift(),
    "MaintainResult": lambda g: g.maintained,
    "Pit": lambda g: hr.pit(_quantiles(g), g.rows.select("age", "hours", "wage")),
    "Profile": lambda g: g.pipe.fitted.profile,
    "QualityReport": lambda g: g.maintained.quality,
    "RunResult": lambda g: g.ran,
    "SeveralEvaluations": lambda g: SeveralEvaluations({HOSTILE: g.evaluation}),
    "Slices": lambda g: hr.find_slices(g.pipe, g.rows),
    "Steadiness": lambda g: hr.stability(g.pipe, g.rows, repeats=2),
    "Surrogate": lambda g: g.explanation.surrogate,
    "Thresholds": lambda g: g.evaluation.thresholds(),
    "TrainResult": lambda g: g.pipe.fitted.result,
    "TuneResult": lambda g: g.tuned,
    "Verification": lambda _: Verification(1000, {"ONNX": 3e-7}),
}  # fmt: skip


def _quantiles(ground: Ground) -> hr.Pipeline:
    network = hr.Network([4], epochs=2, quantiles=(0.1, 0.5, 0.9))
    pipe = hr.Pipeline([hr.clean.Impute(), network], target="wage")
    rows = ground.rows.select("age", "hours", "wage")
    pipe.train(rows)
    ground.rows = ground.rows  # the same rows are asked about
    return pipe


def classes() -> dict[str, type[Result]]:
    """Every result of the library by its name; of two with one name, the room before it."""
    for module in pkgutil.walk_packages(headrace.__path__, "headrace."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)

    def below(kind: type[Result]) -> Iterator[type[Result]]:
        for found in kind.__subclasses__():
            yield found
            yield from below(found)

    ours = [kind for kind in below(Result) if kind.__module__.startswith("headrace.")]
    found: dict[str, type[Result]] = {}
    for kind in sorted(set(ours), key=lambda kind: kind.__module__, reverse=True):
        room = kind.__module__.split(".")[1]
        found[kind.__name__ if kind.__name__ not in found else f"{room}.{kind.__name__}"] = kind
    return found


@pytest.fixture(scope="module")
def ground(
    trained: hr.Pipeline, regression: hr.Pipeline, tmp_path_factory: pytest.TempPathFactory
) -> Ground:
    return Ground(trained, regression, tmp_path_factory.mktemp("results"))


@pytest.fixture(params=RESULTS)
def result(request: pytest.FixtureRequest, ground: Ground) -> Any:
    return ground.once(f"result {request.param}", lambda: RESULTS[request.param](ground))


def test_every_result_is_here() -> None:
    assert classes().keys() == RESULTS.keys()


def test_it_is_what_it_says_and_stays_so(result: Any, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params["result"]
    assert type(result) is classes()[name]
    assert result.__dataclass_params__.frozen
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(result, dataclasses.fields(result)[0].name, None)


def test_its_text_can_be_read(result: Any) -> None:
    text = result.summary()
    assert text.strip()
    assert str(result) == text
    assert not re.search(r"\bnan\b|\binf\b|(?<!=)\bNone\b(?! of)|array\(|<[a-z]+ object", text), (
        text
    )
    assert len(repr(result)) < 1_000_000


def test_its_values_are_plain(result: Any) -> None:
    once = json.dumps(result.to_dict(), allow_nan=False)
    assert json.dumps(result.to_dict(), allow_nan=False) == once
    assert json.loads(once)


def test_it_draws_itself(result: Any) -> None:
    before = dict(mpl.rcParams)
    try:
        axes = result.plot()
    except headrace.errors.SettingError as error:
        assert "draw" in str(error) or "picture" in str(error)  # noqa: PT017 - and why
        return
    assert isinstance(axes, Axes)
    given = Figure().add_subplot()
    assert result.plot(given).figure is given.figure
    with hr.style(dark=True):
        result.plot().figure.draw_without_rendering()
    assert dict(mpl.rcParams) == before


class Reader(HTMLParser):
    """Reads HTML and insists that every element is closed."""

    EMPTY = frozenset({"br", "img", "path", "use", "rect", "image", "circle", "line", "hr"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.tags.append(tag)
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.EMPTY:
            assert self.open.pop() == tag


def check_html(shown: str) -> None:
    page = Reader(shown)
    assert not page.open
    assert "script" not in page.tags
    assert len(shown.encode()) < 600_000
    assert not re.search(r"https?://|url\((?!#)", shown)


def test_a_notebook_shows_it(result: Any) -> None:
    check_html(result._repr_html_())


@pytest.mark.parametrize("what", ["pipeline", "untrained", "schema", "plan", "space"])
def test_a_notebook_shows_what_is_no_result(what: str, ground: Ground) -> None:
    fitted = ground.clusters.fitted
    shown: Any = {
        "pipeline": ground.clusters,
        "untrained": hr.Pipeline(),
        "schema": fitted.schema,
        "plan": fitted.plan,
        "space": hr.search_space(ground.values, ground.rows),
    }[what]
    check_html(shown._repr_html_())
    assert len(repr(shown)) < 20_000


def test_what_was_learnt_is_told_in_a_line(ground: Ground) -> None:
    fitted = ground.clusters.fitted
    assert repr(fitted) == "Fitted(2 columns, 2 steps, FittedKMeans)"
    assert repr(fitted.clusters) == "FittedKMeans(2 clusters of 200 rows in 2 columns)"
    assert repr(fitted.plan).startswith("Plan(2 columns in, ")
    assert "Standardize" in str(fitted.plan) or "→" in str(fitted.plan)
