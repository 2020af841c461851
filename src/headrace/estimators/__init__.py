"""Estimators in scikit-learn's manner around a pipeline: `fit(X, y)`, `predict(X)`."""
