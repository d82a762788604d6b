"""The command ``edgepack debug``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgepack.cli.options import (
    QUANTIZING_GROUPS,
    GroupedCommand,
    force_option,
    make_config,
    quantizing_options,
    repeated_inputs,
    selected_targets,
    target_option,
    verbose_option,
)
from edgepack.cli.printing import print_result
from edgepack.cli.progress_bars import ProgressBars
from edgepack.cli.value_types import PATH
from edgepack.config.debug import DebugConfig
from edgepack.config.shared_settings import DEFAULT_TARGETS


class _Debug(GroupedCommand):
    groups = QUANTIZING_GROUPS


@click.command(cls=_Debug)
@quantizing_options(metric=False)
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
    from edgepack.pipeline.debug import debug_repeating
    from edgepack.report.text.layer_errors import render_debug

    config = make_config(
        DebugConfig, ctx, options, output=output, targets=selected_targets(targets, ())
    )
    report = debug_repeating(config, repeated_inputs(ctx), ProgressBars(), verbose=verbose)
    click.echo(err=True)
    print_result(render_debug(report, output))
