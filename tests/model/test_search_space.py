"""What tuning may try of a network, and what it starts from."""

from __future__ import annotations

from typing import Any

import keras
import pytest

from headrace.model.architectures import architecture
from headrace.model.network import Network
from headrace.model.target import TargetSpec
from headrace.preprocessing.space import Choice

TARGETS = [
    TargetSpec("t", "binary", classes=("no", "yes")),
    TargetSpec("t", "regression"),
]
NETWORKS = {
    "tabm": Network(),
    "fast": Network(preset="fast"),
    "realmlp": Network("realmlp"),
    "mlp": Network([64, 64]),
    "no bins": Network([64, 64], embedding=None),
    "linear": Network("linear"),
}


@pytest.mark.parametrize("target", TARGETS, ids=["classes", "numbers"])
@pytest.mark.parametrize("name", NETWORKS)
def test_all_that_may_be_tried_is_a_setting_and_has_a_value_in_use(name: str, target: Any) -> None:
    network = NETWORKS[name]
    space, used = network.search_space(), network.in_use(target)
    assert used.keys() == space.keys()
    kept = architecture(network.variant()).defaults()
    for key, tried in space.items():
        inner = key.removeprefix("settings__")
        assert (inner in kept) if inner != key else (key in network.get_params())
        if isinstance(tried, Choice):
            continue
        assert tried.low <= used[key] <= tried.high


@pytest.mark.parametrize("name", NETWORKS)
def test_strong_settings_lie_within_the_ranges(name: str) -> None:
    network = NETWORKS[name]
    space = network.search_space()
    for one in network.strong_settings():
        assert one.keys() <= space.keys()
        for key, value in one.items():
            tried = space[key]
            if isinstance(tried, Choice):
                assert value in tried.options
            else:
                assert tried.low <= value <= tried.high
    assert name in {"linear", "no bins"} or network.strong_settings()


def test_what_is_stated_is_in_use() -> None:
    network = Network(learning_rate=0.01, dropout=0.3, settings={"bins": 7})
    used = network.in_use()
    assert (used["learning_rate"], used["dropout"], used["settings__bins"]) == (0.01, 0.3, 7)
    assert used["settings__hidden"] == [192, 192]


def test_what_the_users_own_objects_decide_is_not_tried() -> None:
    own = Network([8], optimizer=keras.optimizers.SGD(), learning_rate=0.1)
    assert "weight_decay" not in own.search_space()
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    assert "learning_rate" not in Network([8], learning_rate=schedule).search_space()
    layers = Network([keras.layers.Dense(4)])
    assert layers.variant() == "custom"
    assert layers.in_use() == {}
    assert layers.strong_settings() == []
