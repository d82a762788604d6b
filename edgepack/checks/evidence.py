"""What checks inspect besides the target: the model, and what running it showed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edgepack.config.budgets import Budgets
from edgepack.core.findings import Finding
from edgepack.devices.ethos_u import Compilation
from edgepack.evaluation.deviation import Deviation
from edgepack.evaluation.scores import Drop
from edgepack.footprint import Footprint
from edgepack.runtimes.run_result import Run
from edgepack.tflite.graph import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """A model, and what running it showed.

    ``model_bytes`` is the size of the file. ``contradictions`` are errors that the reference
    kernels find in it. ``runs`` are by runtime; ``deviations`` from the reference kernels are by
    runtime and output. ``footprints`` are by TFLM's kernels (:data:`edgepack.footprint.KERNELS`).
    ``drops`` and ``latency_ratios``, both by runtime, compare with the float model; the ratios are
    those on this machine, and ``is_timed`` is False if nothing was timed. ``budgets`` are by their
    source; the target's own apply in addition. ``compilations`` are Vela's results by accelerator.
    """

    model: Model
    model_bytes: int
    contradictions: Sequence[Finding] = ()
    runs: Mapping[str, Run] = field(default_factory=dict)
    deviations: Mapping[str, Mapping[str, Deviation]] = field(default_factory=dict)
    footprints: Mapping[str, Footprint] = field(default_factory=dict)
    drops: Mapping[str, Drop] = field(default_factory=dict)
    latency_ratios: Mapping[str, float] = field(default_factory=dict)
    is_timed: bool = False
    budgets: Mapping[str, Budgets] = field(default_factory=dict)
    compilations: Mapping[str, Compilation] = field(default_factory=dict)
