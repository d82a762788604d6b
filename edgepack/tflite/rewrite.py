"""Change the tensors, operators and outputs of a .tflite file.

:mod:`edgepack.tflite.parser` reads files into edgepack's own types; this module changes and writes
them through the object form of the schema's accessors, whose attributes are those of TensorFlow
Lite's ``schema.fbs`` (``tensor.quantization.zeroPoint``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgepack.core.errors import ModelError
from edgepack.tflite.damage import require_undamaged
from edgepack.tflite.flatbuffer_tables import describe_damage
from edgepack.tflite.parser import DAMAGE

_IDENTIFIER = b"TFL3"
_ALIGNMENT = 16
_OLD_CODES_END = 127  # of BuiltinOperator, which used to be a byte


class Rewrite:
    """A .tflite file unpacked into objects, to be changed and packed again.

    ``model`` is its ``ModelT`` and ``graph`` the ``SubGraphT`` that an interpreter invokes.
    Raises :class:`~edgepack.core.errors.ModelError` for a damaged file.
    """

    def __init__(self, data: bytes) -> None:
        require_undamaged(data)
        try:
            self.model = schema.ModelT.InitFromPackedBuf(data, 0)
            self.graph = self.model.subgraphs[0]
        except DAMAGE as error:
            raise ModelError(describe_damage(error)) from error

    def to_bytes(self) -> bytes:
        """Pack the file, with each constant at a multiple of 16 bytes."""
        builder = _Builder(1024)
        builder.Finish(self.model.Pack(builder), _IDENTIFIER)
        return bytes(builder.Output())

    def set_outputs(self, tensors: Iterable[int]) -> None:
        """Make tensors, by index, the outputs of the graph, in this order.

        Interpreters compute in place: an intermediate tensor may be overwritten before it is read,
        an output is not.
        """
        self.graph.outputs = list(tensors)
        self.model.signatureDefs = []  # they name the former outputs

    def values(self, index: int) -> NDArray[Any] | None:
        """Return a constant in its dtype and shape; None for a computed tensor."""
        tensor = self.graph.tensors[index]
        data = self.model.buffers[tensor.buffer].data
        if data is None or not len(data):
            return None
        return np.asarray(data, np.uint8).view(np.dtype(dtype(tensor))).reshape(tensor.shape)

    def add_tensor(
        self,
        name: str,
        shape: Iterable[int],
        dtype: str,
        *,
        quantization: Any = None,
        values: NDArray[Any] | None = None,
    ) -> int:
        """Add a tensor, a constant if it has ``values``, and return its index.

        ``dtype`` is TFLite's type name in lower case, ``quantization`` a
        ``QuantizationParametersT``.
        """
        tensor = schema.TensorT()
        tensor.name = name.encode()
        tensor.shape = list(shape)
        tensor.type = tensor_type(dtype)
        tensor.hasRank = True
        tensor.quantization = quantization
        tensor.buffer = 0 if values is None else self.add_buffer(values)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def add_buffer(self, values: NDArray[Any]) -> int:
        """Add a buffer with the bytes of a constant and return its index."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        return len(self.model.buffers) - 1

    def replace_input(self, old: int, new: int) -> None:
        """Replace an input tensor, by index, in the graph and its signature."""
        self._replace("inputs", old, new)

    def replace_output(self, old: int, new: int) -> None:
        """Replace an output tensor, by index, in the graph and its signature."""
        self._replace("outputs", old, new)

    def _replace(self, field: str, old: int, new: int) -> None:
        setattr(self.graph, field, [new if i == old else i for i in getattr(self.graph, field)])
        for signature in self.model.signatureDefs or ():
            for entry in getattr(signature, field):
                if signature.subgraphIndex == 0 and entry.tensorIndex == old:
                    entry.tensorIndex = new

    def drop_unused(self) -> None:
        """Remove unused tensors of the graph, and the content of unused buffers."""
        operators = self.graph.operators
        used = {*self.graph.inputs, *self.graph.outputs}
        used.update(*([*op.inputs, *op.outputs, *_list(op.intermediates)] for op in operators))
        kept = [index for index in range(len(self.graph.tensors)) if index in used]
        moved = {-1: -1} | {old: new for new, old in enumerate(kept)}
        self.graph.tensors = [self.graph.tensors[index] for index in kept]
        for holder in (self.graph, *operators):
            holder.inputs = [moved[index] for index in holder.inputs]
            holder.outputs = [moved[index] for index in holder.outputs]
        for operator in operators:
            operator.intermediates = [moved[index] for index in _list(operator.intermediates)]
        for signature in self.model.signatureDefs or ():
            for entry in (*signature.inputs, *signature.outputs):
                if signature.subgraphIndex == 0:
                    entry.tensorIndex = moved[entry.tensorIndex]
        used_buffers = {tensor.buffer for graph in self.model.subgraphs for tensor in graph.tensors}
        used_buffers |= {entry.buffer for entry in self.model.metadata or ()}
        for index, buffer in enumerate(self.model.buffers):
            if index not in used_buffers:
                buffer.data = None

    def operator(
        self, name: str, version: int, inputs: Sequence[int], outputs: Sequence[int]
    ) -> Any:
        """Return an operator without options, which the caller adds to ``graph.operators``."""
        operator = schema.OperatorT()
        operator.opcodeIndex = self.operator_code(name, version)
        operator.inputs = list(inputs)
        operator.outputs = list(outputs)
        return operator

    def operator_code(self, name: str, version: int) -> int:
        """Find or add the code of a built-in operator in a version and return its index."""
        number = getattr(schema.BuiltinOperator, name)
        codes = self.model.operatorCodes
        for index, code in enumerate(codes):
            if (self.builtin(code), code.version) == (number, version):
                return index
        code = schema.OperatorCodeT()
        code.builtinCode = number
        code.deprecatedBuiltinCode = min(number, _OLD_CODES_END)
        code.version = version
        codes.append(code)
        return len(codes) - 1

    def name(self, operator: Any) -> str:
        """Return the name of an ``OperatorT``'s built-in operator, such as ``CONV_2D``."""
        return _OPERATORS[self.builtin(self.model.operatorCodes[operator.opcodeIndex])]

    @staticmethod
    def builtin(code: Any) -> int:
        """Return the number of a built-in operator from its ``OperatorCodeT``."""
        return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def dtype(tensor: Any) -> str:
    """Return the type of a ``TensorT`` in lower case, such as ``int8``."""
    return _TYPES[tensor.type]


def tensor_type(dtype: str) -> int:
    """Return the schema's number of a type, such as ``int8``."""
    return int(getattr(schema.TensorType, dtype.upper()))


def quantization(
    scale: Sequence[float] | NDArray[Any], zero_point: Sequence[int], axis: int | None = None
) -> Any:
    """Return the ``QuantizationParametersT`` of an affine quantization."""
    parameters = schema.QuantizationParametersT()
    parameters.scale = np.asarray(scale, np.float32)
    parameters.zeroPoint = np.asarray(zero_point, np.int64)
    parameters.quantizedDimension = axis or 0
    return parameters


def _names(enumeration: Any) -> dict[int, str]:
    return {number: name for name, number in vars(enumeration).items() if isinstance(number, int)}


_OPERATORS = _names(schema.BuiltinOperator)
_TYPES = {number: name.lower() for number, name in _names(schema.TensorType).items()}


def _list(vector: Any) -> list[int]:
    """Return a vector as a list, empty if it is absent."""
    return [] if vector is None else list(vector)


class _Builder(flatbuffers.Builder):  # type: ignore[misc]  # it has no type hints
    def StartVector(self, elem_size: int, count: int, alignment: int) -> Any:  # noqa: N802 (its name)
        # The schema's force_align requires this of constants, which interpreters use in place.
        minimum = _ALIGNMENT if elem_size == 1 else alignment
        return super().StartVector(elem_size, count, max(minimum, alignment))
