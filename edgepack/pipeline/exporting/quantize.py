"""The ``quantize`` command: a quantized .tflite file, validated and compared with float."""

from __future__ import annotations

from edgepack.config.export import DEFAULT_TARGETS, Recipe
from edgepack.core.progress import Progress
from edgepack.devices.scheme_support import left_out_notes, supporting_runtimes, supporting_targets
from edgepack.devices.target import load_targets
from edgepack.pipeline.exporting.produce import produce
from edgepack.report.data.export import Report


def quantize(recipe: Recipe, progress: Progress | None = None, *, verbose: bool = False) -> Report:
    """Quantize a model, run it on the interpreters and compare it with float.

    Like :func:`~edgepack.pipeline.exporting.export.export`, but without C. If the recipe names no
    target, uses the default targets and all interpreters that support the scheme.
    """
    notes: list[str] = []
    if recipe.targets:
        targets = load_targets(recipe.targets)
        runtimes = [name for target in targets for name in target.interpreters]
    else:
        targets = supporting_targets(recipe.quantization, DEFAULT_TARGETS)
        runtimes = supporting_runtimes(recipe.quantization)
        notes = left_out_notes(recipe.quantization, DEFAULT_TARGETS)
    return produce(
        *("quantize", recipe, targets, runtimes, progress),
        firmware=False,
        notes=notes,
        verbose=verbose,
    )
