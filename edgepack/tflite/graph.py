"""A parsed .tflite file: its tensors, operators and subgraphs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod


@dataclass(frozen=True, kw_only=True)
class QuantParams:
    """Affine quantization: ``real = scale * (q - zero_point)``.

    One scale and zero point for the whole tensor, or one of each per slice along ``axis``.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None  # None means per-tensor


_ITEM_BYTES = (
    dict.fromkeys(("bool", "int2", "int4", "int8", "uint8"), 1)
    | dict.fromkeys(("bfloat16", "float16", "int16", "uint16"), 2)
    | dict.fromkeys(("float32", "int32", "uint32", "resource"), 4)
    | dict.fromkeys(("complex128",), 16)
)
_OTHER_ITEM_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A tensor of a .tflite file.

    ``dtype`` is TFLite's type name in lower case (``int8``, ``float32``, ...). ``data`` holds the
    little-endian bytes of a constant, and is empty for a computed tensor; ``buffer`` is the index
    of these bytes in the file. ``signature`` is the shape with -1 for dynamic sizes, empty if
    there are none. ``is_sparse``: only the blocks of a constant that are not zero are stored.
    ``is_blockwise``: there is one scale per block of values, which ``quant`` does not include. A
    variable keeps its value from one run to the next.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    quant: QuantParams | None
    data: bytes
    buffer: int = 0
    signature: tuple[int, ...] = ()
    is_sparse: bool = False
    is_blockwise: bool = False
    is_variable: bool = False

    @property
    def is_constant(self) -> bool:
        """Whether the file stores the values."""
        return bool(self.data)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample, without a batch dimension of 1."""
        return self.shape[1:] if self.shape[:1] == (1,) else self.shape

    @property
    def value_bytes(self) -> int:
        """The bytes of its values in an interpreter; eight each for an unknown type.

        >>> Tensor(name="x", shape=(2, 3), dtype="int16", quant=None, data=b"").value_bytes
        12
        """
        return prod(self.shape) * _ITEM_BYTES.get(self.dtype, _OTHER_ITEM_BYTES)


@dataclass(frozen=True, kw_only=True)
class Operator:
    """An operator of a .tflite file; ``inputs`` and ``outputs`` index the graph's tensors.

    ``name`` is TFLite's (``CONV_2D``), or the custom code if it ``is_custom``. An index of -1 marks
    an omitted input. ``options`` holds the numbers in its builtin options that are not 0, by their
    names in TFLite's schema (``dilation_w_factor``), ``custom_options`` the bytes of a custom
    operator's.
    """

    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    is_custom: bool = False
    options: Mapping[str, float] = field(default_factory=dict)
    custom_options: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A subgraph of a .tflite file, with operators in the order of execution."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        """The input tensors, in order."""
        return tuple(self.tensors[index] for index in self.inputs)

    @property
    def output_tensors(self) -> tuple[Tensor, ...]:
        """The output tensors, in order."""
        return tuple(self.tensors[index] for index in self.outputs)


@dataclass(frozen=True, kw_only=True)
class Model:
    """A parsed .tflite file. Control-flow operators run the subgraphs after the first one."""

    subgraphs: tuple[Graph, ...]

    @property
    def main(self) -> Graph:
        """The subgraph that an interpreter invokes."""
        return self.subgraphs[0]
