"""The command ``edgepack doctor``."""

from __future__ import annotations

import json

import click

from edgepack.cli.options import verbose_option
from edgepack.cli.printing import print_result
from edgepack.cli.progress_bars import ProgressBars


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@verbose_option
@click.pass_context
def doctor(ctx: click.Context, /, *, as_json: bool, verbose: bool) -> None:
    """Show what is installed, what works, and what is lost without the rest.

    Each interpreter runs a tiny model, and packages are imported, in processes of their own. Of
    TensorFlow and Keras only the versions are looked at, as they take many seconds to import.

    Exit status: 0 everything that the commands need is here, or all of it but what a light
    installation omits; 3 a command cannot work, or not with every model, or may not work, with a
    version of a package that edgepack does not work with. What an extra of edgepack brings may be
    missing.
    """
    from edgepack.pipeline.doctor import doctor as run_doctor
    from edgepack.report.text.doctor import render_doctor

    report = run_doctor(ProgressBars(), verbose=verbose)
    click.echo(err=True)
    print_result(json.dumps(report.to_dict(), indent=2) if as_json else render_doctor(report))
    ctx.exit(report.exit_status)
