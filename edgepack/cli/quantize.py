"""The command ``edgepack quantize``."""

from __future__ import annotations

from typing import Any

import click

from edgepack.cli.budget_options import BUDGETS_GROUP, loss_budget_options, pop_budgets
from edgepack.cli.options import (
    QUANTIZING_GROUPS,
    GroupedCommand,
    make_config,
    quantizing_options,
    repeated_inputs,
    result_options,
    selected_targets,
)
from edgepack.cli.printing import print_result
from edgepack.cli.progress_bars import ProgressBars
from edgepack.config.quantize import QuantizeConfig
from edgepack.config.shared_settings import DEFAULT_TARGETS


class _Quantize(GroupedCommand):
    groups = QUANTIZING_GROUPS | {"max_drop": BUDGETS_GROUP}


@click.command(cls=_Quantize)
@quantizing_options()
@loss_budget_options
@result_options(f"those of {' and '.join(DEFAULT_TARGETS)} that support the scheme")
@click.pass_context
def quantize(
    ctx: click.Context,
    /,
    *,
    targets: tuple[str, ...],
    verbose: bool,
    **options: Any,
) -> None:
    """Quantize MODEL, and compare the result with the float model.

    MODEL is a model as for export. Runs the quantized model on the interpreters that support the
    scheme, and writes DIR with float.tflite, the quantized model (named after its scheme),
    calibration.json, report.html, report.md, report.json and manifest.json. Exit status as for
    export.

    \b
    Example:
      edgepack quantize model.keras --representative calib.npz --scheme int16 --output build/model
    """  # noqa: D301 (click reads the backspace: keep these lines as they are)
    from edgepack.pipeline.exporting.quantize import quantize_repeating
    from edgepack.report.text.export import render_export, render_ranges

    budgets = pop_budgets(options)
    config = make_config(
        QuantizeConfig, ctx, options, targets=selected_targets(targets, ()), budgets=budgets
    )
    report = quantize_repeating(config, repeated_inputs(ctx), ProgressBars(), verbose=verbose)
    click.echo(err=True)
    if report.calibration:
        print_result(f"{render_ranges(report.calibration)}\n")
    print_result(render_export(report))
    ctx.exit(report.exit_status)
