"""What checks look at besides the file itself."""

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

    ``contradictions`` are what the reference kernels find wrong with the file. ``runs`` and
    ``deviations`` from the reference kernels are by runtime, the latter then by
    output. ``footprints`` are by TFLM's kernels (:data:`edgepack.footprint.KERNELS`). ``drops`` and
    ``latency_ratios``, of this machine, compare with the float model, by runtime; without
    ``is_timed`` nothing was timed. ``budgets`` are
    by who set them; the target's own count besides. ``compilations`` are what Vela made of the
    model, by accelerator.
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
