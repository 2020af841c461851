"""A table in many files, trained on and scored without being held, in a promised amount of memory.

The table is small here, so that the example is quick, and the promise is tight, so that it counts
as too large all the same; the same lines work on a hundred times as many rows.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

import headrace as hr

FILES, ROWS = 6, 200_000


def write_flights(folder: Path) -> None:
    """Write flights, some with gaps, file by file."""
    for part in range(FILES):
        random = np.random.default_rng(part)
        hour, wind = random.integers(0, 24, ROWS), random.gamma(2.0, 5.0, ROWS)
        carrier = random.integers(0, 8, ROWS)
        late = np.sin(hour / 4) + wind / 10 + (carrier == 3) + random.normal(0, 0.7, ROWS)
        flights = pl.DataFrame(
            {
                "hour": hour,
                "wind": np.where(random.random(ROWS) < 0.05, np.nan, wind),
                "carrier": [f"carrier {c}" for c in carrier],
                "distance": random.gamma(2.0, 400.0, ROWS),
                "seats": random.integers(50, 400, ROWS),
                "delayed": late > 1.5,
            }
        )
        flights.write_parquet(folder / f"flights-{part}.parquet", row_group_size=50_000)


def main() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_flights(folder)
        scan = pl.scan_parquet(folder / "flights-*.parquet")

        pipe = hr.Pipeline(
            target="delayed", memory="1.8GB", network=hr.Network([32], epochs=2, batch_size=4096)
        )
        result = pipe.train(scan, checkpoint=folder / "work")
        print(result)

        answers = pipe.predict(scan)  # lazy too: nothing is computed yet
        answers.sink_parquet(folder / "answers.parquet")
        print(pl.read_parquet(folder / "answers.parquet")["delayed"].value_counts(sort=True))

        print(pipe.evaluate(scan, most_rows=20_000, importance=False).summary())


if __name__ == "__main__":
    main()
