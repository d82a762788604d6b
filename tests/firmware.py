"""Models as firmware holds them, their emitted files, and what stands for them in TFLM's stub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import MLPERF

from edgepack.emit.c.firmware_model import FirmwareModel, IOTensor, Vector
from edgepack.emit.tflm.model_files import EMITTERS, model_files
from edgepack.storage.text_files import write_texts
from edgepack.tflite.graph import Graph, Model, Operator, QuantParams, Tensor
from edgepack.tflite.parser import read_tflite

STUB = Path(__file__).with_name("tflm_stub")

FILES = ("model.h", "model.c", *EMITTERS)
"""Of each model, in the folder of its name."""
CXX = ("op_resolver.h",)
"""Headers that are C++; the others are C as well."""


def write_firmware(model: FirmwareModel, folder: Path) -> Path:
    """Write a model's files into the folder of its name under ``folder``, an include root."""
    write_texts(folder, model_files(model))
    return folder


def mlperf_model(name: str) -> FirmwareModel:
    """Read a model of MLPerf Tiny; without them skip."""
    file = MLPERF / name / "reference_int8.tflite"
    if not file.is_file():
        pytest.skip(f"the MLPerf Tiny models are not at {MLPERF}")
    data = file.read_bytes()
    return firmware_model(name, read_tflite(data), data=data)


def made_model(
    name: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor], operators: Sequence[Operator]
) -> FirmwareModel:
    """Make a model up of its ends and operators."""
    places = range(len(inputs) + len(outputs))
    graph = Graph(
        tensors=(*inputs, *outputs),
        operators=tuple(operators),
        inputs=tuple(places[: len(inputs)]),
        outputs=tuple(places[len(inputs) :]),
    )
    return firmware_model(name, Model(subgraphs=(graph,)))


def operator(name: str, *, is_custom: bool = False) -> Operator:
    """Make an operator up."""
    return Operator(name=name, version=1, inputs=(), outputs=(), is_custom=is_custom)


def tensor(name: str, shape: Sequence[int], dtype: str, quant: QuantParams | None = None) -> Tensor:
    """Make an input or output up."""
    return Tensor(name=name, shape=tuple(shape), dtype=dtype, quant=quant, data=b"")


def firmware_model(name: str, model: Model, *, data: bytes = b"TFL3") -> FirmwareModel:
    """Give what firmware holds of a model; two vectors are made up, and so is its arena."""
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
            Vector(
                inputs=tuple(values(io.tensor, rng) for io in inputs),
                outputs=tuple(values(io.tensor, rng) for io in outputs),
            )
            for _ in range(2)
        ),
    )


def values(tensor: Tensor, rng: np.random.Generator) -> np.ndarray:
    """Make up values of a tensor; the first ones are the ends of its type's range."""
    count = int(np.prod(tensor.shape, dtype=int))
    if tensor.dtype.startswith("float"):
        limits = np.finfo(tensor.dtype)
        ends = [limits.min, limits.max, limits.smallest_subnormal, -0.0]
        made = rng.normal(size=count).astype(tensor.dtype)
    elif tensor.dtype == "bool":
        ends, made = [True], rng.integers(0, 2, count).astype(bool)
    else:
        whole = np.iinfo(tensor.dtype)
        ends = [whole.min, whole.max, 0]
        made = rng.integers(whole.min, whole.max, count, tensor.dtype, endpoint=True)
    made[: len(ends)] = ends[:count]
    return made.reshape(tensor.shape)


def stub_model(model: FirmwareModel, **changes: str | int) -> FirmwareModel:
    """Give a model that the stub runs (tflm_stub/README.md); ``changes`` replace its lines."""
    lines = {"schema": 3, "arena": 1000} | changes
    tensors = [("input", io.tensor) for io in model.inputs]
    tensors += [("output", io.tensor) for io in model.outputs]
    operators = dict.fromkeys(o.name for g in model.model.subgraphs for o in g.operators)
    text = [f"{word} {value}" for word, value in lines.items()]
    text += [f"operator {name}" for name in operators]
    text += [f"{kind} {_TYPES[t.dtype]} {t.value_bytes}" for kind, t in tensors]
    text += [
        f"vector {b''.join(a.tobytes() for a in vector.inputs).hex()} "
        f"{b''.join(a.tobytes() for a in vector.outputs).hex()}"
        for vector in model.vectors
    ]
    return replace(model, data="\n".join([*text, "end\n"]).encode())


_TYPES = {"float32": 1, "int32": 2, "uint8": 3, "int64": 4, "bool": 6, "int16": 7, "int8": 9}
_TYPES |= {"float64": 11, "uint64": 13, "uint32": 16, "uint16": 17}


def _numbered(kind: str, tensors: Sequence[Tensor]) -> tuple[IOTensor, ...]:
    names = [kind] if len(tensors) == 1 else [f"{kind}_{i}" for i in range(len(tensors))]
    return tuple(
        IOTensor(name=name, title=tensor.name, tensor=tensor)
        for name, tensor in zip(names, tensors, strict=True)
    )
