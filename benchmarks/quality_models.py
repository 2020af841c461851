"""The models of `quality.py`: each learns from the same rows and stops by the same rows.

A model is a function `(parts, seed, limit, threads) -> scores of the test rows`: the probability
of the second class, probabilities (rows, classes), or values. `limit` is the seconds that it may
take. The boosted trees have their own defaults, up to 2,000 trees (CatBoost 1,000, from which it
takes its learning rate) and stop 50 trees after the best one.
"""

from __future__ import annotations

import copy
import inspect
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from quality_tables import Parts

TREES, PATIENCE = 2_000, 50
MLP_PATIENCE, MLP_EPOCHS = 16, 200
MOST_ONE_HOT = 64


def headrace(preset: str) -> Callable[..., np.ndarray]:
    """Answer the pipeline of defaults with one of the presets."""

    def fit(parts: Parts, seed: int, limit: float, threads: int) -> np.ndarray:
        del threads
        import keras

        import headrace as hr
        from headrace.data.infer import infer_schema
        from headrace.preprocessing.defaults import default_steps

        known = inspect.signature(hr.Network.__init__).parameters
        if "preset" in known:
            network = hr.Network(preset=preset, time=limit)
        elif preset == "balanced":
            network = hr.Network(callbacks=[stop_after(keras, limit)])
        else:
            raise ModuleNotFoundError(f"this version has no preset {preset!r}")
        schema = infer_schema(parts.train.lazy(), exclude=(parts.table.target,))
        steps = default_steps(schema)
        pipe = hr.Pipeline([*steps, network], target=parts.table.target, seed=seed)
        pipe.train(parts.train, parts.valid)
        if parts.table.task == "regression":
            return pipe.predict(parts.test).to_numpy()
        scores = pipe.predict_proba(parts.test)
        return scores[:, 1] if parts.table.task == "binary" else scores

    return fit


def lightgbm(parts: Parts, seed: int, limit: float, threads: int) -> np.ndarray:
    import lightgbm as package

    rows = Plain(parts)
    ends = time.perf_counter() + limit

    def stop(state: Any) -> None:
        if time.perf_counter() > ends:
            raise package.callback.EarlyStopException(state.iteration, state.evaluation_result_list)

    kind = package.LGBMRegressor if rows.values else package.LGBMClassifier
    model = kind(n_estimators=TREES, random_state=seed, n_jobs=threads, verbose=-1)
    stops = [package.early_stopping(PATIENCE, verbose=False), stop]
    model.fit(rows.train, rows.y, eval_set=[(rows.valid, rows.y_valid)], callbacks=stops)
    return rows.scores(model)


def xgboost(parts: Parts, seed: int, limit: float, threads: int) -> np.ndarray:
    import xgboost as package

    rows = Plain(parts)
    ends = time.perf_counter() + limit

    class Stop(package.callback.TrainingCallback):  # type: ignore[misc]
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            del model, epoch, evals_log
            return time.perf_counter() > ends

    kind = package.XGBRegressor if rows.values else package.XGBClassifier
    model = kind(
        n_estimators=TREES,
        early_stopping_rounds=PATIENCE,
        enable_categorical=True,
        random_state=seed,
        n_jobs=threads,
        callbacks=[Stop()],
    )
    model.fit(rows.train, rows.y, eval_set=[(rows.valid, rows.y_valid)], verbose=False)
    return rows.scores(model)


def catboost(parts: Parts, seed: int, limit: float, threads: int) -> np.ndarray:
    import catboost as package

    rows = Plain(parts)
    ends = time.perf_counter() + limit

    class Stop:
        def after_iteration(self, info: Any) -> bool:
            del info
            return time.perf_counter() < ends

    kind = package.CatBoostRegressor if rows.values else package.CatBoostClassifier
    model = kind(
        random_seed=seed,
        thread_count=threads,
        early_stopping_rounds=PATIENCE,
        cat_features=rows.categories,
        allow_writing_files=False,
        verbose=False,
    )
    words = [rows.words(frame) for frame in (rows.train, rows.valid, rows.test)]
    rows.train, rows.valid, rows.test = words
    model.fit(words[0], rows.y, eval_set=(words[1], rows.y_valid), callbacks=[Stop()])
    return rows.scores(model)


def hist_gradient_boosting(parts: Parts, seed: int, limit: float, threads: int) -> np.ndarray:
    """Scikit-learn's; it knows 255 levels a column, so the rarest ones become one.

    It has no way to stop at a time, so trees are added 25 at a time until the limit.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    rows = Plain(parts, most_levels=254)
    ends = time.perf_counter() + limit
    kind = HistGradientBoostingRegressor if rows.values else HistGradientBoostingClassifier
    model = kind(early_stopping=False, max_iter=25, warm_start=True, random_state=seed)
    best, least, waited = None, np.inf, 0
    with threadpool_limits(threads):
        while model.max_iter <= TREES and waited < PATIENCE and time.perf_counter() < ends:
            model.fit(rows.train, rows.y)
            loss = rows.loss(rows.scores(model, rows.valid))
            waited = 0 if loss < least else waited + 25
            if loss < least:
                least, best = loss, rows.scores(model)
            model.max_iter += 25
    if best is None:
        raise TimeoutError("no tree within the limit")
    return best


def sklearn_mlp(parts: Parts, seed: int, limit: float, threads: int) -> np.ndarray:
    """Scikit-learn's MLP with its defaults, standardised and one-hot; the best epoch is kept."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from threadpoolctl import threadpool_limits

    rows = Plain(parts)
    train, valid, test = rows.matrices(most_one_hot=MOST_ONE_HOT)
    ends = time.perf_counter() + limit
    model = (MLPRegressor if rows.values else MLPClassifier)(random_state=seed)
    shift, scale = (rows.y.mean(), rows.y.std()) if rows.values else (0.0, 1.0)
    target = (rows.y - shift) / scale if rows.values else rows.y
    classes = {} if rows.values else {"classes": np.unique(rows.y)}
    best, least, waited = None, np.inf, 0
    with threadpool_limits(threads):
        for _ in range(MLP_EPOCHS):
            model.partial_fit(train, target, **classes)
            loss = rows.loss(rows.scores(model, valid) * scale + shift)
            waited = 0 if loss < least else waited + 1
            if loss < least:
                least, best = loss, copy.deepcopy(model)
            if waited >= MLP_PATIENCE or time.perf_counter() > ends:
                break
    return rows.scores(best, test) * scale + shift


def keras_mlp(parts: Parts, seed: int, limit: float, threads: int) -> np.ndarray:
    """A plain Keras MLP, 3 x 256: standardised, one-hot, embeddings of 16 above 64 levels."""
    del threads
    import keras

    keras.utils.set_random_seed(seed)
    rows = Plain(parts)
    blocks = rows.matrices(most_one_hot=MOST_ONE_HOT)
    codes = rows.codes(more_than=MOST_ONE_HOT)
    inputs = [keras.Input((blocks[0].shape[1],))]
    parts_in = [inputs[0]]
    for _, size in codes:
        inputs.append(keras.Input((1,), dtype="int32"))
        vector = keras.layers.Embedding(size, 16)(inputs[-1])
        parts_in.append(keras.layers.Flatten()(vector))
    block = keras.layers.Concatenate()(parts_in) if codes else parts_in[0]
    for _ in range(3):
        block = keras.layers.Dense(256, activation="relu")(block)
    outputs = len(parts.classes) if parts.table.task == "multiclass" else 1
    last = {"regression": None, "binary": "sigmoid", "multiclass": "softmax"}[parts.table.task]
    model = keras.Model(inputs, keras.layers.Dense(outputs, activation=last)(block))
    losses = {"regression": "mse", "binary": "binary_crossentropy"}
    model.compile("adam", losses.get(parts.table.task, "sparse_categorical_crossentropy"))
    shift, scale = (rows.y.mean(), rows.y.std()) if rows.values else (0.0, 1.0)
    x = [[block, *(code[place] for code, _ in codes)] for place, block in enumerate(blocks)]
    y, y_valid = ((part - shift) / scale for part in (rows.y, rows.y_valid))
    model.fit(
        x[0],
        y,
        validation_data=(x[1], y_valid),
        batch_size=256,
        epochs=MLP_EPOCHS,
        callbacks=[
            keras.callbacks.EarlyStopping(patience=MLP_PATIENCE, restore_best_weights=True),
            stop_after(keras, limit),
        ],
        verbose=0,
    )
    scores = model.predict(x[2], batch_size=4096, verbose=0)
    return scores if outputs > 1 else scores[:, 0] * scale + shift


MODELS: dict[str, Callable[..., np.ndarray]] = {
    "headrace fast": headrace("fast"),
    "headrace balanced": headrace("balanced"),
    "headrace best": headrace("best"),
    "LightGBM": lightgbm,
    "XGBoost": xgboost,
    "CatBoost": catboost,
    "HistGradientBoosting": hist_gradient_boosting,
    "scikit-learn MLP": sklearn_mlp,
    "Keras MLP": keras_mlp,
}


def stop_after(keras: Any, limit: float) -> Any:
    """Answer a Keras callback that ends the training at the limit."""
    ends = time.perf_counter() + limit

    def check(epoch: int, logs: Any) -> None:
        del epoch, logs
        if time.perf_counter() > ends:
            stop.model.stop_training = True

    stop = keras.callbacks.LambdaCallback(on_epoch_end=check)
    return stop


class Plain:
    """The rows as the peers read them: pandas, text as categories, dates as their parts.

    A level that the training rows lack is missing. Gaps in numbers stay where a model knows them.
    """

    def __init__(self, parts: Parts, most_levels: int | None = None) -> None:
        """Turn all three parts into frames."""
        target = parts.table.target
        frames = [_dates(part.drop(target)) for part in (parts.train, parts.valid, parts.test)]
        self.values = parts.table.task == "regression"
        self.categories = [n for n, kind in frames[0].schema.items() if kind == pl.String]
        levels = {name: _levels(frames[0][name], most_levels) for name in self.categories}
        self.train, self.valid, self.test = (_pandas(frame, levels) for frame in frames)
        self.y, self.y_valid = parts.truth(parts.train), parts.truth(parts.valid)

    def scores(self, model: Any, rows: Any = None) -> np.ndarray:
        """Answer what a fitted model says of the test rows, or of others."""
        rows = self.test if rows is None else rows
        if self.values:
            return np.asarray(model.predict(rows))
        scores = np.asarray(model.predict_proba(rows))
        return scores[:, 1] if scores.shape[1] == 2 else scores

    def loss(self, scores: np.ndarray) -> float:
        """Answer the loss of the rows to stop by."""
        if self.values:
            return float(np.mean((scores - self.y_valid) ** 2))
        right = np.where(self.y_valid == 1, scores, 1 - scores) if scores.ndim == 1 else None
        if right is None:
            right = scores[np.arange(len(scores)), self.y_valid]
        return float(-np.log(np.clip(right, 1e-12, 1)).mean())

    def words(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Answer the categories as words, gaps as a word of their own."""
        made = {n: frame[n].astype(object).fillna("missing") for n in self.categories}
        return frame.assign(**made)

    def matrices(self, *, most_one_hot: int) -> list[np.ndarray]:
        """Answer standardised numbers, flags of their gaps, and zeros and ones of categories."""
        from sklearn.compose import make_column_transformer
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

        numbers = [name for name in self.train.columns if name not in self.categories]
        few = [n for n in self.categories if self.train[n].cat.categories.size <= most_one_hot]
        fill = SimpleImputer(strategy="median", add_indicator=True)
        many = OneHotEncoder(handle_unknown="infrequent_if_exist", sparse_output=False)
        columns = make_column_transformer(
            (make_pipeline(fill, StandardScaler()), numbers), (many, few)
        )
        blocks = [columns.fit_transform(self.train)]
        blocks += [columns.transform(frame) for frame in (self.valid, self.test)]
        return [np.asarray(block, dtype=np.float32) for block in blocks]

    def codes(self, *, more_than: int) -> list[tuple[list[np.ndarray], int]]:
        """Answer for each large category its codes in the three parts and their number."""
        large = [n for n in self.categories if self.train[n].cat.categories.size > more_than]
        frames = (self.train, self.valid, self.test)
        return [
            ([f[n].cat.codes.to_numpy() + 1 for f in frames], self.train[n].cat.categories.size + 1)
            for n in large
        ]


def _dates(frame: pl.DataFrame) -> pl.DataFrame:
    """Take dates apart into month, day, weekday, hour and minute."""
    for name in ("date_time", "time_hour"):
        if name in frame.columns:
            moment = pl.col(name).str.replace("T", " ").str.replace("Z", "").str.slice(0, 16)
            moment = moment.str.to_datetime("%Y-%m-%d %H:%M")
            parts = ("month", "day", "weekday", "hour", "minute")
            made = [getattr(moment.dt, part)().alias(f"{name}_{part}") for part in parts]
            frame = frame.with_columns(made).drop(name)
    return frame


def _levels(values: pl.Series, most: int | None) -> list[str]:
    counts = values.drop_nulls().value_counts(sort=True)
    return counts[values.name].head(most or counts.height).sort().to_list()


def _pandas(frame: pl.DataFrame, levels: dict[str, list[str]]) -> pd.DataFrame:
    import pandas as pd

    result = frame.to_pandas()
    for name, known in levels.items():
        result[name] = pd.Categorical(result[name], categories=known)
    return result
