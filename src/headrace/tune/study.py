"""The study: settings are drawn, tried and told, until there are enough or time is up.

The study knows nothing of pipelines: what is tried is a function from settings to a value. Each
trial is stored as it ends, so a study can be stopped at any moment, by Ctrl-C, by a time limit or
by the loss of its process, and goes on later where it was.
"""

from __future__ import annotations

import math
import time as clock
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from headrace.engine import HERE, Engine
from headrace.errors import SettingError
from headrace.evaluate.table import figure
from headrace.progress import bar
from headrace.tune.result import Trial, TuneResult
from headrace.tune.space import check_space, describe, drawn, restored, stored
from headrace.tune.storage import opened
from headrace.tune.together import STARTUP_TRIALS, WARMUP_EPOCHS, Together

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Executor
    from pathlib import Path

    import optuna

    from headrace.partitions.crew import Ended
    from headrace.tune.remote import Elsewhere
    from headrace.tune.space import Space

__all__ = ["Objective", "Report", "run_study"]

Report: TypeAlias = Callable[[int, float], bool]
"""(epoch, loss) -> whether the trial should stop: others do better, or time is up."""

_NAME = "headrace"
_ABOUT = "about"
_AGAIN = "again"
_FIXED = "fixed_params"
_ERROR = "error"
_NOTE = "note"
_MOST_FAILURES = 3
_MOST_DEATHS = 5
"""Machines are taken away now and then; settings for which there is too little memory end every
process that tries them."""


class Objective(Protocol):
    """What is tried: settings in, a value out."""

    def __call__(self, parameters: dict[str, Any], report: Report) -> float:
        """Try some settings.

        Args:
            parameters: The settings, by name.
            report: To be told the loss of each epoch (smaller is better); where it answers True,
                the trial should end soon. What it returns then still counts if time was up, and
                is ignored if other trials do better.

        Returns:
            The value to be made small or large; NaN marks the trial as failed.
        """


def run_study(
    objective: Objective,
    space: Space,
    *,
    trials: int | None = None,
    time: float | None = None,
    storage: str | Path | None = None,
    metric: str = "loss",
    higher_is_better: bool = False,
    start: Sequence[Mapping[str, Any]] = (),
    identity: str = "",
    seed: int = 0,
    engine: Engine = HERE,
    elsewhere: Elsewhere | None = None,
) -> TuneResult:
    """Search for the settings with the best value (Optuna's TPE, with median pruning).

    Args:
        objective: What is tried.
        space: Which settings may be tried.
        trials: How many trials the study should have in the end, earlier sessions included; with
            neither this nor `time` 20.
        time: After how many seconds this session starts no trial any more, and tells a running one
            to stop.
        storage: The SQLite file of the study; an existing study goes on. None keeps it in memory.
        metric: What the value is called.
        higher_is_better: Whether a larger value is a better one.
        start: Settings to try first, such as the ones in use.
        identity: What the study is about, such as a hash of the data; a stored study about
            something else is refused.
        seed: The same seed gives the same settings, as long as the values are the same.
        engine: With an executor several trials run at a time, if `elsewhere` says how.
        elsewhere: How a trial is told to a worker; None to try all of them here.

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
    about = {
        "space": describe(space),
        "metric": metric,
        "higher_is_better": higher_is_better,
        "identity": identity,
    }
    started = clock.monotonic()
    deadline = math.inf if time is None else started + time
    with _quiet_optuna(), opened(storage) as opened_storage:
        study = _load(opened_storage, about, storage)
        _recover(study, space)
        for parameters in start:
            known = stored(parameters, space)
            if known and not _is_there(study, known):
                study.enqueue_trial(known)
        session = _Session(study, objective, space, trials, deadline, seed)
        if engine.executor is not None and elsewhere is not None:
            session.run_together(elsewhere, engine.executor)
        else:
            session.run()
        found = tuple(_trial(one, space) for one in study.trials if _finished(one))
    return TuneResult(
        metric=metric,
        higher_is_better=higher_is_better,
        trials=found,
        seconds=clock.monotonic() - started,
        storage=None if storage is None else str(storage),
    )


@dataclass
class _Session:
    """One sitting over a study."""

    study: optuna.Study
    objective: Objective
    space: Space
    trials: int | None
    deadline: float
    seed: int
    failures: int = 0

    def run(self) -> None:
        """Try settings until there are enough trials or time is up."""
        done = sum(_finished(one) for one in self.study.trials)
        with bar("tuning", self.trials) as progress:
            progress.advance(done, self._best())
            while (self.trials is None or done < self.trials) and clock.monotonic() < self.deadline:
                self._try_one()
                done += 1
                progress.advance(1, self._best())

    def run_together(self, elsewhere: Elsewhere, executor: Executor) -> None:
        """Let workers try settings, several at a time."""
        done = sum(_finished(one) for one in self.study.trials)
        wanted = math.inf if self.trials is None else self.trials - done
        team = Together(self.study, self._ask, elsewhere, executor, self.deadline)
        with bar("tuning", self.trials) as progress:
            progress.advance(done, self._best())
            try:
                for trial, ended in team.run(wanted):
                    self._tell(trial, ended)
                    progress.advance(1, self._best())
            except BaseException:
                for trial in team.running.values():
                    _give_up(self.study, self.study.trials[trial.number], self.space)
                raise

    def _ask(self) -> tuple[optuna.Trial, dict[str, Any]]:
        self.study.sampler = self._sampler()
        trial = self.study.ask()
        return trial, drawn(trial, self.space)

    def _tell(self, trial: optuna.Trial, ended: Ended) -> None:
        if ended.error is not None:
            self._failed(trial, ended.error)
            return
        sign = -1 if _maximizes(self.study.direction) else 1
        for epoch, loss in enumerate(ended.answer["losses"]):
            trial.report(sign * loss, epoch)
        self._end(trial, **{name: ended.answer[name] for name in ("value", "pruned", "late")})

    def _try_one(self) -> None:
        trial, parameters = self._ask()
        watch = _Watch(trial, self.study.direction, self.deadline)
        try:
            value = float(self.objective(parameters, watch.report))
        except Exception as error:  # noqa: BLE001 - whatever a trial dies of, the study goes on
            self._failed(trial, error)
            return
        except BaseException:
            # Ctrl-C, or the process is being ended: the same settings come again next time.
            _give_up(self.study, self.study.trials[trial.number], self.space)
            raise
        self._end(trial, value, pruned=watch.pruned, late=watch.late)

    def _end(self, trial: optuna.Trial, value: float, *, pruned: bool, late: bool) -> None:
        import optuna

        if pruned:
            self.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return
        if late:
            trial.set_user_attr(_NOTE, "stopped when time was up")
        if math.isfinite(value):
            self.study.tell(trial, value)
            self.failures = 0
        else:
            self._failed(trial, SettingError(f"the value became {value}"))

    def _sampler(self) -> optuna.samplers.BaseSampler:
        """Answer what draws the next settings: the same ones, however often the study was cut off.

        The seed moves on with the trials that are done or under way elsewhere, and with the
        settings that were given up.
        """
        import optuna

        places = [
            one
            for one in self.study.trials
            if _finished(one) or _was_given_up(one) or one.state.name == "RUNNING"
        ]
        random_trials = 10 if self.trials is None else max(3, min(10, self.trials // 4))
        return optuna.samplers.TPESampler(
            seed=self.seed + len(places),
            n_startup_trials=random_trials,
            # Trials that are under way count as bad ones, so that others look elsewhere.
            constant_liar=True,
        )

    def _failed(self, trial: optuna.Trial, error: Exception) -> None:
        import optuna

        trial.set_user_attr(_ERROR, f"{type(error).__name__}: {error}")
        self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
        self.failures += 1
        if self.failures >= _MOST_FAILURES:
            raise SettingError(
                f"{self.failures} trials in a row failed, the last one with {trial.params}: {error}"
            ) from error

    def _best(self) -> str:
        complete = [one.value for one in self.study.trials if one.value is not None]
        if not complete:
            return ""
        best = max(complete) if _maximizes(self.study.direction) else min(complete)
        return f"best {figure(best)}"


class _Watch:
    """Listens to the losses of one trial and decides whether it should stop."""

    def __init__(
        self, trial: optuna.Trial, direction: optuna.study.StudyDirection, deadline: float
    ) -> None:
        self.trial, self.deadline = trial, deadline
        # Optuna compares losses in the direction of the study's value.
        self.sign = -1 if _maximizes(direction) else 1
        self.pruned = False
        self.late = False

    def report(self, epoch: int, loss: float) -> bool:
        """Take note of a loss, and answer whether the trial should stop."""
        self.trial.report(self.sign * loss, epoch)
        self.pruned = self.pruned or self.trial.should_prune()
        self.late = self.late or clock.monotonic() >= self.deadline
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
    path: str | Path | None,
) -> optuna.Study:
    import optuna

    study = optuna.create_study(
        storage=storage,
        study_name=_NAME,
        direction="maximize" if about["higher_is_better"] else "minimize",
        load_if_exists=True,
    )
    known = study.user_attrs.get(_ABOUT)
    if known is None:
        study.set_user_attr(_ABOUT, about)
    elif known != about:
        different = [key for key in about if known.get(key) != about[key]]
        raise SettingError(
            f"the study in {path} was made with another {' and another '.join(different)}: "
            "give another file as the storage, or go on with what it was made with"
        )
    study.pruner = optuna.pruners.MedianPruner(
        n_startup_trials=STARTUP_TRIALS, n_warmup_steps=WARMUP_EPOCHS
    )
    return study


def _recover(study: optuna.Study, space: Space) -> None:
    """End the trials of a process that is gone, and put their settings in line again."""
    import optuna

    for trial in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
        _give_up(study, trial, space, deaths=trial.user_attrs.get(_AGAIN, 0) + 1)


def _give_up(
    study: optuna.Study,
    trial: optuna.trial.FrozenTrial,
    space: Space,
    *,
    deaths: int = 0,
) -> None:
    """End a trial that was cut off; its settings come again, unless they ended many processes."""
    import optuna

    # Settings that were not all drawn yet are drawn again, and come out the same.
    whole = trial.params.keys() == space.keys()
    parameters = trial.params if whole else trial.system_attrs.get(_FIXED)
    study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    if parameters and deaths < _MOST_DEATHS:
        study.enqueue_trial(parameters, user_attrs={_AGAIN: deaths})


def _was_given_up(trial: optuna.trial.FrozenTrial) -> bool:
    cut_off = trial.state.name == "FAIL" and _ERROR not in trial.user_attrs
    return cut_off and trial.user_attrs.get(_AGAIN, 0) + 1 >= _MOST_DEATHS


def _is_there(study: optuna.Study, parameters: Mapping[str, Any]) -> bool:
    """Answer whether settings were tried, or are in line; ones that were cut off are neither."""
    return any(
        trial.system_attrs.get(_FIXED) == parameters
        and (trial.state.name != "FAIL" or _ERROR in trial.user_attrs or _was_given_up(trial))
        for trial in study.trials
    )


def _finished(trial: optuna.trial.FrozenTrial) -> bool:
    if trial.state.name == "FAIL":
        return _ERROR in trial.user_attrs
    return trial.state.is_finished()


def _trial(trial: optuna.trial.FrozenTrial, space: Space) -> Trial:
    states: dict[str, Any] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    state = states[trial.state.name]
    duration = trial.duration
    return Trial(
        number=trial.number,
        state=state,
        value=trial.value if state == "complete" else None,
        parameters=restored(trial.params, space),
        seconds=duration.total_seconds() if duration else 0.0,
        note=trial.user_attrs.get(_ERROR) or trial.user_attrs.get(_NOTE, ""),
    )


def _maximizes(direction: optuna.study.StudyDirection) -> bool:
    return direction.name == "MAXIMIZE"


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    """Leave out Optuna's line for each trial, as the progress bar says the same."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
