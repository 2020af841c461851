"""The pipeline: one object for a model's whole life."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.cache.explanation import NO_CACHE, Explanation
from headrace.data.source import is_lazy
from headrace.engine import Engine
from headrace.errors import NotTrainedError, SettingError
from headrace.model.targets import check_columns
from headrace.parameters import Parameters
from headrace.preprocessing.step import checked_steps
from headrace.stage import checked_stages

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from headrace.cache.cache import Cache
    from headrace.data.schema import Kind, Schema
    from headrace.deploy.parity import Verification
    from headrace.deploy.result import DeployResult
    from headrace.evaluate.conformal import CalibrateResult
    from headrace.evaluate.result import Evaluation
    from headrace.evaluate.several import SeveralEvaluations
    from headrace.maintain.policy import Policy
    from headrace.maintain.result import MaintainResult
    from headrace.model.network import Network
    from headrace.model.target import Label
    from headrace.plan.plan import Plan
    from headrace.preprocessing.step import Step
    from headrace.run import RunResult
    from headrace.stage import Stage
    from headrace.train.fitted import Fitted
    from headrace.train.learning_rate import LearningRateSearch
    from headrace.train.result import TrainResult
    from headrace.train.training import Validation
    from headrace.tune.result import TuneResult

__all__ = ["Pipeline"]


class Pipeline(Parameters):
    """The whole life of a model on real data: train, evaluate, tune, deploy, maintain.

    Args:
        steps: The steps in order, the model (`hr.Network`, `hr.KMeans`) last. None chooses them
            from the data's schema when `train` sees it; `print(pipe)` then shows them as code.
        target: The column to predict, or several that one network predicts. None for clusters, or
            for steps without a model.
        kinds: Kinds of columns (number, boolean, category, datetime, text, id) where the inferred
            ones are not wanted, `{"zip": "category"}`.
        network: The network behind the steps, where it is none of them: `hr.Network(preset="best")`
            with steps that are chosen.
        stages: The stages that `run` goes through; None for train, evaluate, tune, deploy and
            maintain.
        seed: Of every random choice.
        memory: The most memory that the process may hold, in bytes or as "2GB"; None for what the
            machine has. Tables that do not fit are read in parts, and what cannot be done with so
            little is refused before it begins.
        executor: Who works on the parts of a table: a Dask client, or anything with the interface
            of `concurrent.futures.Executor`; None for this process.

    Attributes:
        home: The registry that this pipeline was deployed to or loaded from.
        version: The release that this pipeline is, while nothing was learnt since.

    Raises:
        SettingError: If a step is no step, or a stage no stage.

    Example:
        >>> import headrace as hr
        >>> pipe = hr.Pipeline([hr.clean.Impute(), hr.normalize.Standardize()])
        >>> _ = pipe.train({"x": [1.0, 2.0, 3.0, None]})
        >>> pipe.transform({"x": [2.0]})["x"].to_list()
        [0.0]
    """

    def __init__(
        self,
        steps: Iterable[Step] | None = None,
        *,
        target: str | Sequence[str] | None = None,
        kinds: Mapping[str, Kind] | None = None,
        network: Network | None = None,
        stages: Iterable[Stage] | None = None,
        seed: int = 0,
        memory: float | str | None = None,
        executor: Any = None,
    ) -> None:
        """Store the settings; nothing is read or learnt yet."""
        self.steps = None if steps is None else checked_steps(steps)
        self.target = check_columns(target)
        self.kinds = kinds
        self.network = network
        self.stages = None if stages is None else checked_stages(stages)
        self.seed = seed
        self.memory = memory
        self.executor = executor
        self._fitted: Fitted | None = None
        self._explanation: Explanation = NO_CACHE
        self.home: Path | None = None
        self.version: str | None = None

    @property
    def engine(self) -> Engine:
        """What the work runs on, from `memory` and `executor`.

        Raises:
            SettingError: One of them cannot be used.
        """
        return Engine.of(self.memory, self.executor)

    # What was learnt

    @property
    def fitted(self) -> Fitted:
        """Everything that training learnt.

        Raises:
            NotTrainedError: If `train` has not been called.
        """
        if self._fitted is None:
            raise NotTrainedError("this pipeline has learnt nothing yet: call train(data) first")
        return self._fitted

    @property
    def is_trained(self) -> bool:
        """Whether anything was learnt."""
        return self._fitted is not None

    @property
    def schema(self) -> Schema:
        """Names and kinds of the feature columns."""
        return self.fitted.schema

    @property
    def plan(self) -> Plan:
        """The fitted operations."""
        return self.fitted.plan

    @property
    def classes(self) -> tuple[Label, ...]:
        """The labels, in the order of the columns of `predict_proba`; empty for regression."""
        return self.fitted.network.target_spec.classes

    # The verbs

    def train(
        self,
        data: object,
        validation: Validation = None,
        *,
        weight: str | None = None,
        checkpoint: str | Path | None = None,
        cache: str | Path | Cache | None = None,
    ) -> TrainResult:
        """Fit the steps and train the model.

        Args:
            data: The rows: pandas, Polars (lazy too), Arrow, NumPy, a dict of columns, a list of
                dicts, a path or glob of CSV, Parquet, NDJSON or Arrow IPC files, or `hr.Query`.
            validation: What decides when the network stops: None for a fifth of the rows chosen
                at random, a share, `hr.Split(group=...)` or `hr.Split(time=...)`, or rows of their
                own. The steps never learn from these rows.
            weight: A column with the weight of each row in the loss.
            checkpoint: A folder for what is done so far. After a kill the same call goes on from
                there, to the same weights to the bit; finished training is not done again.
            cache: A folder for the checkpoint and the fits of the steps, kept as by `run`.

        Returns:
            How the training went. An error or Ctrl-C leaves what was learnt before as it was.

        Raises:
            DataError: If the rows cannot be used; it names every problem.
            SettingError: If steps and data do not fit together.
            CheckpointError: If the folder belongs to other work, or cannot be written.
        """
        from headrace.train.cached import train_kept
        from headrace.train.numbering import numbered_as

        fitted = train_kept(
            data,
            self.steps,
            target=self.target,
            kinds=self.kinds,
            network=self.network,
            validation=validation,
            weight=weight,
            seed=self.seed,
            engine=self.engine,
            checkpoint=checkpoint,
            cache=cache,
        )
        fitted = numbered_as(self._fitted, fitted)
        self.adopt(fitted, None)
        if fitted.result is None:
            raise NotTrainedError("training gave no result")
        return fitted.result

    def find_learning_rate(
        self, data: object, *, weight: str | None = None, **settings: Any
    ) -> LearningRateSearch:
        """Search for a learning rate of the network; nothing that was learnt changes.

        Args:
            data: The rows, with the target.
            weight: A column with the weight of each row in the loss.
            settings: `low`, `high`, `points`; see `headrace.train.learning_rate`.

        Returns:
            The loss at each rate, and a suggestion for `hr.Network(learning_rate=...)`.
        """
        from headrace.train.learning_rate import find_learning_rate

        return find_learning_rate(
            data,
            self.steps,
            target=self.target,
            kinds=self.kinds,
            network=self.network,
            weight=weight,
            seed=self.seed,
            **settings,
        )

    def calibrate(self, data: object, **settings: Any) -> CalibrateResult:
        """Learn from labelled rows how wide the intervals of `predict(..., interval=)` must be.

        Args:
            data: Labelled rows that the network has not learnt from.
            **settings: See `headrace.Conformal`: `method`, `by`, `half_life`, …
        """
        from headrace.evaluate.conformal import calibrate

        fitted, result = calibrate(self.fitted, data, **settings)
        self.adopt(fitted, None)
        return result

    def predict(self, data: object, *, interval: float | None = None) -> Any:
        """Answer a label, a value or a cluster number for each row.

        Args:
            data: The rows, from any source.
            interval: How often the truth shall be inside; see `calibrate`.

        Returns:
            On pandas a Series with the same index, on Polars a Series, else a NumPy array, (rows,).
            Of several targets a frame with a column for each: of pandas for pandas, else of Polars.
            On a LazyFrame a LazyFrame with these columns, computed by batches when it is collected
            or written (`.sink_parquet(...)`). With `interval` a frame of `prediction`, `low` and
            `high`, or of `prediction` and `set`, the labels that are not ruled out.
        """
        from headrace.deploy.scoring import predictions

        return predictions(self.fitted, data, self.engine, interval)

    def predict_proba(self, data: object) -> NDArray[np.float64]:
        """Answer the probability of each class for each row.

        Returns:
            (rows, classes), the columns in the order of `classes`.

        Raises:
            SettingError: If the pipeline predicts no classes.
        """
        fitted = self.fitted
        spec = fitted.network.target_spec
        if spec.task == "regression":
            raise SettingError(
                f"the target {spec.name!r} is a number and has no class probabilities; use predict"
            )
        return spec.probabilities(self._output(data))

    def _output(self, data: object) -> NDArray[Any]:
        from headrace.deploy.scoring import output_of

        return output_of(self.fitted, data, self.engine)

    def predict_distribution(self, data: object) -> pl.DataFrame | pl.LazyFrame:
        """Answer the distribution of the target for each row.

        Returns:
            One row for each row: the probability of each class under its label; "q0.05", … for
            quantiles; "mean" and "deviation" with loss="gaussian"; "rate" for counts. Of a
            LazyFrame a LazyFrame.

        Raises:
            SettingError: If the network predicts values alone.
        """
        import polars as pl

        from headrace.deploy.scoring import scorer_of
        from headrace.train.scoring import lazy_distribution

        fitted = self.fitted
        if is_lazy(data):
            return lazy_distribution(fitted, data, scorer_of(fitted, self.engine))
        spec = fitted.network.target_spec
        return pl.DataFrame(spec.distribution(spec.answers(self._output(data))))

    def transform(self, data: object) -> pl.DataFrame | pl.LazyFrame:
        """Send rows through the steps before the model.

        Returns:
            The last columns before the model, as a Polars frame, one row for each row; of a
            LazyFrame a LazyFrame.
        """
        from headrace.train.scoring import lazy_transform

        fitted = self.fitted
        if is_lazy(data):
            return lazy_transform(fitted, data)
        return fitted.transform(fitted.conform(data))

    def evaluate(self, data: object, **settings: Any) -> Any:
        """Measure the model on rows that it has not seen, each metric with its interval.

        Args:
            data: The rows, with the target; for clusters without.
            **settings: See `headrace.evaluate.stage.Evaluate`.

        Returns:
            An `Evaluation`; of several targets one under each name; a `ClusterEvaluation`.
        """
        from headrace.evaluate.stage import Evaluate

        return Evaluate(**settings).measure(self, data)

    def tune(
        self,
        data: object,
        *,
        trials: int | None = None,
        time: float | str | None = None,
        **settings: Any,
    ) -> TuneResult:
        """Search for better settings of the steps and the network.

        The better pipeline is kept only if a paired comparison on held-out rows says so.

        Args:
            data: The rows to train and compare on.
            trials: How many settings to try; 20 if neither this nor `time` is given.
            time: How long to search, in seconds or as "10min".
            **settings: See `headrace.tune.stage.Tune`.
        """
        from headrace.tune.stage import Tune

        return Tune(trials=trials, time=time, **settings).search(self, data)

    def verify(self, data: object) -> Verification:
        """Send the same rows down every path and compare the answers.

        Returns:
            The largest difference as `.difference`, that of each path, and the first column that
            differs.
        """
        from headrace.deploy.stage import verify

        return verify(self.fitted, data)

    def deploy(self, path: str | Path, **settings: Any) -> DeployResult:
        """Prove all paths equal, then publish a release atomically.

        Args:
            path: The folder of the registry; made if it is not there.
            **settings: See `headrace.deploy.stage.Deploy`.

        Returns:
            The release: its `.path` and `.version`, and the verification.

        Raises:
            ParityError: If the paths disagree; nothing is published.
        """
        from headrace.deploy.stage import Deploy

        result = Deploy(**settings).publish(self.fitted, Path(path), self.settings())
        self.home, self.version = Path(path), result.version
        return result

    def maintain(
        self,
        data: object,
        labels: object = None,
        *,
        policy: Policy | None = None,
        path: str | Path | None = None,
    ) -> MaintainResult:
        """Compare new rows with what the model was trained on, and act on it.

        Args:
            data: New rows.
            labels: Their labels, as far as they are known; None to take them from the target's
                column when the rows have it.
            policy: When to alarm, retrain, promote and roll back.
            path: The registry to act on; None for the one that this pipeline was deployed to or
                loaded from. Without any, retraining changes this pipeline only.

        Returns:
            The decision with its reasons, drift, quality and score.
        """
        from headrace.maintain.stage import Maintain

        return Maintain(policy=policy).tick(self, data, labels, path)

    def run(
        self, data: object, to: str | Path | None = None, *, cache: str | Path | bool | None = None
    ) -> RunResult:
        """Run all stages in order on one source of rows.

        A fifth of the rows is held out before anything is learnt; the evaluation uses these rows.

        Args:
            data: The rows.
            to: The folder of the registry to publish to; None to publish nothing.
            cache: The folder that keeps results, so that what has not changed is not done again;
                None for one inside of `to`, False for none.
        """
        from headrace.run import run

        self._explanation = (result := run(self, data, to, cache)).cache
        return result

    def explain_cache(self) -> Explanation:
        """Answer what the last `run` took from its cache, what it did anew, and why."""
        return self._explanation

    def remember(self, evaluation: Evaluation | SeveralEvaluations) -> None:
        """Keep the scores of an evaluation, for the release's card and for maintenance."""
        self._fitted = replace(self.fitted, scores=evaluation.scores())

    def adopt(self, fitted: Fitted, version: str | None) -> None:
        """Go on with another fitted state: a tuned or retrained one, or one rolled back to."""
        self._fitted = fitted
        self.version = version

    # Saving

    def save(self, path: str | Path) -> Path:
        """Write the fitted pipeline to a folder, atomically; `hr.load` reads it back.

        Nothing is pickled: plans and settings are JSON, weights are plain arrays.
        """
        from headrace.deploy.parts import save

        return save(self.fitted, self.settings(), Path(path))

    def settings(self) -> dict[str, Any]:
        """Answer what a saved pipeline remembers besides its steps."""
        return {"target": self.target, "kinds": dict(self.kinds or {}), "seed": self.seed}

    # Looking at it

    def copy(self) -> Pipeline:
        """Answer an untrained pipeline with the same settings."""
        steps = None if self.steps is None else [step.copy() for step in self.steps]
        return Pipeline(
            steps,
            target=self.target,
            kinds=self.kinds,
            network=None if self.network is None else self.network.copy(),
            stages=self.stages,
            seed=self.seed,
            memory=self.memory,
            executor=self.executor,
        )

    def __repr__(self) -> str:
        """Answer the code that would make this pipeline; inferred steps are written out."""
        steps: Sequence[Step] | None = self.steps
        if steps is None and self._fitted is not None:
            steps = self._fitted.steps
        settings = [f"target={self.target!r}"] if self.target is not None else []
        settings += [f"kinds={dict(self.kinds)!r}"] if self.kinds else []
        if self.network is not None and (steps is None or steps is self.steps):
            settings.append(f"network={self.network!r}")
        settings += [f"seed={self.seed}"] if self.seed else []
        if steps is None:
            return f"Pipeline({', '.join(settings)})"
        lines = [f"        {step!r}," for step in steps]
        body = ["    steps=[", *lines, "    ],", *(f"    {setting}," for setting in settings)]
        return "\n".join(["Pipeline(", *body, ")"])

    def _repr_html_(self) -> str:
        from headrace.preprocessing.diagram import diagram

        steps = self.steps or (self._fitted.steps if self._fitted else ())
        return diagram(steps)
