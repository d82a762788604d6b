"""The ``export`` command: from a model to quantized files and C sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgepack.config.checked_call import takes
from edgepack.config.export import ExportConfig
from edgepack.config.shared_settings import DEFAULT_TARGETS
from edgepack.core.errors import ConfigError
from edgepack.core.former_names import former_argument
from edgepack.core.progress import Progress
from edgepack.devices.target import load_targets
from edgepack.pipeline.exporting.produce import produce
from edgepack.report.data.export import ExportReport


@former_argument("recipe", "config")
@takes(ExportConfig)
def export(
    config: ExportConfig, progress: Progress | None = None, *, verbose: bool = False
) -> ExportReport:
    """Export a model: compress it if requested, quantize, emit C, validate and compare.

    Writes ``config.output`` atomically, and returns the report that it contains. A model that fails
    on a target is still written; see ``report.passed``. ``verbose`` lets TensorFlow and the
    interpreters write to standard error.

    Raises an :class:`~edgepack.core.errors.EdgepackError` for what a user can cause or cure.
    """
    return export_repeating(config, {}, progress, verbose=verbose)


def export_repeating(
    config: ExportConfig,
    repeats: Mapping[str, Any],
    progress: Progress | None = None,
    *,
    verbose: bool = False,
) -> ExportReport:
    """Export as :func:`export` does; a note says which inputs are others than the repeated ones.

    ``repeats`` are those of the export that is repeated, by role, as its manifest describes them.
    """
    if not config.targets:
        raise ConfigError(f"no target: name at least one, such as {DEFAULT_TARGETS[0]!r}")
    targets = load_targets(config.targets)
    runtimes = [name for target in targets for name in target.interpreters]
    return produce(
        *("export", config, targets, runtimes, progress),
        firmware=True,
        repeats=repeats,
        verbose=verbose,
    )
