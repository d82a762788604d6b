"""The export: all the way to C."""

from __future__ import annotations

from edgepack.errors import RecipeError
from edgepack.pipeline.produce import produce
from edgepack.progress import Progress
from edgepack.recipe import DEFAULT_TARGETS, Recipe
from edgepack.report import Report
from edgepack.target import load_targets


def export(recipe: Recipe, progress: Progress | None = None, *, verbose: bool = False) -> Report:
    """Export a model: compress if asked to, quantize, emit C, validate and compare.

    Writes ``recipe.output`` whole or not at all and returns the report that it holds. A model
    that does not pass on a target is still written: ``report.passed`` tells. ``verbose`` lets
    TensorFlow and the interpreters write to standard error.

    Raises an :class:`~edgepack.errors.EdgepackError` for what a user can cause or cure.
    """
    if not recipe.targets:
        raise RecipeError(f"no target: name at least one, such as {DEFAULT_TARGETS[0]!r}")
    targets = load_targets(recipe.targets)
    runtimes = [name for target in targets for name in target.interpreters]
    return produce("export", recipe, targets, runtimes, progress, firmware=True, verbose=verbose)
