"""What tuning may try of a network: ranges by architecture, the values in use, strong settings.

The ranges and the strong settings follow the published search spaces and portfolios of TabM
(Gorishniy and others, 2025) and RealMLP (Holzmüller and others, 2024), with widths that a processor
can train, and learning rates that suit averaged weights (docs/network.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.model.assembly import are_widths
from headrace.model.fitted import CUSTOM
from headrace.model.presets import preset
from headrace.model.recipe import Recipe
from headrace.preprocessing.space import Choice, Integer, Range, Real

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.model.network import Network
    from headrace.model.target import TargetSpec

__all__ = ["architecture_of", "ranges_of", "strong_settings", "values_in_use"]

_OWN = "settings__"

_RATE = Real(5e-4, 2e-2, log=True)
_DECAY = Real(1e-5, 0.1, log=True)
_DROPOUT = Real(0.0, 0.5)
_DENSE = Choice([[64], [64, 64], [128, 128], [256, 256], [256, 256, 256]])
_SHARED = Choice([[128, 128], [192, 192], [256, 256, 256], [384, 384], [384, 384, 384]])
_BINS = {"settings__bins": Integer(2, 128, log=True), "settings__width": Integer(4, 24)}

_RANGES: dict[str, dict[str, Range]] = {
    "linear": {"learning_rate": _RATE, "weight_decay": _DECAY, **_BINS},
    "mlp": {"learning_rate": _RATE, "weight_decay": _DECAY, "dropout": _DROPOUT, **_BINS},
    "tabm": {
        "learning_rate": _RATE,
        "weight_decay": _DECAY,
        "dropout": _DROPOUT,
        "settings__hidden": _SHARED,
        **_BINS,
    },
    "realmlp": {
        "learning_rate": Real(1e-2, 0.4, log=True),
        "weight_decay": Real(1e-3, 0.1, log=True),
        "dropout": _DROPOUT,
        "settings__hidden": Choice([[256, 256], [256, 256, 256], [384, 384, 384], [256] * 4]),
        "settings__sigma": Real(0.01, 10.0, log=True),
        "settings__width": Integer(4, 16),
    },
}

_STRONG: dict[str, tuple[dict[str, Any], ...]] = {
    # The first of TabM's portfolio are wider, deeper and slower learners than its defaults.
    "tabm": (
        {
            "settings__hidden": [384, 384, 384],
            "settings__bins": 16,
            "settings__width": 24,
            "dropout": 0.108,
            "learning_rate": 2.7e-3,
            "weight_decay": 1e-5,
        },
        {
            "settings__hidden": [384, 384, 384],
            "settings__bins": 18,
            "settings__width": 24,
            "dropout": 0.4,
            "learning_rate": 2.1e-3,
            "weight_decay": 1e-5,
        },
        {
            "settings__hidden": [192, 192],
            "settings__bins": 109,
            "settings__width": 16,
            "dropout": 0.0,
            "learning_rate": 8.4e-4,
            "weight_decay": 1.4e-4,
        },
    ),
    "realmlp": (
        {
            "settings__hidden": [256] * 4,
            "settings__sigma": 0.108,
            "settings__width": 8,
            "dropout": 0.465,
            "learning_rate": 2.8e-2,
            "weight_decay": 4.1e-2,
        },
    ),
    "mlp": (
        {"learning_rate": 2e-3, "dropout": 0.2, "settings__bins": 48, "settings__width": 16},
        {"learning_rate": 8e-3, "dropout": 0.1, "settings__bins": 16, "settings__width": 8},
    ),
}


def architecture_of(network: Network) -> str:
    """Answer the name of a network's architecture; "custom" for a user's own, or for several."""
    if network.hidden is None:
        chosen = preset(network.preset)
        return CUSTOM if chosen.is_ensemble else chosen.members[0].architecture
    if isinstance(network.hidden, str):
        return network.hidden
    return "mlp" if are_widths(network.hidden) else CUSTOM


def ranges_of(network: Network) -> dict[str, Range]:
    """Answer the ranges that tuning may try; those of learnt bins only where there are some.

    Example:
        >>> from headrace.model.network import Network
        >>> sorted(ranges_of(Network([64, 64], embedding=None)))
        ['dropout', 'hidden', 'learning_rate', 'weight_decay']
        >>> sorted(ranges_of(Network(preset="best")))  # two architectures share the dropout only
        ['dropout']
    """
    name = architecture_of(network)
    if name == CUSTOM:
        own = network.hidden is not None
        return _without_optimizer(
            {"learning_rate": _RATE} if own else {"dropout": _DROPOUT}, network
        )
    ranges = dict(_RANGES.get(name, {"learning_rate": _RATE, "weight_decay": _DECAY}))
    if name == "mlp" and are_widths(network.hidden):
        ranges["hidden"] = _DENSE
    if network.embedding is None and name != "realmlp":
        ranges = {key: one for key, one in ranges.items() if key not in _BINS}
    return _without_optimizer(ranges, network)


def _without_optimizer(ranges: dict[str, Range], network: Network) -> dict[str, Range]:
    """Leave out what an optimizer of the user's own decides."""
    if network.optimizer is not None:
        ranges.pop("weight_decay", None)
    if not isinstance(network.learning_rate, int | float | None):
        ranges.pop("learning_rate", None)  # a schedule of the user's own
    return ranges


def values_in_use(network: Network, target: TargetSpec | None) -> dict[str, Any]:
    """Answer the values of what may be tried, as the training would find them.

    Example:
        >>> from headrace.model.network import Network
        >>> found = values_in_use(Network(preset="fast"), None)
        >>> found["learning_rate"], found["settings__hidden"], found["settings__bins"]
        (0.006, [128, 128], 48)
    """
    found = {}
    for name in ranges_of(network):
        value = _value(network, name, target)
        if value is not None:
            found[name] = list(value) if isinstance(value, tuple) else value
    return found


def _value(network: Network, name: str, target: TargetSpec | None) -> Any:
    key = name.removeprefix(_OWN)
    stated = (network.settings or {}).get(key) if name != key else getattr(network, key)
    if stated is not None:
        return stated
    kind = architecture_of(network)
    if kind == CUSTOM:
        return None
    return _default(network, kind, key, target)


def _default(network: Network, kind: str, key: str, target: TargetSpec | None) -> Any:
    from headrace.model.architectures import architecture

    member = preset(network.preset).members[0]
    found = architecture(kind)
    if key in ("learning_rate", "weight_decay"):
        own = member.recipe if member.architecture == kind else {}
        if isinstance(found.recipe, Recipe):
            return own.get(key, getattr(found.recipe, key))
        return None if target is None else own.get(key, getattr(found.recipe(target), key))
    if key == "dropout" and kind == "mlp":
        return 0.1 if network.embedding else 0.0
    own = member.settings if network.hidden is None else {}
    return own.get(key, found.defaults().get(key))


def strong_settings(network: Network) -> Sequence[Mapping[str, Any]]:
    """Answer settings that were strong on many tables, as far as they are in the search space."""
    ranges = ranges_of(network)
    found = [
        {name: value for name, value in one.items() if name in ranges}
        for one in _STRONG.get(architecture_of(network), ())
    ]
    return [one for one in found if one]
