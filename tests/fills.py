"""Float models with fills: constants that only have to be low or high enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tiny import Tiny, Value

LOWEST = float(np.finfo(np.float32).min)
_LENGTH = 6
_MASK = np.array([0, 1, 0, 1, 1, 0], np.float32)


class Model:
    """A file under construction; each method adds an operator and returns its output."""

    def __init__(self) -> None:
        self._tiny = Tiny()
        self._random = np.random.default_rng(0)
        self._inputs: list[int] = []
        self._count = 0

    def input(self, *shape: int) -> int:
        self._inputs.append(self._tiny.tensor(f"x{len(self._inputs)}", Value((1, *shape))))
        return self._inputs[-1]

    def constant(self, values: Any, dtype: str = "float32") -> int:
        array = np.asarray(values)
        return self._tiny.tensor(self._name("constant"), Value(array.shape, dtype, values=array))

    def weights(self, *shape: int) -> int:
        return self.constant(self._random.normal(size=shape))

    def add(
        self, kind: str, inputs: Sequence[int], shape: Sequence[int], *, dtype: str = "float32",
        **options: Any,
    ) -> int:  # fmt: skip
        output = self._tiny.tensor(self._name(kind.lower()), Value((1, *shape), dtype))
        self._tiny.operator(kind, inputs, [output], **options)
        return output

    def dense(self, x: int, inputs: int, outputs: int) -> int:
        weights = self.weights(outputs, inputs)
        return self.add(
            "FULLY_CONNECTED", [x, weights, -1], [outputs], table="FullyConnectedOptions"
        )

    def sum(self, one: int, other: int, *shape: int) -> int:
        return self.add("ADD", [one, other], shape or [_LENGTH], table="AddOptions")

    def to_bytes(self, output: int) -> bytes:
        return self._tiny.to_bytes(self._inputs, [output])

    def _name(self, name: str) -> str:
        self._count += 1
        return f"model/{name}_{self._count}/Op"


def _scores() -> tuple[Model, int]:
    model = Model()
    return model, model.dense(model.input(8), 8, _LENGTH)


def _attended(model: Model, scores: int) -> bytes:
    """Weigh something by the softmax of the scores."""
    return model.to_bytes(model.dense(model.add("SOFTMAX", [scores], [_LENGTH]), _LENGTH, 3))


def added(fill: float) -> bytes:
    """A constant mask is added before a softmax."""
    model, scores = _scores()
    return _attended(model, model.sum(scores, model.constant(np.where(_MASK, fill, 0)[None])))


def multiplied(fill: float) -> bytes:
    """A mask is an input of the model: (1 - mask) * fill is added before a softmax."""
    model, scores = _scores()
    mask = model.input(_LENGTH)
    rest = model.add("SUB", [model.constant([[1.0]]), mask], [_LENGTH], table="SubOptions")
    large = model.add("MUL", [rest, model.constant([[fill]])], [_LENGTH], table="MulOptions")
    return _attended(model, model.sum(scores, large))


def negated(fill: float) -> bytes:
    """As above, by (mask - 1) * -fill."""
    model, scores = _scores()
    mask = model.input(_LENGTH)
    rest = model.add("SUB", [mask, model.constant([[1.0]])], [_LENGTH], table="SubOptions")
    large = model.add("MUL", [rest, model.constant([[-fill]])], [_LENGTH], table="MulOptions")
    return _attended(model, model.sum(scores, large))


def twice(fill: float) -> bytes:
    """Two masks are added, one after the other."""
    model, scores = _scores()
    for mask in (_MASK, _MASK[::-1] * _MASK):
        scores = model.sum(scores, model.constant(np.where(mask, fill, 0)[None]))
    return _attended(model, scores)


def selected(fill: float) -> bytes:
    """Scores are replaced where a condition does not hold."""
    model, scores = _scores()
    condition = model.constant(_MASK[None] < 1, "bool")
    chosen = model.add(
        "SELECT_V2", [condition, scores, model.constant([[fill]])], [_LENGTH],
        table="SelectV2Options",
    )  # fmt: skip
    return _attended(model, chosen)


def padded(fill: float) -> bytes:
    """An image is padded before a max pooling."""
    model = Model()
    filters, bias = model.weights(2, 3, 3, 2), model.constant(np.zeros(2))
    image = model.add("CONV_2D", [model.input(8, 8, 2), filters, bias], [8, 8, 2])
    sizes = model.constant([[0, 0], [1, 1], [1, 1], [0, 0]], "int32")
    wide = model.add(
        "PADV2", [image, sizes, model.constant(fill)], [10, 10, 2], table="PadV2Options", version=2
    )
    pooled = model.add(
        "MAX_POOL_2D", [wide], [4, 4, 2], table="Pool2DOptions", padding=1,
        strideW=2, strideH=2, filterWidth=3, filterHeight=3,
    )  # fmt: skip
    flat = model.add(
        "RESHAPE", [pooled, model.constant([1, 32], "int32")], [32], table="ReshapeOptions"
    )
    return model.to_bytes(model.dense(flat, 32, 3))


def clamped(fill: float) -> bytes:
    """Values are clipped by bounds that are never reached."""
    model, scores = _scores()
    below = model.add(
        "MINIMUM", [scores, model.constant([[-fill]])], [_LENGTH], table="MaximumMinimumOptions"
    )
    above = model.add(
        "MAXIMUM", [below, model.constant([[fill]])], [_LENGTH], table="MaximumMinimumOptions"
    )
    return model.to_bytes(model.dense(above, _LENGTH, 3))


def activated(kind: str) -> Callable[[float], bytes]:
    """A mask is added before an activation function."""

    def build(fill: float) -> bytes:
        model, scores = _scores()
        masked = model.sum(scores, model.constant(np.where(_MASK, fill, 0)[None]))
        return model.to_bytes(model.dense(model.add(kind, [masked], [_LENGTH]), _LENGTH, 3))

    return build


def output(fill: float) -> bytes:
    """The masked values are the model's output."""
    model, scores = _scores()
    return model.to_bytes(model.sum(scores, model.constant(np.where(_MASK, fill, 0)[None])))


def also_output(fill: float) -> bytes:
    """The mask is used before a softmax, and beside it."""
    model, scores = _scores()
    mask = model.constant(np.where(_MASK, fill, 0)[None])
    weights = model.add("SOFTMAX", [model.sum(scores, mask)], [_LENGTH])
    return model.to_bytes(model.sum(weights, mask))


def weighed(fill: float) -> bytes:
    """The masked values are the input of a dense layer."""
    model, scores = _scores()
    masked = model.sum(scores, model.constant(np.where(_MASK, fill, 0)[None]))
    return model.to_bytes(model.dense(masked, _LENGTH, 3))


def wholly_masked(fill: float, rows: int = 1, *, clamped: bool = False) -> bytes:
    """A mask leaves nothing of one row of scores: its softmax is that of what float32 rounds.

    Scores that are ``clamped`` have a bound that is never reached.
    """
    model = Model()
    flat = model.dense(model.input(8), 8, rows * _LENGTH)
    shape = [1, rows, _LENGTH]
    scores = model.add(
        "RESHAPE", [flat, model.constant(shape, "int32")], shape[1:], table="ReshapeOptions"
    )
    if clamped:
        scores = model.add(
            "MINIMUM", [scores, model.constant([[[-fill]]])], shape[1:],
            table="MaximumMinimumOptions",
        )  # fmt: skip
    mask = np.zeros(shape)
    mask[:, 0] = fill
    masked = model.sum(scores, model.constant(mask), *shape[1:])
    weights = model.add("SOFTMAX", [masked], shape[1:])
    joined = model.constant([1, rows * _LENGTH], "int32")
    flat = model.add("RESHAPE", [weights, joined], [rows * _LENGTH], table="ReshapeOptions")
    return model.to_bytes(model.dense(flat, rows * _LENGTH, 3))


CLIPPED = {
    "added": added,
    "multiplied": multiplied,
    "negated": negated,
    "twice": twice,
    "selected": selected,
    "padded": padded,
    "clamped": clamped,
    "relu": activated("RELU"),
    "relu6": activated("RELU6"),
    "sigmoid": activated("LOGISTIC"),
    "tanh": activated("TANH"),
}
LEFT = {"output": output, "also_output": also_output, "weighed": weighed}


def samples(kind: str, count: int, seed: int) -> list[np.ndarray]:
    """Return an array of samples for each input."""
    random = np.random.default_rng(seed)
    shape = (8, 8, 2) if kind == "padded" else (8,)
    arrays = [random.normal(size=(count, *shape)).astype(np.float32)]
    if kind in ("multiplied", "negated"):
        lengths = random.integers(1, _LENGTH + 1, size=(count, 1))
        arrays.append((np.arange(_LENGTH) < lengths).astype(np.float32))
    return arrays
