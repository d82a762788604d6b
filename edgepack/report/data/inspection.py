"""What a .tflite file holds: data first, written by the module beside this one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgepack.core.schema_version import SCHEMA
from edgepack.report.format.finite import finite
from edgepack.storage.artifact import Artifact


@dataclass(frozen=True, kw_only=True)
class TensorInspection:
    """A tensor. ``bytes`` is what the file holds of a constant, else what its values take.

    ``shape`` is the file's; None stands for each dimension of ``signature`` that may change from
    run to run, and ``signature`` is empty if none may. ``role`` is ``input``, ``output``,
    ``constant``, ``variable``, ``activation``, or ``unused``; what an input also gives is an
    ``input``. ``first_step`` and ``last_step`` tell when it is alive: 0 before the first layer,
    layers count from 1; None for constants. ``zeros`` is the fraction of a layer's weights that
    mean zero, ``real_range`` what its type can represent; None where there is none to tell.
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

    ``inputs`` and ``outputs`` index the graph's tensors, -1 is an input that is left out.
    ``constant_bytes`` is what the file holds for it, constants that were taken before left out.
    ``macs`` is None where it cannot be told, and so is ``zeros``, the fraction of its ``weights``
    that mean zero. ``memory_bytes`` of activations are alive while it runs; ``waiting_bytes`` of
    them are kept for a later one. ``runs`` names the graphs that control flow runs.
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
    """Where a graph needs most memory.

    ``layer`` is its place among the layers, None before the first. ``tensors`` are alive there,
    the largest first; graphs that control flow runs there need ``called_bytes`` besides.
    """

    bytes: int
    layer: int | None
    tensors: tuple[int, ...]
    called_bytes: int


@dataclass(frozen=True, kw_only=True)
class GraphInspection:
    """A graph of a file. ``start_bytes`` is what its inputs take before the first layer."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    tensors: tuple[TensorInspection, ...]
    layers: tuple[LayerInspection, ...]
    start_bytes: int
    variable_bytes: int
    peak: Peak


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a .tflite file holds.

    ``constant_bytes`` counts what tensors share once. ``macs`` is a run of each graph, those left
    out that cannot be told. ``zeros`` is the fraction of all ``weights`` that mean zero.
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
        """Return the inspection as JSON has it: None for what is no finite number."""
        found: dict[str, Any] = finite({"schema": SCHEMA, **asdict(self)})
        return found
