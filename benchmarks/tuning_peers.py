"""The searches that `tuning.py` runs beside headrace: KerasTuner's Hyperband, Optuna with Keras.

    python benchmarks/tuning_peers.py hyperband|optuna FOLDER TASK TARGET SECONDS SEED

Both search the same space of multi-layer perceptrons on the same prepared columns (medians in the
place of gaps, standardised numbers, one flag for each word), with a fifth of the training rows to
stop and to choose by, and answer with the best network that they had when the time was up. It
needs no headrace. The clock starts when all is imported and read.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCHS = 60
PATIENCE = 8
FACTOR = 3


class Rows:
    """The rows, prepared as a network reads them."""

    def __init__(self, folder: Path, task: str, target: str, seed: int) -> None:
        self.task = task
        train, test = (pd.read_csv(folder / f"{name}.csv") for name in ("train", "test"))
        truth = train[target]
        self.scale = (0.0, 1.0)
        if task == "regression":
            self.scale = (float(truth.mean()), float(truth.std()))
            truth = (truth - self.scale[0]) / self.scale[1]
        else:
            truth = (truth == sorted(truth.unique())[1]).astype("float32")
        stratify = truth if task == "binary" else None
        learn, held, y, y_held = train_test_split(
            train.drop(columns=target), truth, test_size=0.2, random_state=seed, stratify=stratify
        )
        numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
        words = make_pipeline(
            SimpleImputer(strategy="constant", fill_value="missing"),
            OneHotEncoder(handle_unknown="ignore", sparse_output=False, min_frequency=5),
        )
        prepare = make_column_transformer(
            (numbers, make_column_selector(dtype_include="number")),
            (words, make_column_selector(dtype_exclude="number")),
        )
        self.learn = (prepare.fit_transform(learn).astype("float32"), y.to_numpy("float32"))
        self.held = (prepare.transform(held).astype("float32"), y_held.to_numpy("float32"))
        self.test = prepare.transform(test.drop(columns=target)).astype("float32")

    def model(self, *, layers: int, width: int, dropout: float, rate: float) -> keras.Model:
        """Build and compile a network."""
        parts: list[Any] = [keras.Input((self.learn[0].shape[1],))]
        for _ in range(layers):
            parts += [keras.layers.Dense(width, activation="relu"), keras.layers.Dropout(dropout)]
        binary = self.task == "binary"
        parts.append(keras.layers.Dense(1, activation="sigmoid" if binary else None))
        model = keras.Sequential(parts)
        model.compile(keras.optimizers.AdamW(rate), "binary_crossentropy" if binary else "mse")
        return model

    def fit(
        self, model: keras.Model, *, batch: int, callbacks: list[Any]
    ) -> keras.callbacks.History:
        """Train a network until it no longer gets better."""
        return model.fit(
            *self.learn,
            validation_data=self.held,
            epochs=EPOCHS,
            batch_size=batch,
            verbose=0,
            callbacks=[*callbacks, keras.callbacks.EarlyStopping(patience=PATIENCE)],
        )


class Best(keras.callbacks.Callback):
    """Keeps what the best network of all says of the test rows, and stops when time is up."""

    def __init__(self, rows: Rows, until: float) -> None:
        super().__init__()
        self.rows, self.until, self.loss, self.weights = rows, until, np.inf, None
        self.config: Any = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Compare with the best one so far, and look at the clock."""
        del epoch
        loss = (logs or {})["val_loss"]
        if loss < self.loss:
            self.loss, self.weights = loss, self.model.get_weights()
            self.config = self.model.get_config()
        if time.monotonic() > self.until:
            self.model.stop_training = True

    def answer(self) -> np.ndarray:
        """Answer what the best network says of the test rows."""
        model = keras.Sequential.from_config(self.config)
        model.set_weights(self.weights)
        mean, scale = self.rows.scale
        return model.predict(self.rows.test, verbose=0, batch_size=1024)[:, 0] * scale + mean


def hyperband(rows: Rows, best: Best, seed: int) -> int:
    """Search with KerasTuner's Hyperband until the time is up."""
    import keras_tuner

    class Searched(keras_tuner.HyperModel):
        def build(self, hp: Any) -> keras.Model:
            return rows.model(
                layers=hp.Int("layers", 1, 4),
                width=hp.Int("width", 32, 512),
                dropout=hp.Float("dropout", 0.0, 0.5),
                rate=hp.Float("rate", 1e-4, 2e-2, sampling="log"),
            )

        def fit(self, hp: Any, model: keras.Model, *args: Any, **settings: Any) -> Any:
            batch = hp.Choice("batch", [128, 256, 512])
            return model.fit(*args, batch_size=batch, **settings)

    class UntilTimeIsUp(keras_tuner.Hyperband):
        tried = 0

        def run_trial(self, trial: Any, *args: Any, **settings: Any) -> Any:
            if time.monotonic() > best.until:
                raise keras_tuner.errors.FatalError("time is up")
            self.tried += 1
            return super().run_trial(trial, *args, **settings)

    with tempfile.TemporaryDirectory() as folder:
        tuner = UntilTimeIsUp(
            Searched(),
            objective="val_loss",
            max_epochs=EPOCHS,
            factor=FACTOR,
            hyperband_iterations=100,
            seed=seed,
            directory=folder,
            overwrite=True,
        )
        try:
            # A copy of the callback for each trial would forget the best: it is told by reference.
            best.__class__.__deepcopy__ = lambda self, _: self
            tuner.search(
                *rows.learn,
                validation_data=rows.held,
                verbose=0,
                callbacks=[best, keras.callbacks.EarlyStopping(patience=PATIENCE)],
            )
        except keras_tuner.errors.FatalError:
            pass
        return tuner.tried


def optuna_and_keras(rows: Rows, best: Best, seed: int) -> int:
    """Search with Optuna's defaults (TPE, median pruning) until the time is up."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    class Pruning(keras.callbacks.Callback):
        def __init__(self, trial: Any) -> None:
            super().__init__()
            self.trial = trial

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            self.trial.report((logs or {})["val_loss"], epoch)
            if self.trial.should_prune():
                raise optuna.TrialPruned

    def objective(trial: Any) -> float:
        model = rows.model(
            layers=trial.suggest_int("layers", 1, 4),
            width=trial.suggest_int("width", 32, 512),
            dropout=trial.suggest_float("dropout", 0.0, 0.5),
            rate=trial.suggest_float("rate", 1e-4, 2e-2, log=True),
        )
        batch = trial.suggest_categorical("batch", [128, 256, 512])
        history = rows.fit(model, batch=batch, callbacks=[best, Pruning(trial)])
        return float(min(history.history["val_loss"]))

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, timeout=max(best.until - time.monotonic(), 1.0))
    return len(study.trials)


WAYS: dict[str, Callable[[Rows, Best, int], int]] = {
    "hyperband": hyperband,
    "optuna": optuna_and_keras,
}


def main() -> None:
    way, folder, task, target, seconds, seed = sys.argv[1:]
    keras.utils.set_random_seed(int(seed))
    if way == "hyperband":
        import keras_tuner  # noqa: F401 - imports are no part of the time
    began = time.monotonic()
    rows = Rows(Path(folder), task, target, int(seed))
    best = Best(rows, began + float(seconds))
    tried = WAYS[way](rows, best, int(seed))
    np.save(Path(folder) / f"{way}.npy", best.answer())
    print(f"{tried} {time.monotonic() - began:.1f}")


if __name__ == "__main__":
    main()
