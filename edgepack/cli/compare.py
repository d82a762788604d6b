"""``edgepack compare``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edgepack.cli.options import (
    DATA_GROUP,
    GroupedCommand,
    force_option,
    loading_options,
    metric_option,
    project_file_option,
    target_names_of,
    target_option,
    verbose_option,
)
from edgepack.cli.printing import print_result
from edgepack.cli.progress_bars import Bars
from edgepack.cli.value_types import DATA, PATH, Named
from edgepack.config.compare import CompareConfig
from edgepack.config.export import DEFAULT_TARGETS
from edgepack.config.firmware import NamedModel


class _Compare(GroupedCommand):
    groups = {  # noqa: RUF012 (of the class)
        "test": DATA_GROUP,
        "metric": "Judgement",
        "weights": "Loading",
        "targets": "Running",
        "output": "Result",
        "help": "Other",
    }


@click.command(cls=_Compare)
@click.argument("model", metavar="FLOAT", type=PATH)
@click.argument("candidates", metavar="[NAME=]INT8...", type=Named(PATH), nargs=-1, required=True)
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
    help="Text file with the names of the classes, one a line.",
)
@metric_option
@click.option(
    "--max-drop",
    metavar="NUMBER",
    type=float,
    help="What may be lost: points of a fraction such as accuracy, or percent of an error."
    "  [default: max_drop of the project file's budgets]",
)
@click.option(
    "--folds",
    metavar="K",
    type=int,
    help="Cross-validate the calibration of INT8: calibrate on K-1 parts of the samples,"
    " test on the other, K times.",
)
@loading_options
@target_option(" and ".join(DEFAULT_TARGETS))
@click.option("--no-cache", is_flag=True, help="Run and compute everything anew; keep nothing.")
@click.option(
    "--output",
    metavar="DIR",
    type=PATH,
    help="Folder to write report.html, report.md and report.json to; must not exist. Looks closer:"
    " checks, layers, sparsity, data.",
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
    """Compare FLOAT with INT8, on the same samples, and tell whether a drop is real.

    FLOAT is what export takes, or a float .tflite file; INT8 is a .tflite file that was made of
    it, or several. Each runs on the targets' interpreters. Exit status: 0 compared; 1 more was
    lost than --max-drop allows; 2 wrong use or bad input; 3 a needed package is missing.

    \b
    Example:
      edgepack compare model.keras build/model/int8.tflite --test test.npz --output build/report
    """  # noqa: D301 (click reads the backspace: keep these lines as they are)
    from edgepack.pipeline.comparison.compare import compare as run_compare
    from edgepack.report.text.comparison import render_comparison

    trial = CompareConfig(
        model=model,
        candidates=tuple(NamedModel(path=path, name=name or None) for name, path in candidates),
        targets=target_names_of(targets, DEFAULT_TARGETS),
        is_cached=not no_cache,
        **options,
    )
    report = run_compare(trial, Bars(), verbose=verbose)
    if as_json:
        print_result(json.dumps(report.to_dict(), indent=2, allow_nan=False))
    else:
        click.echo(err=True)
        print_result(render_comparison(report))
    ctx.exit(1 if report.passed is False else 0)
