"""``edgepack validate``."""

from __future__ import annotations

import json
from typing import Any

import click

from edgepack.cli.options import (
    GroupedCommand,
    metric_option,
    project_file_option,
    target_names_of,
    target_option,
    verbose_option,
)
from edgepack.cli.printing import print_result
from edgepack.cli.progress_bars import Bars
from edgepack.cli.value_types import DATA, PATH
from edgepack.config.budgets import Budgets
from edgepack.config.export import DEFAULT_TARGETS
from edgepack.config.validate import DEFAULT_MEMORY_LIMIT_MIB, DEFAULT_TIME_LIMIT_S, ValidateConfig

_FORMATS = ("text", "json", "junit", "github", "html", "markdown")


class _Validate(GroupedCommand):
    groups = {  # noqa: RUF012 (of the class)
        "float_model": "Data",
        "max_drop": "Budgets",
        "arm64": "Running",
        "form": "Result",
        "help": "Other",
    }


@click.command(cls=_Validate)
@click.argument("model", type=PATH)
@target_option(" and ".join(DEFAULT_TARGETS))
@click.option(
    "--float",
    "float_model",
    metavar="FILE",
    type=PATH,
    help="Float .tflite file to compare with.  [default: float.tflite beside MODEL, if there]",
)
@click.option(
    "--test",
    metavar="DATA",
    type=DATA,
    help="Samples to run, as the float model takes them, optionally with labels.  [default: random"
    " inputs]",
)
@project_file_option
@metric_option
@click.option(
    "--max-drop",
    metavar="NUMBER",
    type=float,
    help="What quantization may cost: points of a fraction such as accuracy, percent of"
    " an error, or decibels.",
)
@click.option(
    "--max-flash", metavar="BYTES", type=int, help="Flash that model and runtime may take."
)
@click.option("--max-arena", metavar="BYTES", type=int, help="Arena on a microcontroller.")
@click.option(
    "--max-latency-ratio",
    metavar="NUMBER",
    type=float,
    help="Time of MODEL over that of the float model, both on this machine.",
)
@click.option(
    "--arm64",
    metavar="DIR",
    type=PATH,
    help="Run tflite-runtime's arm64 build too, in a folder that scripts/arm64 made.",
)
@click.option(
    "--jobs", type=int, help="Interpreters to run side by side.  [default: one for each core]"
)
@click.option(
    "--time-limit",
    "time_limit_s",
    metavar="SECONDS",
    type=float,
    default=DEFAULT_TIME_LIMIT_S,
    show_default=True,
    help="Of each interpreter.",
)
@click.option(
    "--memory-limit",
    "memory_limit_mib",
    metavar="MIB",
    type=int,
    default=DEFAULT_MEMORY_LIMIT_MIB,
    show_default=True,
    help="Of each interpreter.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    default=_FORMATS[0],
    show_default=True,
    help="How to print the result; github: annotations of GitHub Actions; html: a page.",
)
@verbose_option
@click.pass_context
def validate(
    ctx: click.Context, /, *, targets: tuple[str, ...], form: str, verbose: bool, **options: Any
) -> None:
    """Tell whether MODEL, a .tflite file, will run on devices.

    Holds its operators, data types and sizes against each target, and runs it on the target's
    interpreters, here. Exit status: 0 passed; 1 a check or a budget failed; 2 wrong use or a
    damaged file; 3 an interpreter or a tool that a target needs is not installed.

    \b
    Example:
      edgepack validate build/model/int8.tflite --target stm32l4r5zi --test test.npz --max-drop 1
    """  # noqa: D301 (click reads the backspace: keep these lines as they are)
    from edgepack.pipeline.validation.validate import validate as run_validate

    budgets = Budgets(**{name: options.pop(name) for name in [*options] if name.startswith("max_")})
    gate = ValidateConfig(
        targets=target_names_of(targets, DEFAULT_TARGETS), budgets=budgets, **options
    )
    report = run_validate(gate, Bars(), verbose=verbose)
    if form == _FORMATS[0]:
        click.echo(err=True)
    print_result(_RENDER[form](report))
    ctx.exit(report.exit_status)


def _json(report: Any) -> str:
    return json.dumps(report.to_dict(), indent=2, allow_nan=False)


def _junit(report: Any) -> str:
    from edgepack.report.text.junit import render_junit

    return render_junit(report)


def _github(report: Any) -> str:
    from edgepack.report.text.github import render_github

    return render_github(report)


def _text(report: Any) -> str:
    from edgepack.report.text.validation import render_validation

    return render_validation(report)


def _html(report: Any) -> str:
    from edgepack.report.document.html import render_html
    from edgepack.report.pages.validation import validation_document

    return render_html(validation_document(report))


def _markdown(report: Any) -> str:
    from edgepack.report.document.markdown import render_markdown
    from edgepack.report.pages.validation import validation_document

    return render_markdown(validation_document(report))


_RENDER = {
    "text": _text,
    "json": _json,
    "junit": _junit,
    "github": _github,
    "html": _html,
    "markdown": _markdown,
}
