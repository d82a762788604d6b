"""A parsed .tflite file: its tensors, operators and subgraphs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod


@dataclass(frozen=True, kw_only=True)
class QuantParams:
    """Affine quantization: ``real = scale * (q - zero_point)``.

    One scale and zero point for the whole tensor, or one for each slice along ``axis``.
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

    ``dtype`` is TFLite's type name in lower case (``int8``, ``float32``, ...); ``data`` holds
    the little-endian bytes of a constant and is empty for what is computed; ``buffer`` is where
    the file holds them. ``signature`` is the shape with -1 for what may change from run to run,
    empty where nothing may. ``is_sparse``: of a constant only the blocks that are not zero are
    stored. ``is_blockwise``: a scale for each few values, which ``quant`` does not tell. A
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
        """Whether the file itself holds the values."""
        return bool(self.data)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample: a batch of 1 is left out."""
        return self.shape[1:] if self.shape[:1] == (1,) else self.shape

    @property
    def value_bytes(self) -> int:
        """What its values take in an interpreter: of a type unknown here, eight bytes each.

        >>> Tensor(name="x", shape=(2, 3), dtype="int16", quant=None, data=b"").value_bytes
        12
        """
        return prod(self.shape) * _ITEM_BYTES.get(self.dtype, _OTHER_ITEM_BYTES)


@dataclass(frozen=True, kw_only=True)
class Operator:
    """An operator of a .tflite file; ``inputs`` and ``outputs`` index the graph's tensors.

    ``name`` is TFLite's (``CONV_2D``), or the custom code if it ``is_custom``. An input of -1 is
    left out. ``options`` holds those numbers of its builtin options that are not 0, under the
    names of TFLite's schema (``dilation_w_factor``), ``custom_options`` what a custom one has.
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
    """A subgraph of a .tflite file, operators in the order of execution."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        """What the graph takes, in order."""
        return tuple(self.tensors[index] for index in self.inputs)

    @property
    def output_tensors(self) -> tuple[Tensor, ...]:
        """What the graph gives, in order."""
        return tuple(self.tensors[index] for index in self.outputs)


@dataclass(frozen=True, kw_only=True)
class Model:
    """A parsed .tflite file. Control-flow operators run the subgraphs after the first."""

    subgraphs: tuple[Graph, ...]

    @property
    def main(self) -> Graph:
        """The subgraph that an interpreter invokes."""
        return self.subgraphs[0]
