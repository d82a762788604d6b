"""``edgepack diff``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgepack.cli.config_file import bare_config_option
from edgepack.cli.printing import print_result
from edgepack.cli.value_types import PATH


@click.command()
@click.argument("a", type=PATH)
@click.argument("b", type=PATH)
@bare_config_option
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON.")
@click.pass_context
def diff(ctx: click.Context, /, *, a: Path, b: Path, as_json: bool) -> None:
    """Tell what became better or worse from A to B.

    Each is a folder that export, quantize, compare or firmware wrote, its report.json, or a file
    of what validate --format json printed. Exit status: 0 nothing became worse; 1 something did;
    2 wrong use, or a file that is no report.

    \b
    Example:
      edgepack diff build/before build/after
    """  # noqa: D301 (click reads the backspace: keep these lines as they are)
    from edgepack.pipeline.diff import diff as run_diff
    from edgepack.report.text.difference import render_difference

    found = run_diff(a, b)
    told = json.dumps(found.to_dict(), indent=2) if as_json else render_difference(found)
    print_result(told)
    ctx.exit(found.exit_status)
