"""The report of ``edgepack inspect``: the graphs, layers and tensors of a .tflite file.

:mod:`edgepack.report.text.inspect` writes it as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgepack.core.schema_version import SCHEMA
from edgepack.report.format.finite import finite_or_none
from edgepack.storage.artifact import Artifact


@dataclass(frozen=True, kw_only=True)
class TensorInspection:
    """A tensor.

    ``shape`` is the file's. ``signature`` has None for each dimension that may change from run to
    run, and is empty if none may. ``role`` is ``input``, ``output``, ``constant``, ``variable``,
    ``activation`` or ``unused``; a tensor that is both input and output is an ``input``. ``bytes``
    is the size in the file for a constant, otherwise that of its values. ``axis`` is the dimension
    of per-channel scales. ``first_step`` and ``last_step`` are when it is alive: 0 is before the
    first layer, and layers count from 1; None for constants. ``zeros`` is the fraction of a layer's
    weights that represent zero, ``real_range`` the real values that the type can represent; None
    where it does not apply.
    """

    index: int
    name: str
    role: str
    dtype: str
    shape: tuple[int, ...]
    signature: tuple[int | None, ...]
    bytes: int
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None
    real_range: tuple[float, float] | None
    zeros: float | None
    is_sparse: bool
    is_blockwise: bool
    first_step: int | None
    last_step: int | None


@dataclass(frozen=True, kw_only=True)
class LayerInspection:
    """An operator, in the order of execution.

    ``inputs`` and ``outputs`` are indices of the graph's tensors; -1 is an omitted input.
    ``constant_bytes`` is the size of its constants in the file, without those that an earlier layer
    uses. ``macs`` (multiply-accumulates) is None where it cannot be computed, and so is ``zeros``,
    the fraction of its ``weights`` that represent zero. ``memory_bytes`` of activations are alive
    while it runs; ``waiting_bytes`` of them are kept for a later layer. ``runs`` are the numbers of
    the graphs that control flow runs.
    """

    name: str
    operator: str
    version: int
    is_custom: bool
    options: Mapping[str, float]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    constant_bytes: int
    weights: int
    zeros: float | None
    macs: int | None
    memory_bytes: int
    waiting_bytes: int
    runs: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Peak:
    """Where a graph needs most memory for activations.

    ``layer`` is an index of the layers, None before the first. ``tensors`` are the indices of those
    alive there, the largest first; graphs that control flow runs there add ``called_bytes``.
    """

    bytes: int
    layer: int | None
    tensors: tuple[int, ...]
    called_bytes: int


@dataclass(frozen=True, kw_only=True)
class GraphInspection:
    """A graph (subgraph) of a file.

    ``inputs`` and ``outputs`` are indices of ``tensors``. ``start_bytes`` is the size of what is
    alive before the first layer, ``variable_bytes`` that of variable tensors.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    tensors: tuple[TensorInspection, ...]
    layers: tuple[LayerInspection, ...]
    start_bytes: int
    variable_bytes: int
    peak: Peak


@dataclass(frozen=True, kw_only=True)
class InspectReport:
    """The content of a .tflite file.

    ``constant_bytes`` counts a buffer that tensors share once. ``macs`` is for one run of each
    graph, without layers whose number cannot be computed. ``zeros`` is the fraction of all
    ``weights`` that represent zero.
    """

    model: str
    artifact: Artifact
    constant_bytes: int
    macs: int
    weights: int
    zeros: float | None
    graphs: tuple[GraphInspection, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the inspection for JSON, with None for numbers that are not finite."""
        fields: dict[str, Any] = finite_or_none({"schema": SCHEMA, **asdict(self)})
        return fields
