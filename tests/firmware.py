"""Firmware models for tests, their emitted files, and the models of the TFLM stub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from conftest import reference_model

from edgepack.emit.c.io_tensor import IOTensor
from edgepack.emit.c.source_text import C_TYPES
from edgepack.emit.tflm.firmware_model import FirmwareModel, GoldenVector
from edgepack.emit.tflm.model_files import EMITTERS, model_files
from edgepack.storage.text_files import write_texts
from edgepack.tflite.graph import Graph, Model, Operator, QuantParams, Tensor
from edgepack.tflite.parser import read_tflite

STUB = Path(__file__).with_name("tflm_stub")

FILES = ("model.h", "model.c", *EMITTERS)
"""Files of each model, in the folder named after it."""
CXX = ("op_resolver.h",)
"""Headers that are C++ only; the others are valid C as well."""

ODD_LABELS = ('"; DROP', "a\nb", "what??/", "*/ int x;", "schön", "\\", "%s %n", "\t", "5" * 300)
INT8 = QuantParams(scale=(0.05,), zero_point=(-3,))
INT16 = QuantParams(scale=(1 / 32768,), zero_point=(0,))


def write_firmware(model: FirmwareModel, folder: Path) -> Path:
    """Write a model's files into its own folder under ``folder``, which is the include path."""
    write_texts(folder, model_files(model))
    return folder


def mlperf_model(name: str) -> FirmwareModel:
    """Read a model of MLPerf Tiny; skip the test if it is not available."""
    data = reference_model(name).read_bytes()
    return firmware_model(name, read_tflite(data), data=data)


def synthetic_model(
    name: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor], operators: Sequence[Operator]
) -> FirmwareModel:
    """Return a made-up model with the given inputs, outputs and operators."""
    indices = range(len(inputs) + len(outputs))
    graph = Graph(
        tensors=(*inputs, *outputs),
        operators=tuple(operators),
        inputs=tuple(indices[: len(inputs)]),
        outputs=tuple(indices[len(inputs) :]),
    )
    return firmware_model(name, Model(subgraphs=(graph,)))


def operator(name: str, *, is_custom: bool = False) -> Operator:
    """Return a made-up operator."""
    return Operator(name=name, version=1, inputs=(), outputs=(), is_custom=is_custom)


def tensor(name: str, shape: Sequence[int], dtype: str, quant: QuantParams | None = None) -> Tensor:
    """Return a made-up input or output."""
    return Tensor(name=name, shape=tuple(shape), dtype=dtype, quant=quant, data=b"")


def firmware_model(name: str, model: Model, *, data: bytes = b"TFL3") -> FirmwareModel:
    """Return the FirmwareModel of a model, with two random test vectors and a 16 KiB arena."""
    rng = np.random.default_rng(1)
    inputs = _numbered("input", model.main.input_tensors)
    outputs = _numbered("output", model.main.output_tensors)
    return FirmwareModel(
        name=name,
        data=data,
        model=model,
        inputs=inputs,
        outputs=outputs,
        arena_bytes=1 << 14,
        vectors=tuple(
            GoldenVector(
                inputs=tuple(random_values(io.tensor, rng) for io in inputs),
                outputs=tuple(random_values(io.tensor, rng) for io in outputs),
            )
            for _ in range(2)
        ),
    )


def random_values(tensor: Tensor, rng: np.random.Generator) -> np.ndarray:
    """Return random values of a tensor; the first ones are the limits of its dtype."""
    count = int(np.prod(tensor.shape, dtype=int))
    if tensor.dtype.startswith("float"):
        floats = np.finfo(tensor.dtype)
        limits = [floats.min, floats.max, floats.smallest_subnormal, -0.0]
        values = rng.normal(size=count).astype(tensor.dtype)
    elif tensor.dtype == "bool":
        limits, values = [True], rng.integers(0, 2, count).astype(bool)
    else:
        integers = np.iinfo(tensor.dtype)
        limits = [integers.min, integers.max, 0]
        values = rng.integers(integers.min, integers.max, count, tensor.dtype, endpoint=True)
    values[: len(limits)] = limits[:count]
    return values.reshape(tensor.shape)


def stub_model(model: FirmwareModel, **changes: str | int) -> FirmwareModel:
    """Return the model in the stub's format (tflm_stub/README.md); ``changes`` replace lines."""
    lines = {"schema": 3, "arena": 1000} | changes
    tensors = [("input", io.tensor) for io in model.inputs]
    tensors += [("output", io.tensor) for io in model.outputs]
    operators = dict.fromkeys(o.name for g in model.model.subgraphs for o in g.operators)
    text = [f"{key} {value}" for key, value in lines.items()]
    text += [f"operator {name}" for name in operators]
    text += [f"{kind} {_TFLITE_TYPES[t.dtype]} {t.value_bytes}" for kind, t in tensors]
    text += [
        f"vector {b''.join(a.tobytes() for a in vector.inputs).hex()} "
        f"{b''.join(a.tobytes() for a in vector.outputs).hex()}"
        for vector in model.vectors
    ]
    return replace(model, data="\n".join([*text, "end\n"]).encode())


_TFLITE_TYPES = {"float32": 1, "int32": 2, "uint8": 3, "int64": 4, "bool": 6, "int16": 7, "int8": 9}
_TFLITE_TYPES |= {"float64": 11, "uint64": 13, "uint32": 16, "uint16": 17}


def _numbered(kind: str, tensors: Sequence[Tensor]) -> tuple[IOTensor, ...]:
    names = [kind] if len(tensors) == 1 else [f"{kind}_{i}" for i in range(len(tensors))]
    return tuple(
        IOTensor(name=name, title=tensor.name, tensor=tensor)
        for name, tensor in zip(names, tensors, strict=True)
    )


def small_model() -> FirmwareModel:
    """Return a model with two inputs, one a scalar, and two outputs; titles and labels are odd."""
    inputs = [tensor('l"; DROP\n*/', (1, 2, 3), "int8", INT8), tensor("r??/", (), "float32")]
    outputs = [tensor("%d", (1, 9), "int16", INT16), tensor("ü\\", (2,), "float32")]
    operators = map(operator, ["ADD", "QUANTIZE", "ADD"])
    model = synthetic_model("small", inputs, outputs, [*operators])
    return replace(model, labels=ODD_LABELS)


def model_of_every_type() -> FirmwareModel:
    """Return a model with an input and an output of every type."""
    tensors = [tensor(dtype, (1, 7), dtype) for dtype in C_TYPES]
    return synthetic_model("types", tensors, tensors, [operator("CAST")])


def model_with_variable() -> FirmwareModel:
    """Return a model with a variable, whose handle is in a subgraph that an operator calls."""
    model = synthetic_model(
        "state", [tensor("x", (1, 4), "int8", INT8)], [tensor("y", (4,), "int32")], []
    )
    main = replace(model.model.main, operators=(operator("CALL_ONCE"), operator("READ_VARIABLE")))
    called = Graph(tensors=(), operators=(operator("VAR_HANDLE"),), inputs=(), outputs=())
    return replace(model, model=Model(subgraphs=(main, called)))


def all_models() -> list[FirmwareModel]:
    """Return the models above and those of MLPerf Tiny; skip without them."""
    return [
        *map(mlperf_model, ("kws", "ic", "ad")),
        small_model(),
        model_of_every_type(),
        model_with_variable(),
    ]
