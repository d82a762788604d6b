"""The command ``edgepack debug``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from edgepack.cli.options import (
    RECIPE_GROUPS,
    GroupedCommand,
    force_option,
    make_recipe,
    recipe_options,
    selected_targets,
    target_option,
    verbose_option,
)
from edgepack.cli.printing import print_result
from edgepack.cli.progress_bars import ProgressBars
from edgepack.cli.value_types import PATH
from edgepack.config.export import DEFAULT_TARGETS
from edgepack.core.temporary_folders import temporary_folder


class _Debug(GroupedCommand):
    groups = RECIPE_GROUPS


@click.command(cls=_Debug)
@recipe_options(metric=False)
@target_option(f"those of {' and '.join(DEFAULT_TARGETS)} that support the scheme")
@click.option(
    "--output",
    metavar="DIR",
    type=PATH,
    help="New folder for debug.json, debug.svg and both models.",
)
@force_option
@verbose_option
@click.pass_context
def debug(
    ctx: click.Context,
    /,
    *,
    targets: tuple[str, ...],
    output: Path | None,
    verbose: bool,
    **options: Any,
) -> None:
    """Find the layers of MODEL where quantization costs accuracy, and the options that help.

    Quantizes MODEL as export does, compares the float and the quantized model layer by layer, and
    explains the losses. Then tries up to 16 changes of the options that the targets support, and
    prints those that help. It uses at most 64 samples, spread evenly over the data.

    \b
    Example:
      edgepack debug model.keras --representative calib.npz
    """  # noqa: D301 (click reads the backspace: keep these lines as they are)
    from edgepack.pipeline.debug import debug as run_debug
    from edgepack.report.text.layer_errors import render_debug

    with ExitStack() as stack:
        folder = output or stack.enter_context(temporary_folder()) / "debug"
        names = selected_targets(targets, ())
        config = make_recipe(ctx, options, output=folder, targets=names)
        report = run_debug(config, ProgressBars(), verbose=verbose)
    click.echo(err=True)
    print_result(render_debug(report, output))
