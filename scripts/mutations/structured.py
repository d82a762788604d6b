"""Mutate the content of a .tflite file, which stays a valid FlatBuffer but contradicts itself."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

NUMBERS = (
    -(2**31),
    -1000,
    -2,
    -1,
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    99,
    127,
    128,
    255,
    1000,
    65536,
    2**31 - 1,
)
"""Values at which fields break: limits of types, excessive sizes, invalid enumerations."""

REALS = (0.0, -1.0, 1e-45, 1e-39, 1e-9, 0.5, 1.0, 1000.0, 1e38, np.inf, np.nan)
_UNPACKABLE = (struct.error, TypeError, ValueError, OverflowError, AttributeError)

Random = np.random.Generator


def contradicted(data: bytes, random: Random) -> bytes:
    """Change a file in one to three ways, and pack it again; returns different bytes."""
    while True:
        model = schema.ModelT.InitFromPackedBuf(data, 0)
        for _ in range(random.integers(1, 4)):
            CHANGES[random.integers(len(CHANGES))](model, random)
        builder = flatbuffers.Builder(len(data))
        try:
            builder.Finish(model.Pack(builder), b"TFL3")
        except _UNPACKABLE:  # the value does not fit the field of the schema
            continue
        mutated = bytes(builder.Output())
        if mutated != data:
            return mutated


def _any(items: Any, random: Random) -> Any:
    """Return a random item of a list."""
    return items[random.integers(len(items))]


def _graph(model: Any, random: Random) -> Any:
    return _any(model.subgraphs, random)


def _tensor(model: Any, random: Random) -> Any:
    return _any(_graph(model, random).tensors, random)


def _operator(model: Any, random: Random) -> Any:
    return _any(_graph(model, random).operators, random)


def _changed(items: Any, values: Any, random: Random) -> list[Any]:
    """Return a list with one item replaced, removed, repeated or added, or two exchanged."""
    changed = [] if items is None else list(items)
    if not changed:
        return [_any(values, random)]
    place, other = random.integers(len(changed), size=2)
    exchanged = list(changed)
    exchanged[place], exchanged[other] = exchanged[other], exchanged[place]
    return list(
        _any(
            (
                [*changed[:place], _any(values, random), *changed[place + 1 :]],
                [*changed[:place], *changed[place + 1 :]],
                [*changed[:place], changed[place], *changed[place:]],
                [*changed, _any(values, random)],
                exchanged,
            ),
            random,
        )
    )


def operator_tensors(model: Any, random: Random) -> None:
    """Change the inputs or outputs of an operator."""
    graph = _graph(model, random)
    operator, field = _any(graph.operators, random), _any(("inputs", "outputs"), random)
    indices = [-1, *range(len(graph.tensors))]
    setattr(operator, field, _changed(getattr(operator, field), indices, random))


def graph_tensors(model: Any, random: Random) -> None:
    """Change the inputs or outputs of a graph."""
    graph, field = _graph(model, random), _any(("inputs", "outputs"), random)
    setattr(graph, field, _changed(getattr(graph, field), range(len(graph.tensors)), random))


def shape(model: Any, random: Random) -> None:
    """Give a tensor another shape."""
    tensor = _tensor(model, random)
    sizes = [size for size in NUMBERS if size >= 0]
    tensor.shape = _changed(tensor.shape, sizes, random)


def shape_signature(model: Any, random: Random) -> None:
    """Make other dimensions of a tensor dynamic."""
    tensor = _tensor(model, random)
    tensor.shapeSignature = _changed(tensor.shape, NUMBERS, random)


def dtype(model: Any, random: Random) -> None:
    """Give a tensor another type."""
    types = [number for name, number in vars(schema.TensorType).items() if name.isupper()]
    _tensor(model, random).type = _any(types, random)


def option(model: Any, random: Random) -> None:
    """Set one of an operator's options."""
    options = _operator(model, random).builtinOptions
    fields = [] if options is None else sorted(vars(options))
    if fields:
        field = _any(fields, random)
        values = REALS if isinstance(getattr(options, field), float) else NUMBERS
        setattr(options, field, _any(values, random))


def options(model: Any, random: Random) -> None:
    """Remove an operator's options, or give it those of another."""
    operator = _operator(model, random)
    other = _any((schema.OperatorT(), _operator(model, random)), random)
    operator.builtinOptions = other.builtinOptions
    operator.builtinOptionsType = other.builtinOptionsType


def scale(model: Any, random: Random) -> None:
    """Change the scales of a tensor."""
    quantization = _tensor(model, random).quantization
    if quantization is not None:
        quantization.scale = np.array(_changed(quantization.scale, REALS, random), np.float32)


def zero_point(model: Any, random: Random) -> None:
    """Change the zero points of a tensor."""
    quantization = _tensor(model, random).quantization
    if quantization is not None:
        quantization.zeroPoint = np.array(_changed(quantization.zeroPoint, NUMBERS, random))


def quantized_dimension(model: Any, random: Random) -> None:
    """Quantize a tensor along another axis."""
    quantization = _tensor(model, random).quantization
    if quantization is not None:
        quantization.quantizedDimension = _any(NUMBERS, random)


def unquantized(model: Any, random: Random) -> None:
    """Remove a tensor's quantization."""
    _tensor(model, random).quantization = None


def constant(model: Any, random: Random) -> None:
    """Empty a constant, make it shorter or longer, or fill it with other values."""
    buffer = _any(model.buffers, random)
    data = np.zeros(0, np.uint8) if buffer.data is None else np.asarray(buffer.data, np.uint8)
    buffer.data = _any(
        (
            None,
            data[: len(data) // 2],
            np.concatenate([data, data, np.zeros(4, np.uint8)]),
            random.integers(0, 256, len(data), np.uint8),
            np.full(len(data), _any((0, 0x7F, 0x80, 0xFF), random), np.uint8),
        ),
        random,
    )


def constant_of_another(model: Any, random: Random) -> None:
    """Give a tensor the constant of another, or none."""
    _tensor(model, random).buffer = random.integers(len(model.buffers)).item()


def operator_code(model: Any, random: Random) -> None:
    """Change an operator code to another operator."""
    code = _any(model.operatorCodes, random)
    named = [number for name, number in vars(schema.BuiltinOperator).items() if name.isupper()]
    number = _any((_any(named, random), _any(model.operatorCodes, random).builtinCode), random)
    code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)


def version(model: Any, random: Random) -> None:
    """Change the version of an operator."""
    _any(model.operatorCodes, random).version = _any(NUMBERS, random)


def code_of_another(model: Any, random: Random) -> None:
    """Change an operator to another one of the file."""
    _operator(model, random).opcodeIndex = random.integers(len(model.operatorCodes)).item()


def operators(model: Any, random: Random) -> None:
    """Remove or repeat an operator, or exchange two."""
    graph = _graph(model, random)
    graph.operators = _changed(graph.operators, graph.operators, random)


def variable(model: Any, random: Random) -> None:
    """Make a tensor a variable, which keeps its value from run to run."""
    _tensor(model, random).isVariable = True


CHANGES: tuple[Callable[[Any, Random], None], ...] = (
    *(operator_tensors, graph_tensors, shape, shape, shape_signature, dtype),
    *(option, option, option, options, scale, zero_point, quantized_dimension, unquantized),
    *(constant, constant_of_another, operator_code, version, code_of_another, operators, variable),
)
"""Changes with many variants are listed several times, so that they are more frequent."""
