"""What checks inspect besides the target: the model, and what running it showed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from edgepack.config.budgets import Budgets
from edgepack.core.findings import Finding
from edgepack.devices.ethos_u import Compilation
from edgepack.evaluation.channels import ChannelGroup
from edgepack.evaluation.closeness import Closeness
from edgepack.evaluation.collapse import CollapseOrigin
from edgepack.evaluation.deviation import Deviation
from edgepack.footprint import Footprint
from edgepack.runtimes.run_result import Run
from edgepack.tflite.graph import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """A model, and what running it showed.

    ``model_bytes`` is the size of the file. ``contradictions`` are errors that the reference
    kernels find in it. ``runs`` are by runtime; ``deviations`` from the reference kernels are by
    runtime and output. ``footprints`` are by TFLM's kernels (:data:`edgepack.footprint.KERNELS`).
    ``closeness`` to the float model is by runtime and output; sentences call the model ``name``.
    ``is_real_data`` is False where it was measured on random inputs, ``origin`` is where a collapse
    began. ``channels`` are what the scales of outputs under-resolve, by output, in order, then by
    runtime; empty if nothing was compared with a float model. ``latency_ratios``, by runtime, are
    those to the float model on this machine; ``is_timed`` is False if nothing was timed.
    ``budgets`` are by their source; the target's own apply in addition. ``compilations`` are Vela's
    results by accelerator.
    """

    model: Model
    model_bytes: int
    contradictions: Sequence[Finding] = ()
    runs: Mapping[str, Run] = field(default_factory=dict)
    deviations: Mapping[str, Mapping[str, Deviation]] = field(default_factory=dict)
    footprints: Mapping[str, Footprint] = field(default_factory=dict)
    name: str = "int8"
    closeness: Mapping[str, Mapping[str, Closeness]] = field(default_factory=dict)
    is_real_data: bool = True
    origin: CollapseOrigin | None = None
    channels: Mapping[str, Mapping[str, Sequence[ChannelGroup]]] = field(default_factory=dict)
    latency_ratios: Mapping[str, float] = field(default_factory=dict)
    is_timed: bool = False
    budgets: Mapping[str, Budgets] = field(default_factory=dict)
    compilations: Mapping[str, Compilation] = field(default_factory=dict)

    def outputs(self, runtimes: Iterable[str]) -> dict[str, Closeness]:
        """Return the compared outputs on some interpreters, by what sentences call them."""
        return outputs_in_words(
            self.name,
            {name: self.closeness[name] for name in runtimes if name in self.closeness},
        )


def outputs_in_words(
    name: str, closeness: Mapping[str, Mapping[str, Closeness]]
) -> dict[str, Closeness]:
    """Return the outputs of a model by what sentences call them.

    That is ``name``, the interpreters, together if all their figures are the same, and the output
    if there are several. ``closeness`` is by interpreter and output.
    """
    groups: list[tuple[list[str], Mapping[str, Closeness]]] = []
    for runtime, outputs in closeness.items():
        together = next((names for names, same in groups if same == outputs), None)
        if together is None:
            groups.append(([runtime], outputs))
        else:
            together.append(runtime)
    named = {}
    for runtimes, outputs in groups:
        where = f"{name} on {', '.join(runtimes)}"
        for output, each in outputs.items():
            named[f"output {output!r} of {where}" if len(outputs) > 1 else where] = each
    return named
