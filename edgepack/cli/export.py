"""The command ``edgepack export``."""

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
from edgepack.cli.pruning_options import PRUNING_GROUPS, compression_steps, pruning_options
from edgepack.config.export import ExportConfig
from edgepack.config.shared_settings import DEFAULT_TARGETS


class _Export(GroupedCommand):
    groups = QUANTIZING_GROUPS | PRUNING_GROUPS | {"max_drop": BUDGETS_GROUP}


@click.command(cls=_Export)
@quantizing_options()
@loss_budget_options
@result_options(" and ".join(DEFAULT_TARGETS))
@pruning_options
@click.pass_context
def export(
    ctx: click.Context,
    /,
    *,
    targets: tuple[str, ...],
    verbose: bool,
    **options: Any,
) -> None:
    """Export MODEL as a quantized .tflite file and as C sources.

    MODEL is a .keras file, a legacy .h5 file, a SavedModel folder, a file with the JSON text of
    model.to_json() (with --weights), or a float .tflite file.

    Runs the exported model on the targets' interpreters, and writes DIR with float.tflite,
    int8.tflite (or that of another scheme), firmware/ (the model as a C array), report.html,
    report.md, report.json and manifest.json. Exit status: 0 success; 1 a check or budget failed, or
    the outputs are lost; 2 incorrect usage or invalid input; 3 a required package is not installed;
    4 the samples do not show whether a budget is kept.

    \b
    Example:
      edgepack export model.keras --representative calib.npz --test test.npz --output build/model
    """  # noqa: D301 (click reads the backspace: keep these lines as they are)
    from edgepack.pipeline.exporting.export import export_repeating
    from edgepack.report.text.export import render_export

    steps = compression_steps(ctx, options)
    names = selected_targets(targets, DEFAULT_TARGETS)
    budgets = pop_budgets(options)
    config = make_config(ExportConfig, ctx, options, compress=steps, targets=names, budgets=budgets)
    report = export_repeating(config, repeated_inputs(ctx), ProgressBars(), verbose=verbose)
    click.echo(err=True)
    print_result(render_export(report))
    ctx.exit(report.exit_status)
