"""The real sample table that comes with headrace, for the demo, the README and first steps.

The file is kept once: in a checkout under `data/`, in an installed package beside this module.
"""

from __future__ import annotations

from pathlib import Path

from headrace.errors import HeadraceError

__all__ = ["adult"]


def adult() -> Path:
    """Answer where the Adult table is: 48,842 people, 14 columns and their `income` class.

    Source: Becker and Kohavi (1996), "Adult", UCI Machine Learning Repository, CC BY 4.0.

    Returns:
        The path of a gzipped CSV file with a header row.

    Raises:
        HeadraceError: The file is not there; the installation is broken.

    Example:
        >>> adult().name
        'adult.csv.gz'
    """
    return _find("adult.csv.gz")


def _find(name: str) -> Path:
    here = Path(__file__).parent
    places = (here / name, here.parents[2] / "data" / name)
    for place in places:
        if place.is_file():
            return place
    looked = " and ".join(str(place) for place in places)
    raise HeadraceError(
        f"the sample table {name!r} is missing: looked at {looked}; install headrace again"
    )
