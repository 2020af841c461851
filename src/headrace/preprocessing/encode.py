"""Words to codes, to flags, and to how often they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError
from headrace.plan.category import Hash as HashOperation
from headrace.plan.category import Lookup, Map
from headrace.plan.category import OneHot as OneHotOperation
from headrace.plan.counts import Counts, ValueCounts
from headrace.plan.plan import ColumnInfo, Node
from headrace.preprocessing.selector import categories
from headrace.preprocessing.space import Integer
from headrace.preprocessing.transformer import Transformer
from headrace.preprocessing.wording import counted, paired

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headrace.plan.plan import Columns
    from headrace.plan.statistic import BlockStatistic, Statistic
    from headrace.preprocessing.selector import ColumnChoice
    from headrace.preprocessing.step import Step

__all__ = ["Encode", "Frequency", "Hash", "OneHot"]

_KNOWN = 3
"""The first code of a known word: 0 is missing, 1 unseen at training, 2 rare."""


class Encode(Transformer):
    """Turn each word into a code, for an embedding of the network.

    Code 0 is a missing word, 1 a word that training never saw, 2 a rare one, and from 3 on come
    the known words, the most frequent first (ties in alphabetical order). Of a column with more
    than 100,000 different words the rarest of them count as never seen.

    Args:
        min_count: A word that comes in fewer training rows is rare.
        max_values: Only so many words get a code of their own; the others are rare. None for all.
        columns: The columns to encode.

    Example:
        >>> import polars as pl
        >>> from headrace.plan.plan import ColumnInfo
        >>> from headrace.preprocessing.fit import fit_steps
        >>> columns = {"job": ColumnInfo("job", "string", "category")}
        >>> frame = pl.DataFrame({"job": ["nurse", "baker", "nurse", "spy", "baker", ""]})
        >>> fitted = fit_steps(frame, columns, [Encode(min_count=2)])
        >>> fitted.rows["job"].to_list(), fitted.learnt[0][1]
        ([4, 3, 4, 2, 3, 0], 'job: 2 values and 1 rare')
    """

    home = "transform"

    def __init__(
        self,
        *,
        min_count: int = 5,
        max_values: int | None = 10_000,
        columns: ColumnChoice = categories(),
    ) -> None:
        self.min_count = min_count
        self.max_values = max_values
        self.columns = columns

    def statistics(self, columns: Sequence[ColumnInfo]) -> Sequence[Statistic | BlockStatistic]:
        """Answer the counts of the words.

        Raises:
            SettingError: If a limit leaves no word.
        """
        del columns
        for name, value in (("min_count", self.min_count), ("max_values", self.max_values)):
            if value is not None and value < 1:
                raise SettingError(f"Encode's {name} must be at least 1, received {value!r}")
        return (ValueCounts(),)

    def nodes(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> list[Node]:
        """Answer the table of codes."""
        codes = tuple(tuple(self._codes(counts).tolist()) for counts in learnt[0])
        table = Lookup(tuple(counts.values for counts in learnt[0]), codes)
        return [Node.of(table, [info.name for info in columns])]

    def _codes(self, counts: Counts) -> NDArray[np.int32]:
        places = np.arange(len(counts.values), dtype=np.int32)
        return np.where(places < self._known(counts), places + np.int32(_KNOWN), np.int32(2))

    def _known(self, counts: Counts) -> int:
        frequent = int((counts.counts >= self.min_count).sum())
        return frequent if self.max_values is None else min(frequent, self.max_values)

    def after(self, columns: Columns, chosen: Sequence[str]) -> Columns:
        """Answer the columns with codes in the place of words."""
        return _codes(columns, chosen)

    def describe(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> str:
        """Name how many words have a code in each column, and how many are rare."""
        sizes = []
        for counts in learnt[0]:
            known = self._known(counts)
            rare = len(counts.values) - known
            sizes.append(counted(known, "value") + (f" and {rare:,} rare" if rare else ""))
        return paired((info.name for info in columns), sizes)

    def search_space(self) -> Mapping[str, Any]:
        """Answer how often a word must come."""
        return {"min_count": Integer(1, 100, log=True)}

    def alternatives(self) -> Sequence[Step | tuple[Step, ...] | None]:
        """Answer flags, and codes with the target's mean of each word beside them."""
        from headrace.preprocessing.target_mean import TargetMean

        means = TargetMean(keep=True, columns=self.columns)
        return (OneHot(columns=self.columns), (means, self.copy()))


class OneHot(Transformer):
    """Turn each word into flags: a column `<name>=<word>` for each known word, 0 or 1.

    The flags of a missing, an unseen and a rare word are all 0, but `<name>=(rare)` is 1 for rare
    ones where there were any.

    Args:
        min_count: A word that comes in fewer training rows is rare.
        max_values: The so many most frequent words get a flag.
        columns: The columns to encode.

    Example:
        >>> import polars as pl
        >>> from headrace.plan.plan import ColumnInfo
        >>> from headrace.preprocessing.fit import fit_steps
        >>> columns = {"job": ColumnInfo("job", "string", "category")}
        >>> frame = pl.DataFrame({"job": ["nurse", "baker", "nurse"]})
        >>> fitted = fit_steps(frame, columns, [OneHot()])
        >>> fitted.plan.polars(frame.lazy()).collect().row(1, named=True)
        {'job=baker': 1.0, 'job=nurse': 0.0}
    """

    home = "transform"

    def __init__(
        self,
        *,
        min_count: int = 1,
        max_values: int = 100,
        columns: ColumnChoice = categories(),
    ) -> None:
        self.min_count = min_count
        self.max_values = max_values
        self.columns = columns

    def statistics(self, columns: Sequence[ColumnInfo]) -> Sequence[Statistic | BlockStatistic]:
        """Answer the counts of the words."""
        return self._encode().statistics(columns)

    def _encode(self) -> Encode:
        return Encode(min_count=self.min_count, max_values=self.max_values)

    def nodes(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> list[Node]:
        """Answer the table of codes, then the flags of the codes."""
        names = [info.name for info in columns]
        labels, codes = zip(*map(self._flags, learnt[0]), strict=True)
        flags = OneHotOperation(labels, codes)
        return [
            *self._encode().nodes(columns, learnt),
            Node.of(flags, names, kind="boolean"),
        ]

    def _flags(self, counts: Counts) -> tuple[tuple[str, ...], tuple[int, ...]]:
        known = self._encode()._known(counts)  # noqa: SLF001 - its sibling
        labels = [(word, _KNOWN + place) for place, word in enumerate(counts.values[:known])]
        if known < len(counts.values):
            labels.append(("(rare)", 2))
        labels.sort()
        return tuple(label for label, _ in labels), tuple(code for _, code in labels)

    def after(self, columns: Columns, chosen: Sequence[str]) -> Columns | None:
        """Answer None: the words decide the names."""
        return None if chosen else columns

    def describe(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> str:
        """Name how many flags each column became."""
        flags = [counted(len(self._flags(counts)[0]), "flag") for counts in learnt[0]]
        return paired((info.name for info in columns), flags)

    def search_space(self) -> Mapping[str, Any]:
        """Answer how often a word must come."""
        return {"min_count": Integer(1, 100, log=True)}

    def alternatives(self) -> Sequence[Step | tuple[Step, ...] | None]:
        """Answer codes for an embedding."""
        return (Encode(columns=self.columns),)


class Hash(Transformer):
    """Turn each word into one of a few codes by its hash, without learning any word.

    For columns with more values than one wants to keep, and for values that are always new. Words
    that fall into the same bucket cannot be told apart (Weinberger and others, 2009).

    Args:
        buckets: How many codes there are, besides that of missing.
        columns: The columns to encode.

    Example:
        >>> import polars as pl
        >>> from headrace.plan.plan import ColumnInfo
        >>> from headrace.preprocessing.fit import fit_steps
        >>> columns = {"job": ColumnInfo("job", "string", "category")}
        >>> frame = pl.DataFrame({"job": ["nurse", "", "baker"]})
        >>> fit_steps(frame, columns, [Hash(100)]).rows["job"].to_list()
        [84, 0, 85]
    """

    home = "transform"

    def __init__(self, buckets: int = 1024, *, columns: ColumnChoice = categories()) -> None:
        self.buckets = buckets
        self.columns = columns

    def nodes(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> list[Node]:
        """Answer the hash."""
        del learnt
        names = [info.name for info in columns]
        return [Node.of(HashOperation(np.full(len(names), self.buckets)), names)]

    def after(self, columns: Columns, chosen: Sequence[str]) -> Columns:
        """Answer the columns with codes in the place of words."""
        return _codes(columns, chosen)

    def describe(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> str:
        """Name the columns."""
        del learnt
        return paired((i.name for i in columns), [f"{self.buckets:,} buckets"] * len(columns))

    def search_space(self) -> Mapping[str, Any]:
        """Answer how many buckets there may be."""
        return {"buckets": Integer(16, 4096, log=True)}


class Frequency(Transformer):
    """Turn each word into its share of the training rows: a number `<name>_frequency`.

    A word that training never saw has the share 0; missing has the share of the missing.

    Args:
        keep: Whether the words stay for another step too.
        columns: The columns to encode.

    Example:
        >>> import polars as pl
        >>> from headrace.plan.plan import ColumnInfo
        >>> from headrace.preprocessing.fit import fit_steps
        >>> columns = {"job": ColumnInfo("job", "string", "category")}
        >>> frame = pl.DataFrame({"job": ["nurse", "baker", "nurse", ""]})
        >>> fit_steps(frame, columns, [Frequency()]).rows["job_frequency"].to_list()
        [0.5, 0.25, 0.5, 0.25]
    """

    home = "transform"
    learns = (ValueCounts(),)

    def __init__(self, *, keep: bool = False, columns: ColumnChoice = categories()) -> None:
        self.keep = keep
        self.columns = columns

    def nodes(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> list[Node]:
        """Answer the table of shares."""
        rows = [max(int(c.counts.sum()) + c.other + c.missing, 1) for c in learnt[0]]
        table = Map(
            tuple(c.values for c in learnt[0]),
            tuple(tuple((c.counts / n).tolist()) for c, n in zip(learnt[0], rows, strict=True)),
            np.array([c.missing / n for c, n in zip(learnt[0], rows, strict=True)]),
            np.zeros(len(rows)),
        )
        names = tuple(info.name for info in columns)
        return [Node(table, names, tuple(map(_frequency, names)), keeps=self.keep)]

    def after(self, columns: Columns, chosen: Sequence[str]) -> Columns:
        """Answer the columns with shares in the place of words."""
        made = {_frequency(n): ColumnInfo(_frequency(n), "number", "number") for n in chosen}
        return {**(columns if self.keep else _without(columns, chosen)), **made}

    def describe(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> str:
        """Name the most frequent word of each column."""
        most = [f"{c.values[0]} is most frequent" if c.values else "no value" for c in learnt[0]]
        return paired((info.name for info in columns), most)


def _codes(columns: Columns, chosen: Sequence[str]) -> Columns:
    codes = {name: ColumnInfo(name, "code", "category") for name in chosen}
    return {**columns, **codes}


def _without(columns: Columns, chosen: Sequence[str]) -> Columns:
    return {name: info for name, info in columns.items() if name not in chosen}


def _frequency(name: str) -> str:
    return f"{name}_frequency"
