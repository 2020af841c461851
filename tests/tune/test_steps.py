"""The space that steps propose, and settings as steps again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import optuna
import pytest

import headrace as hr
from headrace.errors import SettingError
from headrace.model.target import TargetSpec
from headrace.tune.space import drawn
from headrace.tune.steps import check_names, configured, proposed, settings_in_use, spelt_out

if TYPE_CHECKING:
    import polars as pl

RICH = TargetSpec("rich", "binary", classes=("no", "yes"))


def pipeline(*steps: Any) -> hr.Pipeline:
    return hr.Pipeline(list(steps) or None, target="rich")


def usual() -> hr.Pipeline:
    return pipeline(
        hr.transform.Encode(),
        hr.clean.Impute(),
        hr.clean.Clip(),
        hr.normalize.Quantile(),
        hr.Network(preset="fast"),
    )


def test_every_step_and_the_network_have_a_say() -> None:
    space = proposed(usual(), RICH)
    assert {name.partition("__")[0] for name in space} == {
        "encode_0",
        "impute_1",
        "clip_2",
        "quantile_3",
        "network_4",
    }
    assert [repr(one) for one in space["clip_2"].options] == ["clean.Clip()", "None"]
    assert "transform.OneHot()" in map(repr, space["encode_0"].options)


def test_what_steps_share_has_one_name_and_the_rest_its_owner() -> None:
    base = pipeline(hr.Network("tabm"))
    networks = hr.Choice([hr.Network("tabm"), hr.Network("realmlp")])
    names = set(proposed(usual(), RICH))
    assert "encode_0__min_count" in names  # of Encode and of OneHot
    check_names(
        {"network_0": networks, "network_0__realmlp__settings__sigma": hr.Real(0.1, 1)}, base
    )
    with pytest.raises(SettingError, match="no setting 'network_0__mlp__settings__bins' to tune"):
        check_names(
            {"network_0": networks, "network_0__mlp__settings__bins": hr.Integer(2, 9)}, base
        )


def test_the_values_in_use_are_written_out_and_within_reach() -> None:
    base = pipeline(hr.clean.Clip(), hr.Network([48], learning_rate=0.3))
    space, used = proposed(base, RICH), settings_in_use(base, RICH)
    assert used["clip_0__quantiles"] == (0.005, 0.995)
    assert used["network_1__dropout"] == 0.1
    assert used["network_1__weight_decay"] == 3e-4
    assert space["network_1__learning_rate"].high == 0.3
    assert [48] in space["network_1__hidden"].options
    fast = settings_in_use(usual(), RICH)
    assert fast["network_4__settings__hidden"] == [128, 128]
    assert fast["network_4__learning_rate"] == 6e-3


@pytest.mark.parametrize(
    ("task", "rate"), [("binary", 0.04), ("regression", 0.2)]
)  # the recipe of RealMLP depends on the target
def test_the_recipe_of_the_target_counts(task: Any, rate: float) -> None:
    classes = ("no", "yes") if task == "binary" else ()
    used = settings_in_use(pipeline(hr.Network("realmlp")), TargetSpec("t", task, classes=classes))
    assert used["network_0__learning_rate"] == rate


def test_a_chosen_step_takes_the_place_of_another_with_its_own_settings() -> None:
    base = usual()
    space = proposed(base, RICH)
    made = configured(
        base,
        {
            "encode_0": "(transform.TargetMean(keep=True), transform.Encode())",
            "encode_0__smoothing": 7.0,
            "encode_0__min_count": 3,
            "clip_2": "None",
            "quantile_3": "normalize.Robust()",
            "quantile_3__squash": 5.0,
            "network_4__settings__bins": 16,
            "network_4__settings__width": 12,
        },
        space,
    )
    assert repr(made.steps) == (
        "[transform.TargetMean(smoothing=7.0, keep=True), transform.Encode(min_count=3), "
        "clean.Impute(), normalize.Robust(squash=5.0), "
        "Network(preset='fast', settings={'bins': 16, 'width': 12})]"
    )
    assert repr(base.steps) == repr(usual().steps)


def test_only_settings_of_chosen_steps_are_drawn() -> None:
    space = proposed(usual(), RICH)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = set()
    for _ in range(60):
        found = drawn(study.ask(), space)
        seen.add(found["quantile_3"])
        assert ("quantile_3__squash" in found) == (found["quantile_3"] == "normalize.Robust()")
        assert ("quantile_3__output" in found) == (found["quantile_3"] == "normalize.Quantile()")
        assert ("clip_2__quantiles" in found) == (found["clip_2"] != "None")
        configured(usual(), found, space)
    assert len(seen) == 4


def test_the_space_is_read_and_changed_before_it_is_searched() -> None:
    space = proposed(usual(), RICH)
    text = str(space)
    assert text.splitlines()[0].split() == ["setting", "now"]
    line = next(line for line in text.splitlines() if "learning_rate" in line)
    assert line.split(None, 2) == ["network_4__learning_rate", "0.006", "0.0005 to 0.02 (log)"]
    narrow = space.changed(network_4__dropout=hr.Real(0, 0.2)).fixed(
        "clip_2", "encode_0__smoothing"
    )
    assert narrow["network_4__dropout"] == hr.Real(0, 0.2)
    assert not [name for name in narrow if name.startswith("clip_2")]
    assert space["network_4__dropout"] == hr.Real(0, 0.5)
    assert "<table" in space._repr_html_()
    assert str(space.fixed(*space)) == "nothing is tried"
    with pytest.raises(SettingError, match=r"no setting 'clip_3' .*Did you mean 'clip_2'\?"):
        space.fixed("clip_3")


def test_steps_that_are_not_given_are_chosen_from_the_data(table: pl.DataFrame) -> None:
    pipe = hr.Pipeline(target="rich", network=hr.Network(preset="fast"))
    space = hr.search_space(pipe, table)
    assert "dates_3__cyclic" in space
    assert pipe.steps is None
    assert spelt_out(pipe, table).named_steps().keys() >= {"encode_1", "network_5"}


@pytest.mark.parametrize(
    ("space", "text"),
    [
        ({"network_1__lerning_rate": hr.Real(0, 1)}, "Did you mean 'network_1__learning_rate'"),
        ({"imputer_0": hr.Choice([None])}, "Did you mean 'impute_0'"),
        ({"impute_0": hr.Choice(["mean"])}, "must be a Choice of steps.*received 'mean'"),
        ({"impute_0": hr.Real(0, 1)}, r"must be a Choice of steps.*received Real\(low=0"),
        ({"impute_0__strategy": ["mean"]}, "must be a Choice, an Integer or a Real"),
        ({}, "there is nothing to tune"),
    ],
)
def test_names_that_no_step_has_are_refused(space: Any, text: str) -> None:
    with pytest.raises(SettingError, match=text):
        check_names(space, pipeline(hr.clean.Impute(), hr.Network([8])))
