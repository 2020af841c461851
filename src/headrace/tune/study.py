"""The study: settings are drawn, tried and told, until there are enough or time is up.

The study knows nothing of pipelines: what is tried is a function from settings to a value. Each
trial is stored as it ends, so a study can be stopped at any moment, by Ctrl-C, by a time limit or
by the loss of its process, and goes on later where it was.
"""

from __future__ import annotations

import math
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from headrace.engine import HERE, Engine
from headrace.errors import SettingError
from headrace.progress import bar
from headrace.table import figure
from headrace.tune.budget import Budget
from headrace.tune.front import Goal
from headrace.tune.importance import importance_of
from headrace.tune.pruning import check_pruning, pruner
from headrace.tune.result import Trial, TuneResult
from headrace.tune.resuming import ERROR, give_up, is_finished, is_known, recover, was_given_up
from headrace.tune.space import check_space, describe, drawn, restored, stored
from headrace.tune.storage import opened
from headrace.tune.together import Together

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Executor
    from pathlib import Path

    import optuna
    from numpy.typing import NDArray

    from headrace.partitions.crew import Ended
    from headrace.tune.predictions import Predictions
    from headrace.tune.pruning import Pruning
    from headrace.tune.remote import Elsewhere
    from headrace.tune.space import Space

__all__ = ["Objective", "Report", "Tried", "run_study"]

_NAME = "headrace"
_ABOUT = "about"
_NOTE = "note"
_SCORE = "score"
_EPOCHS = "epochs"
_MOST_FAILURES = 3
_RANDOM_TRIALS = 10
"""Trials before the sampler trusts what it has seen."""

_LOSS = (Goal("loss"),)


@dataclass(frozen=True)
class Tried:
    """What trying some settings gave.

    Attributes:
        value: What is searched by.
        further: The values of further goals.
        output: What the trial says of the validation rows, as metrics read it; None if unknown.
        score: The reported metric on the validation rows, with its interval; None if unknown.
        epochs: How many epochs it took; 0 if that is not known.
    """

    value: float
    further: tuple[float, ...] = ()
    output: NDArray[Any] | None = None
    score: tuple[float, float, float] | None = None
    epochs: int = 0


class Report(Protocol):
    """What a trial tells its losses to.

    Attributes:
        pruned: Whether the trial is stopped because others do better.
    """

    pruned: bool

    def __call__(self, epoch: int, loss: float) -> bool:
        """Take note of a loss, and answer whether the trial should stop."""


class Objective(Protocol):
    """What is tried: settings in, a value out."""

    def __call__(self, parameters: dict[str, Any], report: Report) -> float | Tried:
        """Try some settings.

        Args:
            parameters: The settings, by name.
            report: To be told the loss of each epoch (smaller is better); where it answers True,
                the trial should end soon. What it returns then still counts if time was up, and
                is ignored if other trials do better.

        Returns:
            The value to be made small or large, or more of them; NaN marks the trial as failed.
        """


def run_study(
    objective: Objective,
    space: Space,
    *,
    trials: int | None = None,
    time: float | None = None,
    storage: str | Path | None = None,
    goals: Sequence[Goal] = _LOSS,
    start: Sequence[Mapping[str, Any]] = (),
    pruning: Pruning | None = "asha",
    identity: str = "",
    seed: int = 0,
    engine: Engine = HERE,
    elsewhere: Elsewhere | None = None,
    budget: Budget | None = None,
    predictions: Predictions | None = None,
) -> TuneResult:
    """Search for the settings with the best value (Optuna's TPE, with trials stopped early).

    Args:
        objective: What is tried.
        space: Which settings may be tried.
        trials: How many trials the study should have in the end, earlier sessions included; with
            neither this nor `time` 20.
        time: After how many seconds this session starts no trial any more, and tells a running one
            to stop.
        storage: The SQLite file of the study; an existing study goes on. None keeps it in memory.
        goals: What the values are; of several the trials that no other one beats are searched for,
            and none is stopped early.
        start: Settings to try first, such as the ones in use.
        pruning: How trials are stopped early: "asha", "hyperband", "median", or None for not.
        identity: What the study is about, such as a hash of the data; a stored study about
            something else is refused.
        seed: The same seed gives the same settings, as long as the values are the same.
        engine: With an executor several trials run at a time, if `elsewhere` says how.
        elsewhere: How a trial is told to a worker; None to try all of them here.
        budget: What is set aside of the time; None for nothing.
        predictions: Where the outputs of trials are kept; None to keep none.

    Raises:
        SettingError: The space is empty, a limit is not above 0, or the stored study is another
            one or in use.

    Example:
        >>> from headrace.tune.space import Real
        >>> def objective(parameters, report):
        ...     return (parameters["x"] - 2) ** 2
        >>> found = run_study(objective, {"x": Real(-10.0, 10.0)}, trials=30)
        >>> bool(abs(found.parameters["x"] - 2) < 1)
        True
    """
    check_space(space)
    trials = _checked_limits(trials, time)
    together = engine.executor is not None and elsewhere is not None
    check_pruning(pruning, goals=len(goals), parallel=together)
    budget = budget or Budget(time)
    about = {
        "space": describe(space),
        "objective": [goal.name for goal in goals],
        "identity": identity,
    }
    with _quiet_optuna(), opened(storage) as opened_storage:
        study = _load(opened_storage, about, goals, storage)
        study.pruner = pruner(pruning if len(goals) == 1 else None)
        recover(study, space)
        for parameters in start:
            known = stored(parameters, space)
            if known and not is_known(study, known):
                study.enqueue_trial(known)
        session = _Session(study, objective, space, trials, budget, seed, predictions, pruning)
        if engine.executor is not None and elsewhere is not None:
            session.run_together(elsewhere, engine.executor)
        else:
            session.run()
        found = tuple(_trial(one, space) for one in study.trials if is_finished(one))
        important, note = importance_of(study)
    return TuneResult(
        metric=goals[0].name,
        higher_is_better=goals[0].higher_is_better,
        trials=found,
        seconds=budget.spent(),
        storage=None if storage is None else str(storage),
        further=tuple(goals[1:]),
        setting_importance=important,
        notes=(note,) if note else (),
    )


@dataclass
class _Session:
    """One sitting over a study."""

    study: optuna.Study
    objective: Objective
    space: Space
    trials: int | None
    budget: Budget
    seed: int
    predictions: Predictions | None
    pruning: Pruning | None
    failures: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Try settings until there are enough trials or time is up."""
        done = sum(is_finished(one) for one in self.study.trials)
        with bar("tuning", self.trials) as progress:
            progress.advance(done, self._best())
            while (self.trials is None or done < self.trials) and self.budget.left() > 0:
                self._try_one()
                done += 1
                progress.advance(1, self._best())

    def run_together(self, elsewhere: Elsewhere, executor: Executor) -> None:
        """Let workers try settings, several at a time."""
        done = sum(is_finished(one) for one in self.study.trials)
        wanted = math.inf if self.trials is None else self.trials - done
        team = Together(
            self.study,
            self._ask,
            elsewhere,
            executor=executor,
            budget=self.budget,
            pruning=self.pruning,
        )
        with bar("tuning", self.trials) as progress:
            progress.advance(done, self._best())
            try:
                for trial, ended in team.run(wanted):
                    self._tell(trial, ended)
                    progress.advance(1, self._best())
            except BaseException:
                for trial in team.running.values():
                    give_up(self.study, self.study.trials[trial.number], self.space)
                raise

    def _ask(self) -> tuple[optuna.Trial, dict[str, Any]]:
        self.study.sampler = self._sampler()
        trial = self.study.ask()
        return trial, drawn(trial, self.space)

    def _tell(self, trial: optuna.Trial, ended: Ended) -> None:
        if ended.error is not None:
            self._failed(trial, ended.error)
            return
        answer = ended.answer
        if len(self.study.directions) == 1:
            sign = -1 if _maximizes(self.study) else 1
            for epoch, loss in enumerate(answer["losses"]):
                trial.report(sign * loss, epoch)
        tried = Tried(
            answer["value"],
            tuple(answer.get("further", ())),
            answer.get("output"),
            answer.get("score"),
            len(answer["losses"]),
        )
        self._end(trial, tried, pruned=answer["pruned"], late=answer["late"])

    def _try_one(self) -> None:
        trial, parameters = self._ask()
        self.budget.begin_trial()
        watch = _Watch(trial, self.study, self.budget)
        try:
            tried = self.objective(parameters, watch)
        except Exception as error:  # noqa: BLE001 - whatever a trial dies of, the study goes on
            self._failed(trial, error)
            return
        except BaseException:
            # Ctrl-C, or the process is being ended: the same settings come again next time.
            give_up(self.study, self.study.trials[trial.number], self.space)
            raise
        whole = tried if isinstance(tried, Tried) else Tried(float(tried))
        self._end(trial, whole, pruned=watch.pruned, late=watch.late)

    def _end(self, trial: optuna.Trial, tried: Tried, *, pruned: bool, late: bool) -> None:
        import optuna

        if pruned:
            self.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return
        if late:
            trial.set_user_attr(_NOTE, "stopped when time was up")
        values = [float(value) for value in (tried.value, *tried.further)]
        if not all(map(math.isfinite, values)):
            broken = next(value for value in values if not math.isfinite(value))
            self._failed(trial, SettingError(f"the value became {broken}"))
            return
        if tried.output is not None and self.predictions is not None:
            self.predictions.save(trial.number, tried.output)
        if tried.score is not None:
            trial.set_user_attr(_SCORE, [float(one) for one in tried.score])
        if tried.epochs:
            trial.set_user_attr(_EPOCHS, tried.epochs)
        self.study.tell(trial, values)
        self.failures.clear()
        best = self._best_trial()
        if best is not None and best.number == trial.number:
            took = self.budget.ran()
            self.budget.best_took(_seconds(best) if took is None else took)

    def _sampler(self) -> optuna.samplers.BaseSampler:
        """Answer what draws the next settings: the same ones, however often the study was cut off.

        The seed moves on with the trials that are done or under way elsewhere, and with the
        settings that were given up.
        """
        import optuna

        places = [
            one
            for one in self.study.trials
            if is_finished(one) or was_given_up(one) or one.state.name == "RUNNING"
        ]
        most = _RANDOM_TRIALS
        random_trials = most if self.trials is None else max(3, min(most, self.trials // 4))
        with warnings.catch_warnings():
            # Its settings that depend on others are marked as experimental.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.TPESampler(
                seed=self.seed + len(places),
                n_startup_trials=random_trials,
                # Settings are drawn together, those of a chosen step with their like.
                multivariate=True,
                group=True,
                # Trials that are under way count as bad ones, so that others look elsewhere.
                constant_liar=True,
            )

    def _failed(self, trial: optuna.Trial, error: Exception) -> None:
        import optuna

        trial.set_user_attr(ERROR, f"{type(error).__name__}: {error}")
        self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
        self.failures.append(f"{trial.params}: {error}")
        if len(self.failures) >= _MOST_FAILURES:
            raise SettingError(
                f"{len(self.failures)} trials in a row failed, the first one with "
                f"{self.failures[0]}"
            ) from error

    def _best_trial(self) -> optuna.trial.FrozenTrial | None:
        """Answer the best complete trial, in the first of several goals."""
        complete = [one for one in self.study.get_trials(deepcopy=False) if one.values]
        complete = [one for one in complete if one.state.name == "COMPLETE"]
        if not complete:
            return None
        sign = -1 if _maximizes(self.study) else 1
        return min(complete, key=lambda one: (sign * one.values[0], one.number))

    def _best(self) -> str:
        best = self._best_trial()
        if best is None:
            return ""
        text = f"best {figure(best.values[0])}"
        if _SCORE not in best.user_attrs:
            return text
        value, low, high = best.user_attrs[_SCORE]
        return f"{text}, validation score {figure(value)} ({figure(low)} to {figure(high)})"


class _Watch:
    """Listens to the losses of one trial and decides whether it should stop."""

    def __init__(self, trial: optuna.Trial, study: optuna.Study, budget: Budget) -> None:
        self.trial, self.budget = trial, budget
        # Optuna compares losses in the direction of the study's value.
        self.sign = -1 if _maximizes(study) else 1
        self.judges = len(study.directions) == 1
        self.pruned = False
        self.late = False
        self._last = -1

    def __call__(self, epoch: int, loss: float) -> bool:
        """Take note of a loss, and answer whether the trial should stop."""
        # Of several networks, one after the other, the first one is judged.
        if self.judges and epoch > self._last:
            self.trial.report(self.sign * loss, epoch)
            self.pruned = self.pruned or self.trial.should_prune()
        self._last = max(self._last, epoch)
        self.late = self.late or self.budget.is_over()
        return self.pruned or self.late


def _checked_limits(trials: int | None, time: float | None) -> int | None:
    if trials is not None and trials < 1:
        raise SettingError(f"trials must be 1 or more, received {trials}")
    if time is not None and not time > 0:
        raise SettingError(f"time is a number of seconds above 0, received {time}")
    return 20 if trials is None and time is None else trials


def _load(
    storage: optuna.storages.BaseStorage,
    about: dict[str, Any],
    goals: Sequence[Goal],
    path: str | Path | None,
) -> optuna.Study:
    import optuna

    ways = optuna.study.StudyDirection
    directions = [ways.MAXIMIZE if goal.higher_is_better else ways.MINIMIZE for goal in goals]
    study = optuna.create_study(
        storage=storage, study_name=_NAME, directions=directions, load_if_exists=True
    )
    known = study.user_attrs.get(_ABOUT)
    if known is None:
        study.set_user_attr(_ABOUT, about)
        study.set_metric_names([goal.name for goal in goals])
    elif known != about:
        different = [key for key in about if known.get(key) != about[key]]
        raise SettingError(
            f"the study in {path} was made with another {' and another '.join(different)}: "
            "give another file as the storage, or go on with what it was made with"
        )
    return study


def _trial(trial: optuna.trial.FrozenTrial, space: Space) -> Trial:
    states: dict[str, Any] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    state = states[trial.state.name]
    values = trial.values if state == "complete" else ()
    score = trial.user_attrs.get(_SCORE)
    return Trial(
        number=trial.number,
        state=state,
        value=values[0] if values else None,
        parameters=restored(trial.params, space),
        seconds=_seconds(trial),
        note=trial.user_attrs.get(ERROR) or trial.user_attrs.get(_NOTE, ""),
        further=tuple(values[1:]),
        score=None if score is None else tuple(score),
        epochs=trial.user_attrs.get(_EPOCHS, len(trial.intermediate_values)),
    )


def _seconds(trial: optuna.trial.FrozenTrial) -> float:
    return trial.duration.total_seconds() if trial.duration else 0.0


def _maximizes(study: optuna.Study) -> bool:
    return study.directions[0].name == "MAXIMIZE"


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    """Leave out Optuna's line for each trial, as the progress bar says the same."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
