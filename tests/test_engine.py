"""What the work runs on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import headrace as hr
from headrace.engine import HERE, Engine
from headrace.errors import SettingError


def test_an_engine_of_nothing_is_this_process() -> None:
    assert Engine.of() == HERE
    assert hr.Pipeline(target="x").engine == HERE


def test_memory_is_given_as_people_write_it() -> None:
    assert hr.Pipeline(target="x", memory="1.5GB").engine.memory == 1_500_000_000


def test_an_executor_is_taken_as_it_is_and_a_client_answers_its_own() -> None:
    with ThreadPoolExecutor(1) as pool:

        class Client:
            def get_executor(self) -> Any:
                return pool

        assert Engine.of(executor=pool).executor is pool
        assert Engine.of(executor=Client()).executor is pool


def test_what_is_no_executor_is_refused() -> None:
    with pytest.raises(SettingError, match="executor must have the interface of"):
        Engine.of(executor=4)


def test_a_copy_of_a_pipeline_runs_on_the_same() -> None:
    pipe = hr.Pipeline(target="x", memory="1GB")
    assert pipe.copy().engine == pipe.engine
    assert pipe.get_params()["memory"] == "1GB"
