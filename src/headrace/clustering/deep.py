"""Deep clusters: an autoencoder learns a code, k-means finds clusters in it, both sharpen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from headrace.clustering.fitted import matrix_of, reach_of
from headrace.clustering.fitted_deep import FittedDeep, encoded
from headrace.clustering.kmeans import KMeans
from headrace.clustering.step import ClusterStep
from headrace.errors import SettingError
from headrace.preprocessing.selector import numbers
from headrace.preprocessing.space import Integer
from headrace.progress import bar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headrace.preprocessing.selector import ColumnChoice
    from headrace.progress import Bar

__all__ = ["DeepClusters"]

_STEPS, _LEAST_EPOCHS, _MOST_EPOCHS = 3_000, 3, 300


class DeepClusters(ClusterStep):
    """Find clusters in a code that a Keras autoencoder has learnt.

    The autoencoder learns to give rows back through a narrow code; k-means finds the first centres
    in it; then encoder and centres are trained together so that rows come nearer to their
    centres while they can still be given back. This is DEC (Xie, Girshick and Farhadi,
    "Unsupervised deep embedding for clustering analysis", 2016) with the reconstruction kept in
    the loss (IDEC: Guo, Gao, Liu and Yin, 2017), without which the code may collapse.

    The columns should be of one scale: put a `normalize` step before it.

    Args:
        n_clusters: How many clusters.
        layers: Units of the hidden layers of the encoder; the decoder mirrors them.
        code: Width of the code; None for as wide as there are clusters, 10 at the most.
        epochs: Epochs of the autoencoder; None for as many as make 3,000 steps.
        refine: Epochs in which code and centres sharpen; None for half as many as `epochs`, 0 for
            k-means on the code.
        weight: How much the clusters count in the loss of these, beside the reconstruction.
        batch_size: Rows of a step.
        learning_rate: Of the Adam optimiser.
        random_state: Seed of weights, order and centres; None for the pipeline's seed.
        columns: The columns in which clusters are looked for.

    Example:
        >>> random = np.random.default_rng(0)
        >>> rows = np.concatenate([random.normal(at, 1, (100, 4)) for at in (-3, 3)])
        >>> found = DeepClusters(2, layers=[8], epochs=30, batch_size=20, random_state=0).fit(rows)
        >>> sorted(np.bincount(found.labels_).tolist())
        [100, 100]
    """

    title: ClassVar[str] = "deep clusters"

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        layers: Sequence[int] = (256, 128),
        code: int | None = None,
        epochs: int | None = None,
        refine: int | None = None,
        weight: float = 1.0,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        random_state: int | None = None,
        columns: ColumnChoice = numbers(),
    ) -> None:
        self.n_clusters = n_clusters
        self.layers = layers
        self.code = code
        self.epochs = epochs
        self.refine = refine
        self.weight = weight
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.columns = columns

    def fit_matrix(self, matrix: NDArray[Any], *, seed: int | None = 0) -> FittedDeep:
        """Find the clusters of some rows.

        Args:
            matrix: (rows, columns) without gaps.
            seed: Of weights, order and centres, where `random_state` is None.

        Raises:
            DataError: If there are gaps, or fewer different rows than clusters.
            SettingError: A setting is out of its range.
        """
        rows = matrix_of(matrix)
        self._check_width(rows.shape[1])
        self._check_count("n_clusters", self.n_clusters, len(rows))
        self._check_distinct(self.n_clusters, rows)
        self._check_settings()
        chosen = seed if self.random_state is None else self.random_state
        chosen = int(np.random.default_rng().integers(2**31)) if chosen is None else chosen
        epochs = self.epochs or _epochs(len(rows), self.batch_size)
        refine = epochs // 2 if self.refine is None else self.refine
        with bar("deep clusters", epochs + refine) as progress:
            return self._fit(rows, epochs, refine, chosen, progress)

    def _fit(
        self, rows: NDArray[np.float64], epochs: int, refine: int, seed: int, progress: Bar
    ) -> FittedDeep:
        learner = _Learner(self, rows.shape[1], seed)
        history = {"reconstruction": learner.reconstruct(rows, epochs, progress)}
        kernels, biases = learner.encoder_weights()
        first = KMeans(self.n_clusters).fit_matrix(encoded(rows, kernels, biases), seed=seed)
        centres = first.centres
        if refine:
            history["together"], centres = learner.sharpen(rows, centres, refine, progress)
            kernels, biases = learner.encoder_weights()
        code = encoded(rows, kernels, biases)
        gaps = np.stack([np.sqrt(((code - centre) ** 2).sum(axis=1)) for centre in centres], axis=1)
        labels = gaps.argmin(axis=1)
        sizes = np.bincount(labels, minlength=self.n_clusters)
        means = np.stack(
            [
                rows[labels == c].mean(axis=0) if sizes[c] else rows.mean(axis=0)
                for c in range(len(sizes))
            ]
        )
        return FittedDeep(
            means,
            float(((rows - means[labels]) ** 2).sum()),
            sizes,
            epochs + refine,
            labels,
            reach=reach_of(labels, gaps[np.arange(len(rows)), labels], self.n_clusters),
            code_centres=centres,
            kernels=kernels,
            biases=biases,
            history=history,
        )

    def _check_settings(self) -> None:
        whole = {"epochs": 1, "refine": 0, "batch_size": 1}
        for name, least in whole.items():
            value: Any = getattr(self, name)
            if value is None and name != "batch_size":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise SettingError(
                    f"DeepClusters's {name} must be a whole number from {least}, received {value!r}"
                )
        widths = [*self.layers, *([] if self.code is None else [self.code])]
        if not all(isinstance(width, int) and width > 0 for width in widths):
            raise SettingError(
                f"DeepClusters's layers and code are widths from 1, received {self.layers!r} and "
                f"{self.code!r}"
            )
        for name in ("weight", "learning_rate"):
            if not getattr(self, name) > 0:
                raise SettingError(
                    f"DeepClusters's {name} must be above 0, received {getattr(self, name)!r}"
                )

    def search_space(self) -> Mapping[str, Any]:
        """Answer how many clusters there may be, and how wide their code."""
        return {"n_clusters": Integer(2, 32, log=True), "code": Integer(2, 32, log=True)}

    def in_use(self) -> Mapping[str, Any]:
        """Answer the values in use, the width of the code written out."""
        return {"n_clusters": self.n_clusters, "code": self.code or _width(self.n_clusters)}


def _epochs(rows: int, batch_size: int) -> int:
    """Answer epochs that make about so many steps, however few or many the rows are."""
    return min(_MOST_EPOCHS, max(_LEAST_EPOCHS, math.ceil(_STEPS * batch_size / rows)))


def _width(clusters: int) -> int:
    return max(2, min(10, clusters))


class _Learner:
    """An autoencoder in Keras, and its two trainings."""

    def __init__(self, settings: DeepClusters, columns: int, seed: int) -> None:
        import keras

        self.settings, self.seed = settings, seed
        code = settings.code or _width(settings.n_clusters)
        seeds = keras.random.SeedGenerator(seed)

        def dense(units: int, activation: str | None) -> Any:
            start = keras.initializers.GlorotUniform(seed=seeds)
            return keras.layers.Dense(units, activation, kernel_initializer=start)

        inner = [dense(units, "relu") for units in settings.layers]
        outer = [dense(units, "relu") for units in reversed(settings.layers)]
        self.encoder = keras.Sequential([keras.Input((columns,)), *inner, dense(code, None)])
        self.decoder = keras.Sequential([keras.Input((code,)), *outer, dense(columns, None)])

    def encoder_weights(
        self,
    ) -> tuple[tuple[NDArray[np.float64], ...], tuple[NDArray[np.float64], ...]]:
        """Answer kernels and biases of the encoder."""
        weights = [np.asarray(array, dtype=np.float64) for array in self.encoder.get_weights()]
        return tuple(weights[::2]), tuple(weights[1::2])

    def reconstruct(self, rows: NDArray[np.float64], epochs: int, progress: Bar) -> list[float]:
        """Train the autoencoder; answer its mean squared error by epoch."""
        import tensorflow as tf

        optimizer = self._optimizer()
        weights = [*self.encoder.trainable_variables, *self.decoder.trainable_variables]
        optimizer.build(weights)

        def step(batch: Any) -> Any:
            with tf.GradientTape() as tape:
                apart = self.decoder(self.encoder(batch, training=True), training=True) - batch
                loss = tf.reduce_mean(apart**2)
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            return loss

        compiled = tf.function(step, input_signature=[tf.TensorSpec((None, rows.shape[1]))])
        return self._epochs(rows, epochs, compiled, progress, "code")

    def sharpen(
        self, rows: NDArray[np.float64], centres: NDArray[np.float64], epochs: int, progress: Bar
    ) -> tuple[list[float], NDArray[np.float64]]:
        """Train code and centres together; answer the loss by epoch, and the centres."""
        import tensorflow as tf

        moving = tf.Variable(centres.astype(np.float32))
        optimizer = self._optimizer()
        network = [*self.encoder.trainable_variables, *self.decoder.trainable_variables]
        weights = [*network, moving]
        optimizer.build(weights)

        def step(batch: Any, wanted: Any) -> Any:
            with tf.GradientTape() as tape:
                code = self.encoder(batch, training=True)
                likely = _likely(code, moving)
                logs = tf.math.log(tf.maximum(wanted, 1e-12)) - tf.math.log(likely)
                apart = self.decoder(code, training=True) - batch
                clusters = tf.reduce_mean(tf.reduce_sum(wanted * logs, axis=1))
                loss = tf.reduce_mean(apart**2) + self.settings.weight * clusters
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            return loss

        shape = (tf.TensorSpec((None, rows.shape[1])), tf.TensorSpec((None, len(centres))))
        compiled = tf.function(step, input_signature=list(shape))
        losses = []
        for epoch in range(epochs):
            likely = _likely(self._code(rows), moving).numpy()
            # What is likely becomes likelier, and large clusters count no more than small ones.
            squared = likely**2 / np.maximum(likely.sum(axis=0), 1e-12)
            wanted = (squared / squared.sum(axis=1, keepdims=True)).astype(np.float32)
            losses += self._epochs(rows, 1, compiled, progress, "clusters", wanted, first=epoch)
        return losses, np.asarray(moving.numpy(), dtype=np.float64)

    def _epochs(  # noqa: PLR0917 - what one loop over batches is made of
        self,
        rows: NDArray[np.float64],
        epochs: int,
        step: Any,
        progress: Bar,
        note: str,
        beside: NDArray[np.float32] | None = None,
        first: int = 0,
    ) -> list[float]:
        import tensorflow as tf

        values, losses = rows.astype(np.float32), []
        size = self.settings.batch_size
        for epoch in range(first, first + epochs):
            order = np.random.default_rng((self.seed, epoch)).permutation(len(values))
            total = 0.0
            for start in range(0, len(order), size):
                places = order[start : start + size]
                given = [values[places]] + ([] if beside is None else [beside[places]])
                total += float(step(*map(tf.constant, given))) * len(places)
            losses.append(total / len(values))
            progress.advance(note=f"{note}: loss {losses[-1]:.4g}")
        return losses

    def _code(self, rows: NDArray[np.float64]) -> Any:
        kernels, biases = self.encoder_weights()
        return encoded(rows, kernels, biases).astype(np.float32)

    def _optimizer(self) -> Any:
        import keras

        return keras.optimizers.Adam(self.settings.learning_rate)


def _likely(code: Any, centres: Any) -> Any:
    """Answer how likely each row is of each cluster: Student's t around its centre."""
    import tensorflow as tf

    squares = tf.reduce_sum((tf.expand_dims(code, 1) - centres) ** 2, axis=2)
    weights = 1.0 / (1.0 + squares)
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)
