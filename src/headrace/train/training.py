"""Training: from raw rows to a fitted pipeline, with nothing leaking into the validation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.clustering.step import ClusterStep
from headrace.data.profile import profile
from headrace.data.source import read
from headrace.duration import seconds
from headrace.engine import HERE, Engine
from headrace.errors import SettingError
from headrace.model.network import Network
from headrace.plan.plan import schema_columns
from headrace.preprocessing.fit import FittedSteps, fit_steps
from headrace.progress import bar
from headrace.train.budget import fits_in_memory
from headrace.train.calibrating import calibrated_again
from headrace.train.chosen import ChosenSteps
from headrace.train.clock import Clock
from headrace.train.fitted import Fitted, Kept
from headrace.train.holdout import Parts, Validation, split_rows
from headrace.train.labels import LABEL
from headrace.train.outcome import train_result
from headrace.train.reading import ROW, WEIGHT, TrainingRows, read_rows, requiring
from headrace.train.resumed import resumed
from headrace.train.streamed import train_streamed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import polars as pl
    from numpy.typing import NDArray

    from headrace.cache.cache import Cache
    from headrace.data.schema import Kind
    from headrace.model.fitted import FittedNetwork
    from headrace.model.loop import Resuming
    from headrace.plan.features import Features
    from headrace.preprocessing.step import Step
    from headrace.progress import Bar

__all__ = ["Validation", "continue_training", "train"]

_SAMPLE = 1_000
_FIRST_SHARE = 0.5
"""Of the time, when the network is trained a second time."""


def train(
    data: object,
    steps: Sequence[Step] | None,
    *,
    target: str | Sequence[str] | None,
    kinds: Mapping[str, Kind] | None = None,
    network: Network | None = None,
    validation: Validation = None,
    weight: str | None = None,
    seed: int = 0,
    engine: Engine = HERE,
    checkpoint: Path | None = None,
    cache: Cache | None = None,
) -> Fitted:
    """Train a pipeline.

    The steps are fitted on the training rows alone; the validation rows, which decide when the
    network stops, pass through the fitted steps as any new rows would.

    Args:
        data: The rows, from any source.
        steps: The steps, the model last; None to choose them from the schema.
        target: The column to predict, or several; None for clusters or for steps alone.
        kinds: Kinds of columns, where the inferred ones are not wanted.
        network: The network behind the steps, where it is none of them.
        validation: None for a fifth of the rows chosen at random (no rows when the network has no
            early stopping), a share, a `Split` by group or time, or rows of their own.
        weight: A column with the weight of each row in the loss; not a feature.
        seed: Of every random choice; the same seed gives the same weights.
        engine: What the work runs on.
        checkpoint: The folder that keeps what is done so far; None to keep nothing.
        cache: Where the schema and the fits of the steps are kept; None to keep nothing.

    Returns:
        The fitted pipeline.

    Raises:
        DataError: If the rows cannot be trained on; every problem in one error.
        SettingError: If the steps do not fit the data.
    """
    clock, source = Clock(), read(data)
    if not fits_in_memory(source, engine):
        return train_streamed(
            source,
            steps,
            target=target,
            kinds=kinds,
            network=network,
            validation=validation,
            weight=weight,
            seed=seed,
            engine=engine,
            checkpoint=checkpoint,
        )
    with bar("train", None) as progress:
        progress.advance(note="reading")
        with clock("read"):
            rows = read_rows(source, target, weight, kinds, cache)
        chosen = ChosenSteps.of(steps, rows.schema, target, network)
        work = _Work(rows, chosen, target, kinds, validation, weight, seed, engine, cache, clock)
        if checkpoint is None:
            return work.fit(None, progress)
        with resumed(
            checkpoint,
            rows.raw,
            chosen,
            validation,
            target=target,
            kinds=kinds,
            weight=weight,
            seed=seed,
        ) as resuming:
            return work.fit(resuming, progress)


@dataclass(frozen=True)
class _Work:
    """One training, from the rows that were read to what was learnt."""

    rows: TrainingRows
    chosen: ChosenSteps
    target: str | Sequence[str] | None
    kinds: Mapping[str, Kind] | None
    validation: Validation
    weight: str | None
    seed: int
    engine: Engine
    cache: Cache | None
    clock: Clock

    def fit(self, resuming: Resuming | None, progress: Bar) -> Fitted:
        """Fit the steps, train the model, and look at the rows that it learnt from."""
        rows, chosen, clock, seed = self.rows, self.chosen, self.clock, self.seed
        with clock("split"):
            parts = split_rows(rows, chosen, self.validation, seed)
        again = _refits(chosen.model, parts)
        progress.advance(note="fitting the steps")
        with clock("steps"):
            fitted = self._steps(parts)
        with clock("profile"):
            schema = requiring(rows.schema, fitted.plan.used)
            watched = schema.select(fitted.plan.used)
            reference = profile(parts.train.lazy().select(watched.names), watched)
        with clock("model"):
            model, features = _fit_model(
                chosen,
                fitted,
                parts,
                seed=seed,
                resuming=_part(resuming, "network"),
                engine=self.engine,
            )
        if again:
            parts = parts.whole(chosen.rows, seed)
            with clock("steps"):
                fitted = self._steps(parts)
            with clock("profile"):
                reference = profile(parts.train.lazy().select(watched.names), watched)
            with clock("refit"):
                model, features = _fit_again(
                    chosen,
                    fitted,
                    parts,
                    model,
                    seed=seed,
                    resuming=_part(resuming, "refit"),
                    engine=self.engine,
                )
        sample = _sample(parts, seed)
        return Fitted(
            schema,
            fitted.plan,
            parts.spec if parts.spec is None else model.target_spec,
            model,
            chosen.all,
            reference,
            self.weight,
            train_result(
                chosen,
                fitted,
                parts.spec,
                model,
                rows=(
                    parts.train.height,
                    0 if parts.validation is None else parts.validation.height,
                ),
                seconds=clock.seconds,
                notes=parts.notes,
            ),
            Kept(features, parts.target, sample.select(schema.names), _raw(rows, sample)),
            retrain=self.again,
        )

    def _steps(self, parts: Parts) -> FittedSteps:
        return fit_steps(
            parts.train.drop(LABEL, WEIGHT, strict=False),
            schema_columns(self.rows.schema),
            self.chosen.before_model,
            cache=self.cache,
            engine=self.engine,
        )

    def again(self, seed: int) -> Fitted:
        """Train on the same rows with another seed."""
        return train(
            self.rows.raw,
            self.chosen.all,
            target=self.target,
            kinds=self.kinds,
            validation=self.validation,
            weight=self.weight,
            seed=seed,
            engine=self.engine,
        )


def _part(resuming: Resuming | None, name: str) -> Resuming | None:
    return None if resuming is None else resuming.part(name)


def continue_training(
    fitted: Fitted,
    canonical: pl.DataFrame,
    labels: pl.Series,
    *,
    network: Network,
    seed: int = 0,
    share: float = 0.2,
) -> Fitted:
    """Train a network further on new labelled rows, from the weights that it has.

    The steps stay as they are, so that the weights keep their meaning. The reference profile
    becomes that of the new rows: they are what the next rows will be compared with. Where the
    network before had intervals, some of the new rows are held out to calibrate its successor's.

    Args:
        fitted: The pipeline to start from.
        canonical: New rows, canonical.
        labels: Their labels, none missing.
        network: Settings of the training.
        seed: Of the split and the shuffling.
        share: Of the rows that decide when to stop.
    """
    spec = fitted.network.target_spec
    clock = Clock()
    with clock("steps"):
        features, target = fitted.features(canonical), spec.encode(labels)
    order = np.random.default_rng(seed).permutation(len(features))
    order, fresh = _to_calibrate(fitted, order)
    held = order[: max(1, round(share * len(order)))]
    rest = np.sort(order[len(held) :])
    with clock("model"):
        model = network.fit(
            features.take(rest),
            target[rest],
            feature_spec=fitted.plan.spec,
            target_spec=spec,
            validation=(features.take(held), target[held]),
            start=fitted.network.weights(),
            seed=seed,
        )
    watched = fitted.schema.select([column.name for column in fitted.profile.columns])
    reference = profile(canonical.lazy().select(watched.names), watched)
    after = replace(fitted, model=model, profile=reference, scores={}, result=None, retrain=None)
    return calibrated_again(after, canonical[fresh], labels[fresh]) if len(fresh) else after


def _to_calibrate(
    fitted: Fitted, order: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Answer the rows to train with, and those that calibrate intervals, if there are any."""
    shares = [one.settings.share for one in fitted.conformal.values()]
    count = max(1, round(max(shares) * len(order))) if shares else 0
    return order[count:], np.sort(order[:count])


def _fit_model(
    steps: ChosenSteps,
    fitted: FittedSteps,
    parts: Parts,
    *,
    seed: int,
    resuming: Resuming | None,
    engine: Engine,
) -> tuple[Any, Features | None]:
    plan, rows = fitted.plan, fitted.rows.lazy().collect()
    if steps.model is None:
        return None, None
    if isinstance(steps.model, ClusterStep):
        return steps.model.fit_matrix(plan.matrix(rows), seed=seed), None
    if parts.spec is None or parts.target is None:
        raise SettingError("a Network needs a target")
    features, network = plan.features(rows), steps.model
    if _refits(network, parts):
        network = _in_part_of_the_time(network)
    model = network.fit(
        features,
        parts.target,
        feature_spec=plan.spec,
        target_spec=parts.spec,
        validation=_held_features(fitted, parts),
        pooled=parts.rule is not None and parts.rule.random,
        sample_weight=parts.weight,
        validation_weight=parts.validation_weight,
        seed=seed,
        resuming=resuming,
        engine=engine,
    )
    return model, features


def _refits(network: Network | ClusterStep | None, parts: Parts) -> bool:
    """Answer whether the network is trained a second time, on the validation rows too.

    Raises:
        SettingError: It shall be, and the validation rows came on their own.
    """
    if not isinstance(network, Network) or parts.validation is None:
        return False
    if network.refit and parts.rule is None:
        raise SettingError(
            "refit learns from the validation rows too, which came on their own here: "
            "put them among the rows, and give a share or an hr.Split as validation"
        )
    newest = parts.rule is not None and parts.rule.time is not None
    return newest if network.refit is None else network.refit


def _in_part_of_the_time(network: Network) -> Network:
    if network.time is None:
        return network
    return network.copy().set_params(time=_FIRST_SHARE * seconds(network.time))


def _fit_again(
    steps: ChosenSteps,
    fitted: FittedSteps,
    parts: Parts,
    first: FittedNetwork,
    *,
    seed: int,
    resuming: Resuming | None,
    engine: Engine,
) -> tuple[FittedNetwork, Features]:
    """Train on all rows for as many epochs as were best; what was decided by then stays."""
    if not isinstance(steps.model, Network) or parts.spec is None or parts.target is None:
        raise SettingError("only a Network is trained again")
    features = fitted.plan.features(fitted.rows.lazy().collect())
    again = steps.model.copy().set_params(
        epochs=first.best_epoch, patience=None, calibrate=None, threshold=None, monitor="loss"
    )
    model = again.fit(
        features,
        parts.target,
        feature_spec=fitted.plan.spec,
        target_spec=first.target_spec,
        sample_weight=parts.weight,
        seed=seed,
        resuming=resuming,
        engine=engine,
    )
    note = (
        f"trained again on all {len(features):,} rows for {first.best_epoch} epochs; "
        "the history is that of the first training"
    )
    training = replace(first.training, notes=(*first.notes, *model.notes, note))
    return model.changed(calibration=first.calibration, training=training), features


def _held_features(fitted: FittedSteps, parts: Parts) -> tuple[Features, NDArray[Any]] | None:
    if parts.validation is None or parts.spec is None:
        return None
    held = fitted.plan.polars(parts.validation.lazy()).collect()
    return fitted.plan.features(held), parts.spec.encode(parts.validation[LABEL])


def _sample(parts: Parts, seed: int) -> pl.DataFrame:
    return parts.train.sample(min(_SAMPLE, parts.train.height), seed=seed, shuffle=False)


def _raw(rows: TrainingRows, sample: pl.DataFrame) -> pl.DataFrame:
    return rows.raw[sample[ROW].to_numpy()].select(rows.schema.names)
