"""The cluster on paper of `benchmarks/scale.py` keeps the laws that any cluster keeps."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

PATH = Path(__file__).resolve().parents[1] / "benchmarks" / "scale_simulation.py"


def load() -> Any:
    spec = importlib.util.spec_from_file_location("scale_simulation", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


simulation = load()
STILL = simulation.Network(spread=0.0, latency=0.0)


def test_without_a_scheduler_the_work_is_shared_out_evenly() -> None:
    tree = simulation.Tree(partitions=100, task=2.0, dispatch=0.0)
    assert simulation.run_tree(tree, 1, STILL).seconds == pytest.approx(200)
    assert simulation.run_tree(tree, 10, STILL).seconds == pytest.approx(20)
    assert simulation.run_tree(tree, 1000, STILL).seconds == pytest.approx(2)


def test_the_scheduler_is_the_limit_of_small_tasks() -> None:
    tree = simulation.Tree(partitions=5_000, task=0.01, dispatch=0.001)
    ran = simulation.run_tree(tree, 1_000, STILL)
    assert ran.seconds == pytest.approx(5_000 * 0.001 + 0.01)
    assert ran.scheduler > 0.99


@settings(max_examples=50)
@given(st.integers(1, 300), st.integers(1, 40), st.integers(0, 9))
def test_no_cluster_is_faster_than_its_work_allows(
    partitions: int, workers: int, seed: int
) -> None:
    tree = simulation.Tree(partitions, task=1.0, dispatch=0.01, merge=0.1, state=1_000)
    ran = simulation.run_tree(tree, workers, simulation.Network(), seed)
    assert 0 < ran.workers <= 1
    assert 0 < ran.scheduler <= 1
    assert ran.seconds >= partitions * tree.dispatch


def test_every_state_is_merged_once() -> None:
    # 64 states on 8 mergers, 8 on one: 72 are taken in; the tasks themselves cost nothing.
    tree = simulation.Tree(partitions=64, task=0.0, dispatch=0.0, merge=1.0)
    assert simulation.run_tree(tree, 1, STILL).seconds == pytest.approx(72)
    assert simulation.run_tree(tree, 8, STILL).seconds == pytest.approx(16)


def test_a_ring_sends_each_byte_about_twice_however_many_there_are() -> None:
    network = simulation.Network(bandwidth=1e6, latency=0.0)
    assert simulation.ring_seconds(1_000_000, 1, network) == 0
    assert simulation.ring_seconds(1_000_000, 2, network) == pytest.approx(1.0)
    assert simulation.ring_seconds(1_000_000, 1_000, network) == pytest.approx(1.998)


def test_training_waits_for_the_last_worker_and_the_ring() -> None:
    training = simulation.Training(1.0, 0.5, 1_000_000, lambda workers: 8 // workers)
    network = simulation.Network(bandwidth=1e6, latency=0.0, spread=0.0)
    assert simulation.train_seconds(training, 4, network) == pytest.approx((1 + 1 + 1.5, 1.5))
    straggling = simulation.Network(bandwidth=1e6, latency=0.0, spread=0.5)
    assert simulation.train_seconds(training, 4, straggling)[0] > 3.5
