"""What a column's name tells about its values: words such as "id", "zip" and "date"."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["CLOCK_WORDS", "DATE_WORDS", "counts_rows", "is_code", "is_id", "name_words"]

DATE_WORDS: Final = frozenset({"date", "day", "dt", "ymd", "yyyymmdd"})
"""Words for dates that may be written in digits, 20240131."""

CLOCK_WORDS: Final = frozenset({"timestamp", "epoch", "unix", "unixtime", "ts"})
"""Words for numbers that may count from 1970."""

_ID_WORDS = frozenset({"id", "ids", "uuid", "guid", "uid", "oid", "pk", "rowid"})
_CODE_WORDS = frozenset(
    ("zip", "zipcode", "postcode", "postal", "plz", "code", "codes", "sku", "isbn", "ean", "fips")
)
_ROW_NAMES = frozenset(
    ("", "0", "index", "unnamed 0", "row", "rows", "rownames", "row names", "rownum", "no", "nr")
)


def name_words(name: str) -> list[str]:
    """Split a name into lower-case words, at marks, at underscores and at inner capitals.

    Example:
        >>> name_words("PassengerId"), name_words("user_id"), name_words("Unnamed: 0")
        (['passenger', 'id'], ['user', 'id'], ['unnamed', '0'])
    """
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [word.lower() for word in re.split(r"[\W_]+", spaced) if word]


def is_id(name: str) -> bool:
    """Answer whether a name holds a word such as "id".

    Example:
        >>> is_id("customerID"), is_id("paid")
        (True, False)
    """
    return not _ID_WORDS.isdisjoint(name_words(name))


def is_code(name: str) -> bool:
    """Answer whether a name holds a word such as "zip".

    Example:
        >>> is_code("zip_code"), is_code("zipper")
        (True, False)
    """
    return not _CODE_WORDS.isdisjoint(name_words(name))


def counts_rows(name: str) -> bool:
    """Answer whether a name is one that tools give to row numbers.

    Example:
        >>> counts_rows("Unnamed: 0"), counts_rows("price index")
        (True, False)
    """
    return " ".join(name_words(name)) in _ROW_NAMES
