"""A float .tflite file as a model, which can be quantized and run but not trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from edgepack.core.errors import ModelError
from edgepack.core.signature import Signature, TensorSpec
from edgepack.load.loaded_model import FloatModel, Runner
from edgepack.tflite.graph import Graph, Tensor
from edgepack.tflite.interpreter_api import TfliteInterpreter
from edgepack.tflite.layer_names import number_duplicates
from edgepack.tflite.parser import read_tflite

_QUANTIZED = {"int8", "uint8", "int16", "float16", "int4", "int2"}


class TfliteFile(FloatModel):
    """The bytes of a float .tflite file with a batch of 1.

    ``data`` and ``signature`` are read from the file by default. Raises :class:`ModelError` if the
    file is damaged, already quantized, or has another batch.
    """

    runtime = "LiteRT"

    def __init__(
        self, path: Path, data: bytes | None = None, signature: Signature | None = None
    ) -> None:
        self.data = path.read_bytes() if data is None else data
        super().__init__(path, signature or self._read(path))

    def _read(self, path: Path) -> Signature:
        with name_file_in_errors(path):
            graph = read_tflite(self.data).main
        require_float(path, graph)
        for tensor in (*graph.input_tensors, *graph.output_tensors):
            if tensor.shape[:1] != (1,):
                raise ModelError(
                    f"{path}: {tensor.name!r} has shape {list(tensor.shape)}; convert the model"
                    " with a batch of 1"
                )
        return real_signature(path, graph)

    @property
    def batch(self) -> int:
        """Return 1."""
        return 1

    def runner(self, shapes: Sequence[tuple[int, ...]]) -> Runner:  # noqa: ARG002 (its own)
        """Return a function that runs the file in LiteRT; its shapes are those of the file."""
        from ai_edge_litert.interpreter import Interpreter

        interpreter = TfliteInterpreter(Interpreter(model_content=self.data))
        return lambda *arrays: interpreter.invoke(arrays)


@contextmanager
def name_file_in_errors(path: Path) -> Iterator[None]:
    """Prefix the message of a :class:`ModelError` with the path of the file."""
    try:
        yield
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def require_float(path: Path, graph: Graph) -> None:
    """Raise :class:`ModelError` if any tensor of a file is quantized."""
    if tensor := find_quantized(graph):
        raise ModelError(
            f"{path}: is quantized already ({tensor.name} is {tensor.dtype}); provide the float"
            " model"
        )


def find_quantized(graph: Graph) -> Tensor | None:
    """Return the first tensor that is quantized, or stored as one is; None in a float model."""
    found = (
        tensor
        for tensor in graph.tensors
        if tensor.quant or (tensor.is_constant and tensor.dtype in _QUANTIZED)
    )
    return next(found, None)


def real_signature(path: Path, graph: Graph) -> Signature:
    """Return the signature of a .tflite file, with float32 for quantized inputs and outputs.

    Shapes are without the batch of 1. Raises :class:`ModelError` for an input or output with more
    than one scale.
    """
    return Signature(
        inputs=_specs(path, graph.input_tensors), outputs=_specs(path, graph.output_tensors)
    )


def _specs(path: Path, tensors: Sequence[Tensor]) -> tuple[TensorSpec, ...]:
    named = zip(number_duplicates(tensor.name for tensor in tensors), tensors, strict=True)
    return tuple(_spec(path, name, tensor) for name, tensor in named)


def _spec(path: Path, name: str, tensor: Tensor) -> TensorSpec:
    if tensor.quant and tensor.quant.axis is not None:
        raise ModelError(
            f"{path}: {name!r} has a scale for each channel; quantize it with a single scale"
        )
    return TensorSpec(
        name=name,
        shape=tensor.sample_shape,
        dtype="float32" if tensor.quant else tensor.dtype,
    )
