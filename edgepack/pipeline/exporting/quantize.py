"""The ``quantize`` command: a quantized .tflite file, validated and compared with float."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgepack.config.checked_call import takes
from edgepack.config.export import as_export
from edgepack.config.quantize import QuantizeConfig
from edgepack.config.shared_settings import DEFAULT_TARGETS
from edgepack.core.progress import Progress
from edgepack.devices.scheme_support import left_out_notes, supporting_runtimes, supporting_targets
from edgepack.devices.target import load_targets
from edgepack.pipeline.exporting.produce import produce
from edgepack.report.data.export import ExportReport


@takes(QuantizeConfig)
def quantize(
    config: QuantizeConfig, progress: Progress | None = None, *, verbose: bool = False
) -> ExportReport:
    """Quantize a model, run it on the interpreters and compare it with float.

    Like :func:`~edgepack.pipeline.exporting.export.export`, but without C. Without
    targets, uses the default targets and all interpreters that support the scheme.
    """
    return quantize_repeating(config, {}, progress, verbose=verbose)


def quantize_repeating(
    config: QuantizeConfig,
    repeats: Mapping[str, Any],
    progress: Progress | None = None,
    *,
    verbose: bool = False,
) -> ExportReport:
    """Quantize as :func:`quantize` does; ``repeats`` are as for ``export_repeating``."""
    notes: list[str] = []
    if config.targets:
        targets = load_targets(config.targets)
        runtimes = [name for target in targets for name in target.interpreters]
    else:
        targets = supporting_targets(config.quantization, DEFAULT_TARGETS)
        runtimes = supporting_runtimes(config.quantization)
        notes = left_out_notes(config.quantization, DEFAULT_TARGETS)
    return produce(
        *("quantize", as_export(config), targets, runtimes, progress),
        firmware=False,
        notes=notes,
        repeats=repeats,
        verbose=verbose,
    )
