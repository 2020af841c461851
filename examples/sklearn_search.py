"""Who earns more than 50,000 dollars a year, with scikit-learn's own tools around the network.

    python examples/sklearn_search.py

The columns hold numbers, words and gaps, and go in as they are. Cross-validation says how good the
network is and how sure that is; a grid search compares settings of the estimator and its network.

Source of the table: Becker and Kohavi (1996), "Adult", UCI Machine Learning Repository, CC BY 4.0.
"""

from __future__ import annotations

import polars as pl
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score

import headrace as hr

ROWS = 2_000


def main() -> None:
    people = pl.read_csv(hr.samples.adult()).sample(ROWS, seed=0)
    features, income = people.drop("income"), people["income"]
    model = hr.Classifier([64], epochs=15, network=hr.Network(patience=3))
    folds = StratifiedKFold(3, shuffle=True, random_state=0)

    scores = cross_val_score(model, features, income, cv=folds, scoring="roc_auc")
    print(f"area under the curve in {len(scores)} folds: {scores.mean():.3f} ± {scores.std():.3f}")

    grid = {"hidden": [[16], [64]], "network__embedding": ["piecewise", None]}
    search = GridSearchCV(model, grid, cv=2, scoring="roc_auc").fit(features, income)
    found = search.cv_results_
    for settings, mean, spread in zip(
        found["params"], found["mean_test_score"], found["std_test_score"], strict=True
    ):
        print(f"{mean:.3f} ± {spread:.3f}  {settings}")
    print(f"best: {search.best_params_}")

    # The winner is a pipeline as any other: it can be evaluated, saved, deployed and maintained.
    print(search.best_estimator_.pipeline_)


if __name__ == "__main__":
    main()
