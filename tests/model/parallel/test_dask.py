"""A network trains on the workers of a Dask cluster, and goes on when one of them is killed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from headrace.engine import Engine
from headrace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from distributed import Client, LocalCluster

    folder: Path = tmp_path_factory.mktemp("dask")
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            local_directory=str(folder),
        ) as cluster,
        Client(cluster) as connected,
    ):
        yield connected


@pytest.mark.slow
def test_more_workers_than_the_cluster_has_are_refused(
    client: Any, fit: Callable[..., Any]
) -> None:
    message = r"workers=3 needs as many workers in the Dask cluster, which has 2: start more"
    with pytest.raises(SettingError, match=message):
        fit(workers=3, engine=Engine.of(executor=client))


@pytest.mark.slow
@pytest.mark.filterwarnings("default:a worker was lost")
def test_a_killed_dask_worker_changes_no_weights(
    client: Any,
    fit: Callable[..., Any],
    assert_same: Callable[[Any, Any], None],
    kill: Any,
    worker_process: Callable[[int, int], int | None],
) -> None:
    settings: dict[str, Any] = {"epochs": 60, "patience": 60, "optimizer": "sgd"}
    last = max(client.run(os.getpid).items())[1]
    with kill(lambda: worker_process(1, last) and last) as killed:
        several = fit(workers=2, engine=Engine.of(executor=client), **settings)
    assert killed.killed
    [note] = several.notes
    assert note.startswith("a worker was lost; the training went on from epoch ")
    assert "worker 1: whoever ran it is gone" in note
    assert_same(fit(**settings), several)
