"""The command ``edgepack lint``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edgepack.cli.options import GroupedCommand, loading_options, sampling_options, verbose_option
from edgepack.cli.printing import print_result
from edgepack.cli.progress_bars import ProgressBars
from edgepack.cli.value_types import DATA, PATH
from edgepack.config.lint import LintConfig


class _Lint(GroupedCommand):
    groups = {"weights": "Loading", "strict": "Result", "help": "Other"}  # noqa: RUF012 (a class attribute)


@click.command(cls=_Lint)
@click.argument("model", type=PATH)
@click.argument("data", type=DATA)
@click.option("--test", metavar="DATA", type=DATA, help="Test data, to be checked too.")
@sampling_options
@loading_options
@click.option("--strict", is_flag=True, help="Exit with status 1 if there are findings.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@verbose_option
@click.pass_context
def lint(
    ctx: click.Context,
    /,
    *,
    data: Path | str,
    strict: bool,
    as_json: bool,
    verbose: bool,
    **options: Any,
) -> None:
    """Check DATA, the representative dataset of MODEL, for likely mistakes.

    Checks that the data are consistent, and that they match the traces of the training in the
    model: the mean and variance in its normalization layers, a leading Rescaling layer, its
    probabilities and labels.

    \b
    Example:
      edgepack lint model.keras calib.npz --test test.npz
    """  # noqa: D301 (click reads the backspace: keep these lines as they are)
    from edgepack.pipeline.lint import lint as run_lint
    from edgepack.report.text.lint import render_lint

    config = LintConfig(representative=data, **options)
    report = run_lint(config, ProgressBars(), verbose=verbose)
    click.echo(err=True)
    print_result(json.dumps(report.to_dict(), indent=2) if as_json else render_lint(report))
    ctx.exit(1 if strict and report.findings else 0)
