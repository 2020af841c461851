"""Recipes, and how architectures come by them."""

from __future__ import annotations

from headrace.model.architectures import Architecture, architecture, register
from headrace.model.recipe import Recipe
from headrace.model.target import TargetSpec

PRICE = TargetSpec("price", "regression")
KIND = TargetSpec("kind", "multiclass", classes=("a", "b", "c"))


def test_architectures_are_trained_as_tabm_unless_they_say_otherwise() -> None:
    for name in ("linear", "mlp", "tabm"):
        assert architecture(name).recipe_for(PRICE) == Recipe()
    assert Architecture("own", lambda features, target: None).recipe_for(KIND) == Recipe()


def test_a_recipe_may_depend_on_the_target() -> None:
    def build(features: object, target: object) -> None: ...

    def recipe(target: TargetSpec) -> Recipe:
        return Recipe(learning_rate=0.5 if target.task == "regression" else 0.1)

    assert register("of_target", build, recipe=recipe).recipe_for(PRICE).learning_rate == 0.5
    assert register("of_target", build, recipe=recipe).recipe_for(KIND).learning_rate == 0.1
    fixed = register("of_target", build, recipe=Recipe(epochs=7))
    assert fixed.recipe_for(KIND).epochs == 7


def test_realmlp_has_the_rates_of_its_paper() -> None:
    regression, classes = (architecture("realmlp").recipe_for(spec) for spec in (PRICE, KIND))
    assert (regression.learning_rate, classes.learning_rate) == (0.2, 0.04)
    assert (regression.label_smoothing, classes.label_smoothing) == (0.0, 0.1)
    assert classes.patience is not None
    assert classes.patience > 8 / 15 * classes.epochs  # longer than the last cycle


def test_many_steps_an_epoch_make_fewer_epochs() -> None:
    recipe = Recipe(epochs=100, epochs_without_validation=30, most_steps=1_000)
    assert recipe.epochs_for(5, validated=True) == 100
    assert recipe.epochs_for(5, validated=False) == 30
    assert recipe.epochs_for(100, validated=True) == 10
    assert recipe.epochs_for(5_000, validated=True) == 1
    assert Recipe(epochs=9).epochs_for(10**6, validated=True) == 9
