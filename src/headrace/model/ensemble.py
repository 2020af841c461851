"""Bagging: several networks trained on different parts of the rows, that answer together.

Each network is trained on all parts of the rows but one, which decides when it stops. What the
networks say of the rows that they have not seen decides how much each kind of network counts:
Caruana et al., "Ensemble selection from libraries of models" (2004).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError
from headrace.model.backend import tensorflow
from headrace.model.choices import choose_loss
from headrace.model.composite import ENSEMBLE, join_models
from headrace.model.estimate import Estimate
from headrace.model.fitted import CUSTOM, FittedNetwork
from headrace.model.footprint import PeakMemory
from headrace.model.loop import TrainedMember, Training
from headrace.model.monitor import LOSS, Monitor
from headrace.model.records import is_finished, keep_finished
from headrace.model.single import decided, fit_single
from headrace.progress import bar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from headrace.model.labelled import Labelled
    from headrace.model.loop import Resuming
    from headrace.model.network import Network
    from headrace.model.presets import Member, Preset
    from headrace.model.single import Fitting
    from headrace.model.target import TargetSpec
    from headrace.progress import Bar

__all__ = ["fit_ensemble", "greedy_shares"]

_ROUNDS = 25
_PROGRAM_BYTES = 64 * 2**20
"""What TensorFlow keeps of the compiled program of a network that was trained before."""

_FIRST_SHARE = 0.5
"""How much of the time that is left the first network of each kind may take."""


@dataclass(frozen=True, eq=False)
class _Fold:
    """One division of the rows.

    Attributes:
        number: Counted from 0.
        rows: To learn from.
        held: To decide when to stop.
        places: Where the held rows lie among all rows that are predicted.
    """

    number: int
    rows: Labelled
    held: Labelled
    places: NDArray[np.intp]


@dataclass
class _Kind:
    """The networks of one architecture, and what they say of rows that they have not seen."""

    member: Member
    networks: list[FittedNetwork] = field(default_factory=list)
    folds: list[int] = field(default_factory=list)
    rows: int = 0
    sums: NDArray[np.float64] | None = None
    counts: NDArray[np.float64] | None = None

    def add(self, fold: _Fold, network: FittedNetwork, output: NDArray[Any]) -> None:
        """Take in a network, and what it says of the rows that it was not trained on."""
        if self.sums is None or self.counts is None:
            self.sums, self.counts = np.zeros((self.rows, output.shape[1])), np.zeros(self.rows)
        self.sums[fold.places] += output
        self.counts[fold.places] += 1
        self.networks.append(network)
        self.folds.append(fold.number)

    @property
    def seconds(self) -> float:
        """The mean seconds of a network."""
        return float(np.mean([network.seconds for network in self.networks]))


def fit_ensemble(
    network: Network, preset: Preset, fitting: Fitting, *, pooled: bool
) -> FittedNetwork:
    """Train the networks of a preset and join them to one.

    Args:
        network: The settings.
        preset: Which networks, and into how many parts the rows are divided.
        fitting: What to fit to; its held rows are needed.
        pooled: Whether the held rows were drawn at random, so that any other rows would do as well;
            else each network is trained on the same rows with another seed.
    """
    if fitting.held is None:
        raise SettingError(
            "the preset 'best' needs validation rows to weigh its networks by: leave patience out"
        )
    everything = fitting.rows.joined(fitting.held) if pooled else fitting.held
    folds = list(_folds(fitting, everything, preset.folds, pooled=pooled))
    kinds = [_Kind(member, rows=len(everything)) for member in preset.members]
    with PeakMemory() as peak, bar("networks", len(folds) * len(kinds)) as shown:
        if _goes_elsewhere(network, fitting):
            _train_elsewhere(network, fitting, kinds, folds, everything, pooled=pooled)
        else:
            _train_here(network, fitting, kinds, folds, shown)
    return _joined(network, fitting, kinds, everything, peak)


def _train_here(
    network: Network, fitting: Fitting, kinds: list[_Kind], folds: list[_Fold], shown: Bar
) -> None:
    """Train one network after the other in this process."""
    for fold in folds:
        for kind in kinds:
            left = _time_for(kind, kinds, fitting.deadline)
            if left is not None and left <= 0:
                continue
            part = replace(
                fitting,
                rows=fold.rows,
                held=fold.held,
                seed=fitting.seed + fold.number,
                deadline=None if left is None else time.perf_counter() + left,
                resuming=_resuming(fitting, kind, fold),
            )
            shown.advance(0, f"{kind.member.architecture}, part {fold.number + 1}")
            trained = fit_single(network, kind.member, part)
            kind.add(fold, trained, trained.predict(fold.held.features))
            shown.advance()


def _goes_elsewhere(network: Network, fitting: Fitting) -> bool:
    """Answer whether the workers of an executor train the networks."""
    from headrace.model.remote import travels

    shared = network.workers is None and fitting.rows.window is None
    return shared and fitting.engine.executor is not None and travels(network)


def _train_elsewhere(
    network: Network,
    fitting: Fitting,
    kinds: list[_Kind],
    folds: list[_Fold],
    everything: Labelled,
    *,
    pooled: bool,
) -> None:
    """Let workers train the networks that are not finished, several at a time."""
    from headrace.model.remote import MemberJob, fit_members

    left = None if fitting.deadline is None else fitting.deadline - time.perf_counter()
    pairs = [(fold, kind) for fold in folds for kind in kinds]
    jobs = []
    for fold, kind in pairs:
        rest = np.setdiff1d(np.arange(len(everything)), fold.places) if pooled else None
        held = fold.places if pooled else None
        # With a time limit all networks are at it together, as far as there are workers.
        jobs.append(MemberJob(kind.member, fitting.seed + fold.number, rest, held, left))
    whole = replace(fitting, rows=everything, held=None) if pooled else fitting
    done = {
        place: _finished_here(network, kind, fold, fitting)
        for place, (fold, kind) in enumerate(pairs)
        if _is_finished(fitting, kind, fold)
    }
    wanted = [job for place, job in enumerate(jobs) if place not in done]
    trained = fit_members(network, whole, wanted, fitting.engine)
    for place, (fold, kind) in enumerate(pairs):
        if place in done:
            kind.add(fold, done[place], done[place].predict(fold.held.features))
            continue
        answer = next(trained)
        resuming = _resuming(fitting, kind, fold)
        keep_finished(resuming, answer.network.model, answer.network.training)
        output = answer.output
        if output is None:
            output = answer.network.predict(fold.held.features)
        kind.add(fold, answer.network, output)


def _resuming(fitting: Fitting, kind: _Kind, fold: _Fold) -> Resuming | None:
    """Answer where the training of one network is kept."""
    if fitting.resuming is None:
        return None
    return fitting.resuming.part(f"{kind.member.architecture}-{fold.number + 1}")


def _is_finished(fitting: Fitting, kind: _Kind, fold: _Fold) -> bool:
    resuming = _resuming(fitting, kind, fold)
    return resuming is not None and is_finished(resuming)


def _finished_here(network: Network, kind: _Kind, fold: _Fold, fitting: Fitting) -> FittedNetwork:
    part = replace(fitting, rows=fold.rows, held=fold.held, resuming=_resuming(fitting, kind, fold))
    return fit_single(network, kind.member, part)


def greedy_shares(
    outputs: Sequence[NDArray[np.float64]], loss: Callable[[NDArray[np.float64]], float]
) -> list[float]:
    """Answer the share of each model in their mean, chosen greedily with replacement.

    Again and again the model is added whose addition makes the mean best; how often each was added
    is its share.

    Args:
        outputs: What each model says of the same rows, (rows, outputs).
        loss: Of such an output; less is better.

    Example:
        >>> truth = np.array([[0.0], [1.0], [2.0]])
        >>> says = [truth + 1, truth - 1, truth + 9]
        >>> greedy_shares(says, lambda output: float(np.mean((output - truth) ** 2)))
        [0.5, 0.5, 0.0]
    """
    chosen: list[int] = []
    total = np.zeros_like(outputs[0])
    best, best_count = np.inf, 0
    for count in range(1, _ROUNDS + 1):
        losses = [loss((total + output) / count) for output in outputs]
        place = int(np.argmin(losses))
        chosen.append(place)
        total = total + outputs[place]
        if losses[place] < best - 1e-12:
            best, best_count = losses[place], count
    kept = chosen[: max(best_count, 1)]
    return [kept.count(place) / len(kept) for place in range(len(outputs))]


def _folds(fitting: Fitting, everything: Labelled, count: int, *, pooled: bool) -> Iterator[_Fold]:
    """Divide the rows; classes are spread evenly over the parts."""
    if not pooled:
        places = np.arange(len(everything))
        for number in range(count):
            yield _Fold(number, fitting.rows, everything, places)
        return
    parts = _parts(everything.target, fitting.target_spec, count, fitting.seed)
    for number in range(count):
        held = np.flatnonzero(parts == number)
        rest = np.flatnonzero(parts != number)
        yield _Fold(number, everything.take(rest), everything.take(held), held)


def _parts(target: NDArray[Any], spec: TargetSpec, count: int, seed: int) -> NDArray[np.intp]:
    order = np.random.default_rng(seed).permutation(len(target))
    if spec.classes:
        order = order[np.argsort(target[order], kind="stable")]
    parts = np.empty(len(target), dtype=np.intp)
    parts[order] = np.arange(len(target)) % count
    return parts


def _time_for(kind: _Kind, kinds: Sequence[_Kind], deadline: float | None) -> float | None:
    """Answer the seconds that the next network of a kind may take; None for any, 0 for none."""
    if deadline is None:
        return None
    left = deadline - time.perf_counter()
    if not kind.networks:
        waiting = sum(not other.networks for other in kinds)
        return max(left, 1.0) * (_FIRST_SHARE if waiting > 1 else 0.8)
    # One more that could not be finished would be worse than the others and as slow.
    return left if left >= kind.seconds else 0.0


def _joined(
    network: Network,
    fitting: Fitting,
    kinds: Sequence[_Kind],
    everything: Labelled,
    peak: PeakMemory,
) -> FittedNetwork:
    seen = np.all([kind.counts > 0 for kind in kinds if kind.counts is not None], axis=0)
    judged = everything.take(np.flatnonzero(seen))
    outputs = [
        kind.sums[seen] / kind.counts[seen][:, np.newaxis]
        for kind in kinds
        if kind.sums is not None and kind.counts is not None
    ]
    shares = greedy_shares(outputs, _loss(network, fitting.target_spec, judged))
    kept = [
        (kind, place, share / len(kind.networks))
        for kind, share in zip(kinds, shares, strict=True)
        for place in range(len(kind.networks))
        if share > 0
    ]
    networks = [kind.networks[place] for kind, place, _ in kept]
    weights = [share for *_, share in kept]
    model = join_models([one.model for one in networks], weights)
    custom = any(one.architecture == CUSTOM for one in networks)
    members = [{"architecture": one.architecture, "settings": one.settings} for one in networks]
    joined = FittedNetwork(
        model,
        architecture=CUSTOM if custom else ENSEMBLE,
        settings={} if custom else {"members": members, "shares": weights},
        feature_spec=fitting.feature_spec,
        target_spec=fitting.target_spec,
        training=_training(kinds, shares, peak),
    )
    mean = sum(share * output for share, output in zip(shares, outputs, strict=True))
    return decided(network, joined, judged, np.asarray(mean, dtype=np.float32))


def _loss(
    network: Network, spec: TargetSpec, rows: Labelled
) -> Callable[[NDArray[np.float64]], float]:
    """Answer what the shares are chosen by: the watched metric, or the loss of the training."""
    if network.monitor != LOSS:
        monitor = Monitor.of(network.monitor, spec)
        sign = -1.0 if monitor.better(1.0, 0.0) else 1.0
        return lambda output: (
            sign * monitor.value(spec, rows.target, output.astype(np.float32), rows.weight)
        )
    loss = choose_loss(network.loss, spec)
    tf = tensorflow()
    truth = tf.constant(loss.target(rows.target, spec.outputs))
    weight = None if rows.weight is None else tf.constant(rows.weight, tf.float32)

    def value(output: NDArray[np.float64]) -> float:
        each = loss.function(truth, tf.constant(output, tf.float32))
        return float(tf.reduce_mean(each if weight is None else each * weight))

    return value


def _estimate(each: Sequence[Estimate | None]) -> Estimate | None:
    """Answer what the trainings were expected to take together, one after the other."""
    known = [one for one in each if one is not None]
    if len(known) < len(each):
        return None
    return Estimate(
        sum(one.seconds for one in known),
        sum(one.most_seconds for one in known),
        max(one.bytes for one in known) + _PROGRAM_BYTES * (len(known) - 1),
    )


def _training(kinds: Sequence[_Kind], shares: Sequence[float], peak: PeakMemory) -> Training:
    """Answer how the trainings went together; the history is that of the first network."""
    networks = [network for kind in kinds for network in kind.networks]
    first = networks[0].training
    seconds: dict[str, float] = {}
    for network in networks:
        for part, value in network.training.seconds.items():
            seconds[part] = seconds.get(part, 0.0) + value
    members = tuple(
        TrainedMember(
            network.architecture,
            fold + 1,
            network.best_epoch,
            network.seconds,
            share / len(kind.networks),
        )
        for kind, share in zip(kinds, shares, strict=True)
        for fold, network in zip(kind.folds, kind.networks, strict=True)
    )
    notes = dict.fromkeys(note for network in networks for note in network.notes)
    return replace(
        first,
        seconds=seconds,
        estimate=_estimate([network.training.estimate for network in networks]),
        notes=(*notes, f"the history is that of the first of {len(networks)} networks"),
        peak_bytes=peak.bytes,
        members=members,
    )
