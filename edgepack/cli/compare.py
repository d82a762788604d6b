"""The command ``edgepack compare``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edgepack.cli.budget_options import BUDGETS_GROUP, loss_budget_options, pop_budgets
from edgepack.cli.options import (
    DATA_GROUP,
    GroupedCommand,
    force_option,
    loading_options,
    metric_option,
    project_file_option,
    selected_targets,
    target_option,
    verbose_option,
)
from edgepack.cli.printing import print_result
from edgepack.cli.progress_bars import ProgressBars
from edgepack.cli.value_types import DATA, PATH, NamedValue
from edgepack.config.compare import CompareConfig
from edgepack.config.firmware import NamedModel
from edgepack.config.shared_settings import DEFAULT_TARGETS


class _Compare(GroupedCommand):
    groups = {  # noqa: RUF012 (a class attribute)
        "test": DATA_GROUP,
        "metric": "Evaluation",
        "max_drop": BUDGETS_GROUP,
        "weights": "Loading",
        "targets": "Running",
        "output": "Result",
        "help": "Other",
    }


@click.command(cls=_Compare)
@click.argument("model", metavar="FLOAT", type=PATH)
@click.argument(
    "candidates", metavar="[NAME=]INT8...", type=NamedValue(PATH), nargs=-1, required=True
)
@click.option(
    "--test",
    metavar="DATA",
    type=DATA,
    required=True,
    help="Samples to run all models on, optionally with labels.",
)
@project_file_option
@click.option(
    "--labels",
    metavar="FILE",
    type=PATH,
    help="Text file with the class names, one per line, in the order of the outputs.",
)
@metric_option
@click.option(
    "--folds",
    metavar="K",
    type=int,
    help="Cross-validate the calibration of INT8 with K folds: calibrate on K-1 of them, test on"
    " the remaining one, K times.",
)
@loss_budget_options
@loading_options
@target_option(" and ".join(DEFAULT_TARGETS))
@click.option("--no-cache", is_flag=True, help="Compute everything anew, and cache nothing.")
@click.option(
    "--output",
    metavar="DIR",
    type=PATH,
    help="New folder for report.html, report.md and report.json. The report also covers checks,"
    " layers, sparsity and data.",
)
@force_option
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@verbose_option
@click.pass_context
def compare(
    ctx: click.Context,
    /,
    *,
    model: Path,
    candidates: tuple[tuple[str, Path], ...],
    targets: tuple[str, ...],
    no_cache: bool,
    as_json: bool,
    verbose: bool,
    **options: Any,
) -> None:
    """Compare quantized models with FLOAT on the same samples.

    Reports the loss of each, and whether it is statistically significant. FLOAT is a model as for
    export; each INT8 is a .tflite file that was made from it. Each runs on the targets'
    interpreters. Exit status: 0 success; 1 a budget is exceeded, or the outputs are lost; 2
    incorrect usage or invalid input; 3 a required package is not installed; 4 the samples do not
    show whether a budget is kept.

    \b
    Example:
      edgepack compare model.keras build/model/int8.tflite --test test.npz --output build/report
    """  # noqa: D301 (click reads the backspace: keep these lines as they are)
    from edgepack.pipeline.comparison.compare import compare as run_compare
    from edgepack.report.text.compare import render_comparison

    config = CompareConfig(
        model=model,
        candidates=tuple(NamedModel(path=path, name=name or None) for name, path in candidates),
        targets=selected_targets(targets, DEFAULT_TARGETS),
        budgets=pop_budgets(options),
        is_cached=not no_cache,
        **options,
    )
    report = run_compare(config, ProgressBars(), verbose=verbose)
    if as_json:
        print_result(json.dumps(report.to_dict(), indent=2, allow_nan=False))
    else:
        click.echo(err=True)
        print_result(render_comparison(report))
    ctx.exit(report.exit_status)
