"""Training on a table that is larger than memory: lazy rows, a feature store, windows of it.

The way is that of `headrace.train.training`, with nothing held but batches: the validation rows
are chosen by a hash of their numbers, the steps learn from streams, the features go to a store on
disk, and the network reads windows of it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from headrace.data.fingerprint import fingerprint
from headrace.data.lazy_split import held_out
from headrace.data.profile import profile
from headrace.data.scan import bounded_scans, collect
from headrace.data.source import read
from headrace.data.split import Split
from headrace.errors import SettingError
from headrace.model.footprint import PeakMemory, resident
from headrace.model.network import Network
from headrace.plan.plan import schema_columns
from headrace.preprocessing.fit import fit_steps
from headrace.progress import bar
from headrace.storage.documents import document_bytes
from headrace.train.budget import Budget
from headrace.train.chosen import ChosenSteps
from headrace.train.clock import Clock
from headrace.train.contents import Contents
from headrace.train.fitted import Fitted, Kept
from headrace.train.labels import LABEL, require_column
from headrace.train.lazy_rows import lazy_canonical, read_lazy_rows
from headrace.train.lazy_target import lazy_target_spec, with_lazy_target
from headrace.train.out_of_core import needs_table, sample_of, spill_folder, with_memory
from headrace.train.outcome import train_result
from headrace.train.reading import ROW, requiring
from headrace.train.resumed import resumed
from headrace.train.store import FeatureStore, store_key
from headrace.train.streamed_clusters import train_clusters_streamed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from headrace.data.schema import Kind
    from headrace.engine import Engine
    from headrace.model.labelled import Labelled
    from headrace.model.loop import Resuming
    from headrace.model.target import TargetSpec
    from headrace.plan.plan import Plan
    from headrace.preprocessing.fit import FittedSteps
    from headrace.preprocessing.step import Step
    from headrace.progress import Bar
    from headrace.train.holdout import Validation
    from headrace.train.lazy_rows import LazyRows

__all__ = ["train_streamed"]

_SHARE = 0.2
_MOST_KEPT = 100_000
"""Training rows that stay in memory, for the baselines of an evaluation."""

_KEPT_BLOCK = 1_024


@dataclass(frozen=True, eq=False)
class _Parts:
    """Lazy rows to learn from, and those that decide when to stop."""

    train: pl.LazyFrame
    validation: pl.LazyFrame | None
    spec: TargetSpec
    rule: Split | None
    notes: tuple[str, ...]


def train_streamed(
    source: pl.LazyFrame,
    steps: Sequence[Step] | None,
    *,
    target: str | Sequence[str] | None,
    kinds: Mapping[str, Kind] | None,
    network: Network | None,
    validation: Validation,
    weight: str | None,
    seed: int,
    engine: Engine,
    checkpoint: Path | None,
) -> Fitted:
    """Train a pipeline on a lazy table without ever holding it (see `headrace.train.training`).

    Raises:
        DataError: If the rows cannot be trained on.
        SettingError: If the steps do not fit the data, need the whole table, or the promised
            memory cannot be kept.
        CheckpointError: If the feature store cannot be written.
    """
    if target is None:
        return train_clusters_streamed(source, steps, kinds=kinds, seed=seed, engine=engine)
    if not isinstance(target, str):
        raise SettingError(needs_table("several targets"))
    clock, base = Clock(), resident()
    with bar("train", None) as progress, PeakMemory() as peak, bounded_scans():
        progress.advance(note="reading")
        with clock("read"):
            rows = read_lazy_rows(source, target, weight, kinds)
        chosen = ChosenSteps.of(steps, rows.schema, target, network)
        work = _Work(rows, chosen, _check(chosen), validation, seed, engine, base, clock)
        if checkpoint is None:
            with spill_folder() as folder:
                fitted = work.fit(folder, None, progress)
        else:
            with resumed(
                checkpoint,
                source,
                chosen,
                validation,
                target=target,
                kinds=kinds,
                weight=weight,
                seed=seed,
            ) as resuming:
                fitted = work.fit(checkpoint / "features", resuming, progress)
    return replace(
        fitted,
        result=with_memory(fitted.result, base + peak.bytes),
        retrain=lambda again: train_streamed(
            source,
            chosen.all,
            target=target,
            kinds=kinds,
            network=None,
            validation=validation,
            weight=weight,
            seed=again,
            engine=engine,
            checkpoint=None,
        ),
    )


@dataclass(frozen=True, eq=False)
class _Work:
    """One training, from the rows that were read lazily to what was learnt."""

    rows: LazyRows
    chosen: ChosenSteps
    network: Network
    validation: Validation
    seed: int
    engine: Engine
    base: int
    clock: Clock

    def fit(self, folder: Path, resuming: Resuming | None, progress: Bar) -> Fitted:
        """Fit the steps, write the store, and train the network from it."""
        rows, clock, seed = self.rows, self.clock, self.seed
        with clock("split"):
            most = Budget.most_held(self.engine.memory, self.base, len(rows.schema))
            parts = _split(rows, self.network, self.validation, most, seed)
        progress.advance(note="fitting the steps")
        with clock("steps"):
            fitted = fit_steps(
                parts.train,
                schema_columns(rows.schema),
                self.chosen.before_model,
                engine=self.engine,
            )
        with clock("profile"):
            schema = requiring(rows.schema, fitted.plan.used)
            watched = schema.select(fitted.plan.used)
            reference = profile(parts.train.select(watched.names), watched)
            sample, sample_raw = sample_of(rows, parts.train, seed)
        budget = self._budget(fitted, parts)
        progress.advance(note="writing the feature store")
        with clock("store"):
            learn, held = self._stores(FeatureStore(folder), fitted.plan, parts)
        progress.advance(note="training")
        with clock("model"):
            model = self.network.fit(
                learn.features,
                learn.target,
                feature_spec=fitted.plan.spec,
                target_spec=parts.spec,
                validation=None if held is None else (held.features, held.target),
                pooled=parts.rule is not None and parts.rule.random,
                sample_weight=learn.weight,
                validation_weight=None if held is None else held.weight,
                seed=seed,
                window=budget.window,
                resuming=None if resuming is None else resuming.part("network"),
            )
        kept = _kept(learn, seed)
        return Fitted(
            schema,
            fitted.plan,
            model.target_spec,
            model,
            self.chosen.all,
            reference,
            rows.weight,
            train_result(
                self.chosen,
                fitted,
                parts.spec,
                model,
                rows=(len(learn), 0 if held is None else len(held)),
                seconds=clock.seconds,
                notes=[*rows.notes, *parts.notes],
                memory=budget.report(),
            ),
            Kept(kept.features, kept.target, sample.select(schema.names), sample_raw),
        )

    def _budget(self, fitted: FittedSteps, parts: _Parts) -> Budget:
        held = _held_count(parts, self.rows.count)
        return Budget.of(
            self.engine.memory, self.base, fitted.plan.spec, held=held, rows=self.rows.count - held
        )

    def _stores(
        self, store: FeatureStore, plan: Plan, parts: _Parts
    ) -> tuple[Labelled, Labelled | None]:
        """Write the features of both sides of the rows, or find them there."""
        decided = {
            "data": fingerprint(self.rows.raw),
            "seed": self.seed,
            "weight": self.rows.weight,
            "rule": repr(parts.rule),
            "plan": _plan_digest(plan),
            "target": repr(parts.spec),
        }
        learn = Contents(
            parts.train, plan, parts.spec, self.seed, training=True, engine=self.engine
        )
        written = store.write(store_key(**decided, side="learn"), learn)
        if parts.validation is None:
            return written, None
        held = replace(learn, rows=parts.validation, training=False)
        return written, store.write(store_key(**decided, side="held"), held)


def _check(chosen: ChosenSteps) -> Network:
    """Answer the network of steps that can work out of core.

    Raises:
        SettingError: A step needs the whole table.
    """
    if chosen.rows:
        raise SettingError(needs_table(f"steps that remove rows ({chosen.rows[0]!r})"))
    if not isinstance(chosen.model, Network):
        raise SettingError(needs_table("steps behind a target that end in no network"))
    if chosen.model.refit:
        raise SettingError(needs_table("a second training on all rows (refit=True)"))
    return chosen.model


# ---------------------------------------------------------------- holding out


def _split(
    rows: LazyRows, network: Network, validation: Validation, most: int, seed: int
) -> _Parts:
    """Divide lazy rows in those to learn from and those that decide when to stop."""
    frame, target = rows.canonical, rows.target or ""
    spec = lazy_target_spec(frame, target, network)
    with_target = with_lazy_target(frame, spec, seed)
    if validation is None and network.patience is None:
        return _Parts(with_target, None, spec, None, ())
    if validation is not None and not isinstance(validation, (float, Split)):
        own = read(validation)
        require_column(target, own.collect_schema().names(), "target")
        beside = () if rows.weight is None else (rows.weight,)
        held = lazy_canonical(own, rows.schema, target, None, ignore=beside)
        return _Parts(with_target, held.filter(pl.col(LABEL).is_not_null()), spec, None, ())
    rule, notes = _rule(validation, rows.count, most)
    out = held_out(frame, rule, row=ROW, seed=seed)
    if rule.time is not None:
        notes = (*notes, "there is no second training on all rows out of core")
    return _Parts(with_target.filter(~out), frame.filter(out), spec, rule, notes)


def _rule(validation: Validation, rows: int, most: int) -> tuple[Split, tuple[str, ...]]:
    if isinstance(validation, Split):
        return validation, ()
    if isinstance(validation, float):
        return Split(share=validation), ()
    share = min(_SHARE, most / rows)
    if share == _SHARE:
        return Split(share=share), ()
    return Split(share=share), (f"about {most:,} of {rows:,} rows decide when to stop",)


def _held_count(parts: _Parts, rows: int) -> int:
    if parts.validation is None:
        return 0
    if parts.rule is not None:
        return round(parts.rule.share * rows)
    return int(collect(parts.validation.select(pl.len()), streaming=True).item())


# ---------------------------------------------------------------- stores


def _plan_digest(plan: Plan) -> str:
    text, files = document_bytes(plan.to_dict(), "plan")
    digest = hashlib.sha256(text)
    for name in sorted(files):
        digest.update(files[name])
    return digest.hexdigest()


def _kept(learn: Labelled, seed: int) -> Labelled:
    """Answer rows for the baselines, copied to memory: some whole blocks of a large store."""
    blocks = -(-len(learn) // _KEPT_BLOCK)
    wanted = min(blocks, _MOST_KEPT // _KEPT_BLOCK)
    chosen = np.sort(np.random.default_rng(seed).choice(blocks, wanted, replace=False))
    # Single rows from everywhere would bring every page of the files into memory.
    places = [np.arange(at * _KEPT_BLOCK, (at + 1) * _KEPT_BLOCK) for at in chosen.tolist()]
    rows = np.concatenate(places)
    return learn.take(rows[rows < len(learn)])
