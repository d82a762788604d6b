"""The command ``edgepack validate``."""

from __future__ import annotations

import json
from typing import Any

import click

from edgepack.cli.budget_options import BUDGETS_GROUP, loss_budget_options, pop_budgets
from edgepack.cli.options import (
    GroupedCommand,
    metric_option,
    project_file_option,
    selected_targets,
    target_option,
    verbose_option,
)
from edgepack.cli.printing import print_result
from edgepack.cli.progress_bars import ProgressBars
from edgepack.cli.value_types import DATA, PATH, WordChoice
from edgepack.config.shared_settings import DEFAULT_TARGETS
from edgepack.config.validate import DEFAULT_MEMORY_LIMIT_MIB, DEFAULT_TIME_LIMIT_S, ValidateConfig

_FORMATS = ("text", "json", "junit", "github", "html", "markdown")


class _Validate(GroupedCommand):
    groups = {  # noqa: RUF012 (a class attribute)
        "float_model": "Data",
        "max_drop": BUDGETS_GROUP,
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
    help="Float .tflite file to compare with.  [default: float.tflite beside MODEL, if it exists]",
)
@click.option(
    "--test",
    metavar="DATA",
    type=DATA,
    help="Samples to run, as for the float model, optionally with labels.  [default: random"
    " inputs]",
)
@project_file_option
@metric_option
@loss_budget_options
@click.option(
    "--max-flash", metavar="BYTES", type=int, help="Largest flash size of model and runtime."
)
@click.option(
    "--max-arena", metavar="BYTES", type=int, help="Largest arena size on a microcontroller."
)
@click.option(
    "--max-latency-ratio",
    metavar="NUMBER",
    type=float,
    help="Largest ratio of the latency of MODEL to that of the float model on this machine.",
)
@click.option(
    "--arm64",
    metavar="DIR",
    type=PATH,
    help="Folder made by scripts/arm64, to run the arm64 build of tflite-runtime too.",
)
@click.option(
    "--jobs", type=int, help="Number of interpreters to run concurrently.  [default: one per core]"
)
@click.option(
    "--time-limit",
    "time_limit_s",
    metavar="SECONDS",
    type=float,
    default=DEFAULT_TIME_LIMIT_S,
    show_default=True,
    help="Time limit of each interpreter, to load the model and for each sample.",
)
@click.option(
    "--memory-limit",
    "memory_limit_mib",
    metavar="MIB",
    type=int,
    default=DEFAULT_MEMORY_LIMIT_MIB,
    show_default=True,
    help="Memory limit of each interpreter.",
)
@click.option(
    "--format",
    "form",
    type=WordChoice(_FORMATS),
    default=_FORMATS[0],
    show_default=True,
    help="Format of the result; github: annotations for GitHub Actions; html: a page.",
)
@verbose_option
@click.pass_context
def validate(
    ctx: click.Context, /, *, targets: tuple[str, ...], form: str, verbose: bool, **options: Any
) -> None:
    """Check whether MODEL, a .tflite file, will run on the target devices.

    Checks its operators, data types and sizes for each target, and runs it on the target's
    interpreters on this machine. Exit status: 0 passed; 1 a check or budget failed; 2 incorrect
    usage or a damaged file; 3 an interpreter or tool for a target is not installed; 4 the samples
    do not show whether a budget is kept.

    \b
    Example:
      edgepack validate build/model/int8.tflite --target stm32l4r5zi --test test.npz --max-drop 1
    """  # noqa: D301 (click reads the backspace: keep these lines as they are)
    from edgepack.pipeline.validation.validate import validate as run_validate

    config = ValidateConfig(
        targets=selected_targets(targets, DEFAULT_TARGETS), budgets=pop_budgets(options), **options
    )
    report = run_validate(config, ProgressBars(), verbose=verbose)
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
    from edgepack.report.text.validate import render_validation

    return render_validation(report)


def _html(report: Any) -> str:
    from edgepack.report.document.html import render_html
    from edgepack.report.pages.validate import validation_document

    return render_html(validation_document(report))


def _markdown(report: Any) -> str:
    from edgepack.report.document.markdown import render_markdown
    from edgepack.report.pages.validate import validation_document

    return render_markdown(validation_document(report))


_RENDER = {
    "text": _text,
    "json": _json,
    "junit": _junit,
    "github": _github,
    "html": _html,
    "markdown": _markdown,
}
