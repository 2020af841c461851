"""Every operation gives the same answers in Polars, in TensorFlow and in ONNX Runtime.

All examples share one graph, which is saved, converted and run once, on values chosen to hurt.
"""

from __future__ import annotations

import json
import pkgutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import polars as pl
import pytest

import headrace.plan
from headrace.errors import ReleaseError
from headrace.partitions.message import pack, unpack
from headrace.plan.arithmetic import Affine, Clip, Fill, Indicate, Power, Squash
from headrace.plan.category import Hash, Lookup, Map, OneHot
from headrace.plan.distance import Distance, Nearest
from headrace.plan.evaluate import Evaluate
from headrace.plan.expression import Expression, col, lit, where
from headrace.plan.operation import Operation, plain
from headrace.plan.piecewise import Bin, Interpolate
from headrace.plan.recode import Recode, Substitute
from headrace.plan.time import PARTS, Cyclic, DateParts
from headrace.plan.to_onnx import DOMAINS, prepared, settings

if TYPE_CHECKING:
    from pathlib import Path

NAN, INF = float("nan"), float("inf")
MISSING_TIME = -(2**63)

# --- the rows -------------------------------------------------------------------------------------

NASTY_NUMBERS = [
    *(NAN, INF, -INF, 0.0, -0.0, 1e-290, -1e-290, 1e300, -1e300, 1.7e308, 1e154, -1e154),
    *(1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 2.0, 3.0, 0.1, 1e-17, -1e-9, 1e-9, 2.0**53, 1e16),
    *(7.0, -7.0, 24.0, -24.0, 12.0, 1.0000000000000002, 0.9999999999999999, -999.0, 1e9 + 0.5),
]
NASTY_STRINGS = [
    *("", " ", "a", "A", "a ", "b", "é", "e\u0301", "日本語", "🎉", "'", '"', "\\", "\n", "a\nb"),
    *("\0", "a\0", "a\0b", "a\0c", "x" * 10_000, "x" * 9_999 + "y", "unseen", "nan", "1", "1.0"),
    *("\ud7ff", "\ue000", "\u200b", "null", "None", "abc", "abcd", "abcde"),
]
NASTY_TIMES = [
    MISSING_TIME,
    *(
        0,
        -1,
        1,
        999_999,
        -999_999,
        -1_000_000,
        2**63 - 1,
        MISSING_TIME + 1,
        2**53 + 1,
        -(2**53) - 1,
    ),
    *(-377_705_116_800_000_000 + d for d in (-1, 0)),  # where the year -9999 begins
    *(253_402_300_800_000_000 + d for d in (-1, 0)),  # where the year 9999 ends
]
DAYS = [
    *((1600, 2, 29), (1600, 12, 31), (1601, 1, 1), (1700, 2, 28), (1700, 3, 1), (1899, 12, 31)),
    *((1969, 12, 31), (1970, 1, 1), (1970, 1, 4), (1972, 2, 29), (1999, 12, 31), (2000, 2, 29)),
    *((2000, 12, 31), (2001, 1, 1), (2004, 12, 31), (2020, 12, 31), (2021, 1, 3), (2100, 2, 28)),
    *((2100, 3, 1), (2100, 12, 31), (1, 1, 1), (9999, 12, 31), (4, 2, 29), (2026, 6, 15)),
]
ROWS = 400


def microseconds(*day: int) -> int:
    since = datetime(*day, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1)


def _spread(values: list[Any], more: list[Any], columns: int, dtype: Any) -> np.ndarray:
    """Put the nasty values into each column in another order, the random ones behind."""
    random = np.random.default_rng(0)
    out = np.empty((ROWS, columns), dtype=dtype)
    for column in range(columns):
        rows = values + [more[i] for i in random.integers(0, len(more), ROWS - len(values))]
        out[:, column] = np.array(rows, dtype=dtype)[random.permutation(ROWS)]
    return out


def _blocks() -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    numbers = [*(random.normal(size=300) * 10), *random.lognormal(2, 3, 300), *range(-20, 20)]
    ends = [microseconds(*day) + d for day in DAYS for d in (-1, 0, 1, 43_200_000_000)]
    times = [
        *random.integers(-3 * 10**16, 3 * 10**16, 300),
        *random.integers(-9 * 10**18, 9 * 10**18, 20),
    ]
    ends = [t for t in ends if t > microseconds(1, 1, 1) - 2]
    return {
        "number": _spread([*NASTY_NUMBERS], numbers, 3, np.float64),
        "string": _spread(NASTY_STRINGS, ["a", "b", "é", "日本語", "zzz", "abcd"], 3, object),
        "time": _spread([*NASTY_TIMES, *ends], times, 2, np.int64),
        "code": _spread([0, 1, 2, 3, 4], list(range(8)), 2, np.int64),
    }


BLOCKS = _blocks()
POLARS_TYPES = {"number": pl.Float64, "string": pl.String, "time": pl.Int64, "code": pl.Int32}
COLUMNS = {
    f"{kind[0]}{index}": (kind, index)
    for kind, block in BLOCKS.items()
    for index in range(block.shape[1])
}
FRAME = pl.DataFrame(
    {
        name: pl.Series(BLOCKS[kind][:, index].tolist(), dtype=POLARS_TYPES[kind])
        for name, (kind, index) in COLUMNS.items()
    }
)

# --- the operations -------------------------------------------------------------------------------


class Halve(Operation):
    """An operation of a user's own: y = x / 2."""

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        return [x / 2 for x in columns]

    def tensorflow(self, block: Any) -> Any:
        return block / 2.0


@dataclass(frozen=True)
class Example:
    operation: Operation
    columns: tuple[str, ...]

    @property
    def id(self) -> str:
        return f"{type(self.operation).__name__}-{list(EXAMPLES).index(self)}"


def knots(columns: int, count: int) -> np.ndarray:
    return np.sort(np.random.default_rng(count).normal(size=(columns, count)) * 5, axis=1)


WORDS = (
    ("a", "é", "日本語", "🎉", "a\0b", "'", '"', "\\", "x" * 10_000, " ", "\0", "a\0"),
    (),
    ("b", "abcd", "\n", "nan", "1.0"),
)
X, Y, Z = col("n0"), col("n1"), col("n2")
S, T, U = col("s0"), col("t0"), col("t1")
NOON = datetime(1969, 7, 20, 12, tzinfo=UTC)
EXPRESSIONS: dict[str, Expression] = {
    "add": X + Y,
    "subtract": X - 1,
    "multiply": 2 * X * Y,
    "divide": X / Y,
    "floor_divide": X // Y,
    "modulo": X % Y,
    "divide_by_fixed": X // 7 + (-X % 24) / 24,
    "power": X**Y,
    "power_fixed": (X**2) + (X**3) - (Y**0),
    "power_half": X**0.5,
    "power_minus_half": X**-0.5,
    "power_minus": X**-1 + 2**Y,
    "abs": abs(-X),
    "log": X.log(),
    "log1p": X.log1p(),
    "exp": X.exp(),
    "sqrt": X.sqrt(),
    "floor": X.floor(),
    "ceil": X.ceil(),
    "round": X.round(),
    "round_digits": X.round(2),
    "min": X.min(Y),
    "max": X.max(Y).max(0),
    "less": X < Y,
    "less_equal": X <= 1,
    "greater": X > Y,
    "greater_equal": 1.5 >= X,  # noqa: SIM300 - the other way round is the point
    "equal": (X == Y) + 2 * (X == 0),
    "not_equal": X != 1,
    "and": (X > 0) & (Y > 0),
    "or": (X > 0) | (Y > 0),
    "not": ~(X > Y),
    "logic_of_numbers": (X & Y) | ~Z,
    "where": where(X > 0, Y, -Z),
    "where_number": where(X, 1, 0),
    "is_missing": X.is_missing() | Y.is_missing(),
    "fill": X.fill(Y).fill(-1),
    "is_in": X.is_in([1, 2.5, INF]),
    "text_equal": S == "é",
    "text_not_equal": S != "a\0b",
    "text_is_in": S.is_in(["a", "日本語", "x" * 10_000]),
    "text_is_missing": S.is_missing(),
    "time_is_missing": T.is_missing(),
    "time_less": T < U,
    "time_equal": T == NOON,
    "time_after": datetime(2000, 2, 29, tzinfo=UTC) <= T,
    "time_is_in": T.is_in([NOON, datetime(1970, 1, 1, tzinfo=UTC)]),
    "duration": (T - U) / 86_400,
    "duration_fixed": T - NOON,
    **{part: getattr(T, part)() for part in PARTS},
    "mixed": where(S == "a", X.log1p(), T.year() + lit(2).sqrt()),
}


def _three(kind: str) -> tuple[str, ...]:
    return tuple(name for name, (of, _) in COLUMNS.items() if of == kind)


def _examples() -> list[Example]:
    n, s, t, c = (_three(kind) for kind in ("number", "string", "time", "code"))
    short = [[0.0, 1.0, INF, INF], [-5.0, -1.0, 7.0, INF], [1.0, 2.0, 3.0, 4.0]]
    many = knots(3, 1000)
    return [
        Example(Halve(), n),
        Example(Fill([1.5, -2.0, INF]), n),
        Example(Indicate(), n),
        Example(Indicate("string"), s),
        Example(Indicate("time"), t),
        Example(Indicate("code"), c),
        Example(Clip([-1.0, -INF, 0.0], [1.0, 3.0, INF]), n),
        Example(Affine([2.0, 0.0, -1e-3], [0.5, 3.0, 0.0]), n),
        Example(Squash([3.0, 1e-3, 1e3]), n),
        Example(Power([0.3, -1.7, 3.2]), n),
        Example(Power([0.0, 2.0, 1.0]), n),
        Example(Interpolate(knots(3, 5), np.linspace(0, 1, 5) * np.ones((3, 1))), n),
        Example(Interpolate(short, [[0.0, 1.0, 7.0, 7.0]] * 3), n),
        Example(Interpolate(many, knots(3, 1000)[::-1]), n),
        Example(Bin([[0.0, 1.0, 2.5], [], [-1.0]]), n),
        Example(Bin([knots(1, 300)[0], [1e-290], [1.5, 1e300]]), n),
        Example(Lookup(WORDS, [range(3, 15), (), (7, 2, 2, 9, 2)]), s),
        Example(Lookup(((),), ((),), missing=4, unseen=2), s[:1]),
        Example(Hash([1, 1000, 2**31 - 2]), s),
        Example(OneHot([["missing", "unseen", "rare", "x"], ["only"]], [[0, 1, 2, 3], [5]]), c),
        Example(OneHot([["a", "b"], ["c", "d", "e"]]), c),
        Example(
            Map(
                WORDS,
                [np.arange(12) / 7, (), (0.1, NAN, -1e300, 5e-324, 2)],
                [NAN, 1, 2],
                [0, 3, 4],
            ),
            s,
        ),
        Example(Recode([["a", "é"], [], ["", "b"]], [["é", ""], [], ["was missing", "a\0b"]]), s),
        Example(Recode([["a", "é"], [], ["b"]], [["a", "é"], [], ["b"]], "(rare)"), s),
        Example(Substitute([-999.0, NAN, INF, 0.0], [NAN, 5.0, 1e9, 7.0]), n),
        Example(DateParts(PARTS), t),
        Example(DateParts(("week",)), t[:1]),
        Example(Cyclic([24.0, 7.0, 0.3]), n),
        Example(Distance(knots(4, 3)), n),
        Example(Nearest(knots(4, 3)), n),
        Example(Nearest([[0.0], [2.0], [1.0]], [3, 1, 2], missing=0, name="group"), n[:1]),
        Example(Evaluate.of(EXPRESSIONS, {name: of for name, (of, _) in COLUMNS.items()}), ()),
    ]


EXAMPLES: dict[Example, None] = dict.fromkeys(_examples())
SMOOTH = (Fill, Clip, Affine, Squash, Power, Interpolate, Distance, Cyclic)
every_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)


def _alike(one: object, other: object) -> bool:
    return one == other or one == pytest.approx(other, rel=1e-14, abs=1e-14, nan_ok=True)


def columns_of(example: Example) -> tuple[str, ...]:
    if isinstance(example.operation, Evaluate):
        return example.operation.inputs
    return example.columns


# --- the three ways -------------------------------------------------------------------------------


def by_polars(example: Example, engine: Any = "in-memory") -> list[pl.Series]:
    columns = columns_of(example)
    made = example.operation.polars([pl.col(name) for name in columns])
    names = example.operation.names(columns)
    frame = FRAME.lazy().select(x.alias(n) for x, n in zip(made, names, strict=True))
    return frame.collect(engine=engine).get_columns()


def _lowered(example: Example, blocks: dict[str, Any]) -> Any:
    import tensorflow as tf

    places = [COLUMNS[name] for name in columns_of(example)]
    cut = [blocks[kind][:, index : index + 1] for kind, index in places]
    if example.operation.takes == "mixed":
        return example.operation.tensorflow(cut)
    return example.operation.tensorflow(tf.concat(cut, axis=1))


class Graph:
    """All examples in one graph, with its answers in TensorFlow and in ONNX Runtime."""

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf

        types = {"number": tf.float64, "string": tf.string, "time": tf.int64, "code": tf.int64}
        signature = [
            tf.TensorSpec((None, block.shape[1]), types[kind], name=kind)
            for kind, block in BLOCKS.items()
        ]

        @tf.function(autograph=False, input_signature=signature)
        def answer(*tensors: Any) -> dict[str, Any]:
            blocks = dict(zip(BLOCKS, tensors, strict=True))
            return {f"out{i}": _lowered(example, blocks) for i, example in enumerate(EXAMPLES)}

        module = tf.Module()
        module.answer = answer
        concrete = answer.get_concrete_function()
        module.tables = concrete.graph.get_collection("headrace/tables")
        tf.saved_model.save(module, str(folder), signatures={"serving_default": concrete})
        self.types = types
        self.function = answer
        self.session = self._session(folder)
        self.tensorflow = self.by_tensorflow(BLOCKS)
        self.onnx = self.by_onnx(BLOCKS)

    def _session(self, folder: Path) -> onnxruntime.InferenceSession:
        from tf2onnx import convert, tf_loader

        graph, inputs, outputs, tables, rename = tf_loader.from_saved_model(
            str(folder), None, None, "serve", ["serving_default"],
            return_initialized_tables=True, return_tensors_to_rename=True,
        )  # fmt: skip
        model, _ = convert._convert_common(
            prepared(graph, outputs), opset=18, input_names=inputs, output_names=outputs,
            initialized_tables=tables, tensors_to_rename=rename, **settings(),
        )  # fmt: skip
        assert {node.domain for node in model.graph.node} <= set(DOMAINS)
        self.operators = [node.op_type for node in model.graph.node]
        return onnxruntime.InferenceSession(model.SerializeToString())

    def by_tensorflow(self, blocks: dict[str, np.ndarray]) -> list[np.ndarray]:
        import tensorflow as tf

        answers = self.function(*(tf.constant(b, self.types[kind]) for kind, b in blocks.items()))
        return [answers[f"out{i}"].numpy() for i in range(len(EXAMPLES))]

    def by_onnx(self, blocks: dict[str, np.ndarray]) -> list[np.ndarray]:
        return self.session.run([f"out{i}" for i in range(len(EXAMPLES))], blocks)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    return Graph(tmp_path_factory.mktemp("graph"))


def assert_same(polars: list[pl.Series], block: np.ndarray, example: Example) -> None:
    assert block.shape == (len(polars[0]), len(polars))
    for column, series in enumerate(polars):
        wanted, found = series.to_numpy(), block[:, column]
        if example.operation.gives == "string":
            found = np.array([v.decode() if isinstance(v, bytes) else v for v in found], object)
            assert wanted.tolist() == found.tolist(), series.name
        else:
            np.testing.assert_allclose(
                found, wanted, rtol=1e-12, atol=1e-12, equal_nan=True, err_msg=series.name
            )


# --- the contract ---------------------------------------------------------------------------------


def test_every_operation_of_the_library_has_an_example() -> None:
    for module in pkgutil.walk_packages(headrace.plan.__path__, "headrace.plan."):
        import_module(module.name)
    here = {type(example.operation) for example in EXAMPLES}
    known = {
        kind for kind in Operation._registry.values() if kind.__module__.startswith("headrace.")
    }
    assert {kind.__name__ for kind in known - here} == set()


@every_example
def test_polars_and_tensorflow_agree(example: Example, graph: Graph) -> None:
    assert_same(by_polars(example), graph.tensorflow[list(EXAMPLES).index(example)], example)


@every_example
def test_tensorflow_and_onnx_agree(example: Example, graph: Graph) -> None:
    assert_same(by_polars(example), graph.onnx[list(EXAMPLES).index(example)], example)


@every_example
def test_polars_gives_the_same_when_it_streams(example: Example) -> None:
    for one, other in zip(by_polars(example), by_polars(example, "streaming"), strict=True):
        assert one.equals(other)


@pytest.mark.parametrize("rows", [0, 1])
def test_the_graphs_take_any_number_of_rows(graph: Graph, rows: int) -> None:
    few = {kind: block[:rows] for kind, block in BLOCKS.items()}
    for way, whole in ((graph.by_tensorflow, graph.tensorflow), (graph.by_onnx, graph.onnx)):
        for found, wanted in zip(way(few), whole, strict=True):
            np.testing.assert_equal(found.shape, wanted[:rows].shape)
            assert all(map(_alike, found.ravel().tolist(), wanted[:rows].ravel().tolist()))


@every_example
def test_polars_takes_a_table_without_rows(example: Example) -> None:
    columns = columns_of(example)
    made = example.operation.polars([pl.col(name) for name in columns])
    names = example.operation.names(columns)
    empty = FRAME.head(0).select(x.alias(n) for x, n in zip(made, names, strict=True))
    assert empty.shape == (0, len(names))


@every_example
def test_names_and_types_fit_the_answers(example: Example) -> None:
    answers, operation = by_polars(example), example.operation
    assert len(set(operation.names(columns_of(example)))) == len(answers)
    assert {series.dtype for series in answers} == {POLARS_TYPES[operation.gives]}
    assert not any(series.null_count() for series in answers)
    assert operation.takes in {*POLARS_TYPES, "mixed"}


@every_example
def test_codes_are_below_their_cardinality(example: Example) -> None:
    sizes = example.operation.cardinalities()
    if example.operation.gives != "code":
        assert sizes == ()
        return
    answers = by_polars(example)
    assert len(sizes) == len(answers)
    for series, size in zip(answers, sizes, strict=True):
        assert 0 <= series.min() <= series.max() < size


@every_example
def test_json_and_back_changes_nothing(example: Example) -> None:
    operation = example.operation
    text = json.dumps(plain(operation.to_dict()), allow_nan=False)
    again = Operation.from_dict(json.loads(text))
    assert again == operation
    assert hash(again) == hash(operation)
    assert Operation.from_dict(operation.to_dict()) == operation
    assert Operation.from_dict(unpack(pack(operation.to_dict()))) == operation  # as workers get it
    again_example = Example(again, example.columns)
    for one, other in zip(by_polars(example), by_polars(again_example), strict=True):
        assert one.equals(other)


@every_example
def test_damaged_json_is_refused(example: Example) -> None:
    data = plain(example.operation.to_dict())
    with pytest.raises(ReleaseError, match="cannot be rebuilt"):
        Operation.from_dict({**data, "surprise": 1})
    for name in data.keys() - {"operation"}:
        damaged = {**data, name: {"strange": [None]}}
        with pytest.raises(ReleaseError, match="cannot be rebuilt"):
            Operation.from_dict(damaged)


@pytest.mark.parametrize(
    "example",
    [example for example in EXAMPLES if isinstance(example.operation, SMOOTH)],
    ids=lambda example: example.id,
)
def test_subnormal_numbers_do_not_matter_where_the_answer_has_no_jumps(example: Example) -> None:
    """TensorFlow takes numbers below 2.2e-308 for 0, which can only matter at a jump."""
    block = np.array([[5e-324, -5e-324, 1e-310], [-1e-310, 5e-324, -5e-324]])
    frame = pl.DataFrame(block, schema=["a", "b", "c"])
    made = example.operation.polars([pl.col(name) for name in frame.columns])
    assert_same([frame.select(x).to_series() for x in made], _eager(example, block), example)


def _eager(example: Example, block: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    return example.operation.tensorflow(tf.constant(block)).numpy()


def test_the_graph_holds_no_loop_and_nothing_single(graph: Graph) -> None:
    """The hash is one operation of the runtime, and logarithms stay in double precision."""
    assert "Loop" not in graph.operators
    assert "MurmurHash3" in graph.operators
    assert 0 < graph.operators.count("CategoryMapper") <= sum(map(_tables, EXAMPLES))


def _tables(example: Example) -> int:
    operation = example.operation
    if isinstance(operation, Evaluate):
        return sum(name.startswith("text") or name == "mixed" for name in operation.outputs)
    if isinstance(operation, Lookup | Map):
        return len(operation.words)
    if isinstance(operation, Recode):
        return sum(bool(words) or operation.other is not None for words in operation.words)
    return 1 if operation == Indicate("string") else 0
