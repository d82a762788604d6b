"""The ``export`` command: from a model to quantized files and C sources."""

from __future__ import annotations

from edgepack.config.export import DEFAULT_TARGETS, Recipe
from edgepack.core.errors import ConfigError
from edgepack.core.progress import Progress
from edgepack.devices.target import load_targets
from edgepack.pipeline.exporting.produce import produce
from edgepack.report.data.export import Report


def export(recipe: Recipe, progress: Progress | None = None, *, verbose: bool = False) -> Report:
    """Export a model: compress it if requested, quantize, emit C, validate and compare.

    Writes ``recipe.output`` atomically, and returns the report that it contains. A model that fails
    on a target is still written; see ``report.passed``. ``verbose`` lets TensorFlow and the
    interpreters write to standard error.

    Raises an :class:`~edgepack.core.errors.EdgepackError` for what a user can cause or cure.
    """
    if not recipe.targets:
        raise ConfigError(f"no target: name at least one, such as {DEFAULT_TARGETS[0]!r}")
    targets = load_targets(recipe.targets)
    runtimes = [name for target in targets for name in target.interpreters]
    return produce("export", recipe, targets, runtimes, progress, firmware=True, verbose=verbose)
