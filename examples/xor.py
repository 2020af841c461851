"""XOR, the smallest table that needs a hidden layer.

The first network is the classic one: two hidden units, 100 epochs, one row at a time. It often gets
stuck, which is worth seeing once. The second learns XOR.
"""

from __future__ import annotations

import polars as pl

import headrace as hr

TABLE = pl.DataFrame({"a": [0, 0, 1, 1], "b": [0, 1, 0, 1], "xor": [0, 1, 1, 0]})

CLASSIC = hr.Network(
    [2],
    activation="relu",
    loss="binary_crossentropy",
    optimizer="adam",
    epochs=100,
    batch_size=1,
    patience=None,
    embedding=None,
    dropout=0.0,
)

LEARNS = hr.Network(
    [8],
    activation="tanh",
    loss="binary_crossentropy",
    optimizer="adam",
    learning_rate=0.05,
    epochs=200,
    batch_size=4,
    patience=None,
    embedding=None,
    dropout=0.0,
)


def main() -> None:
    for name, network in (("classic", CLASSIC), ("learns", LEARNS)):
        pipe = hr.Pipeline([network], target="xor")
        training = pipe.train(TABLE)
        answers = pipe.predict(TABLE)
        accuracy = (answers == TABLE["xor"]).mean()
        print(f"{name}: loss {training.history['loss'][-1]:.4f}, accuracy {accuracy:.2f}")
        print(f"  answers {answers.to_list()}, wanted {TABLE['xor'].to_list()}")


if __name__ == "__main__":
    main()
