"""The command ``edgepack diff``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgepack.cli.config_file import bare_config_option
from edgepack.cli.printing import print_result
from edgepack.cli.value_types import PATH
from edgepack.config.diff import DiffConfig


@click.command()
@click.argument("a", type=PATH)
@click.argument("b", type=PATH)
@bare_config_option
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON.")
@click.pass_context
def diff(ctx: click.Context, /, *, a: Path, b: Path, as_json: bool) -> None:
    """Show what became better or worse between the reports A and B.

    Each is a folder that export, quantize, compare or firmware wrote, its report.json, or a file
    with the output of validate --format json. Exit status: 0 nothing became worse; 1 something
    did; 2 incorrect usage, or a file that is not a report.

    \b
    Example:
      edgepack diff build/before build/after
    """  # noqa: D301 (click reads the backspace: keep these lines as they are)
    from edgepack.pipeline.diff import diff as run_diff
    from edgepack.report.text.diff import render_difference

    difference = run_diff(DiffConfig(a=a, b=b))
    if as_json:
        print_result(json.dumps(difference.to_dict(), indent=2))
    else:
        print_result(render_difference(difference))
    ctx.exit(difference.exit_status)
