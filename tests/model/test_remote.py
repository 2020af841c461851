"""Networks trained by workers: the same weights as here, and nothing but plain data in between."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.engine import Engine
from headrace.model.labelled import Labelled
from headrace.model.network import Network
from headrace.model.presets import Member
from headrace.model.records import training_from, training_to
from headrace.model.remote import MemberJob, fit_members
from headrace.model.single import Fitting, fit_single
from headrace.model.target import TargetSpec
from headrace.partitions.message import pack, unpack
from headrace.plan.features import Features, FeatureSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client

MEMBER = Member("mlp", settings={"hidden": [8]})
NETWORK = Network(epochs=3, batch_size=64)


@pytest.fixture(scope="module")
def fitting() -> Fitting:
    random = np.random.default_rng(0)
    numbers = random.normal(size=(300, 3)).astype(np.float32)
    codes = random.integers(0, 4, (300, 1)).astype(np.int32)
    target = (numbers[:, 0] + codes[:, 0] > 1).astype(np.int32)
    return Fitting(
        FeatureSpec(("a", "b", "c"), ("k",), (4,)),
        TargetSpec("y", "binary", classes=("no", "yes")),
        Labelled(Features(numbers, codes), target, random.uniform(0.5, 2, 300)),
    )


def jobs() -> list[MemberJob]:
    places = np.arange(300)
    return [
        MemberJob(MEMBER, seed, places[places % 3 != seed], places[places % 3 == seed])
        for seed in range(3)
    ]


def part(fitting: Fitting, job: MemberJob) -> Fitting:
    assert job.rest is not None
    assert job.held is not None
    rest, held = fitting.rows.take(job.rest), fitting.rows.take(job.held)
    return Fitting(fitting.feature_spec, fitting.target_spec, rest, held, seed=job.seed)


@pytest.mark.slow
def test_a_job_that_has_travelled_gives_the_same_weights(fitting: Fitting) -> None:
    engine = Engine.of(executor=Sent())
    (found,) = fit_members(NETWORK, fitting, jobs()[1:2], engine)
    here = fit_single(NETWORK, MEMBER, part(fitting, jobs()[1]))
    for mine, theirs in zip(here.weights(), found.network.weights(), strict=True):
        assert np.array_equal(mine, theirs)
    assert found.network.history == here.history
    assert found.network.training.layers == here.training.layers


class Sent(Executor):
    """An executor that works at once, in this thread, with bytes alone."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **settings: Any) -> Future[Any]:
        assert not settings
        assert all(isinstance(one, str | bytes) for one in args)
        future: Future[Any] = Future()
        future.set_result(fn(*args))
        return future


@pytest.mark.slow
def test_workers_train_the_same_networks_in_order(fitting: Fitting, cluster: Client) -> None:
    found = list(fit_members(NETWORK, fitting, jobs(), Engine.of(executor=cluster)))
    assert len(found) == 3
    for one, job in zip(found, jobs(), strict=True):
        own = part(fitting, job)
        held = own.held
        assert held is not None
        here = fit_single(NETWORK, MEMBER, own)
        for mine, theirs in zip(here.weights(), one.network.weights(), strict=True):
            assert theirs == pytest.approx(mine, abs=1e-4)  # sums of other numbers of threads
        assert one.output is not None
        assert one.output == pytest.approx(one.network.predict(held.features), abs=1e-6)
        assert one.network.epochs == 3


@pytest.mark.slow
def test_held_rows_of_their_own_and_the_time_limit(fitting: Fitting) -> None:
    held = fitting.rows.take(np.arange(50))
    own = Fitting(fitting.feature_spec, fitting.target_spec, fitting.rows, held)
    patient = Network(epochs=100_000, patience=None)
    engine = Engine.of(executor=Sent())
    (found,) = fit_members(patient, own, [MemberJob(MEMBER, 0, seconds=1.0)], engine)
    assert found.output is not None
    assert len(found.output) == 50
    assert found.network.epochs < 100_000
    record = found.network.training
    assert training_from(unpack(pack(training_to(record)))) == record
