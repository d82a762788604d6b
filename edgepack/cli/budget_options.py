"""Options for budgets, which several commands share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

import click

from edgepack.cli.options import with_options
from edgepack.cli.value_types import WordChoice
from edgepack.config.budgets import FAILS, PASSES, Budgets

_Command = TypeVar("_Command", bound=Callable[..., Any])

BUDGETS_GROUP = "Budgets"


def loss_budget_options(command: _Command) -> _Command:
    """Add the options from --max-drop to --not-shown; see :func:`pop_budgets`."""
    return with_options(
        command,
        click.option(
            "--max-drop",
            metavar="NUMBER",
            type=float,
            help="Largest acceptable loss against float: points of a fraction such as accuracy,"
            " percent of an error, or decibels; judged by its 95% confidence interval.",
        ),
        click.option(
            "--max-class-drop",
            metavar="POINTS",
            type=float,
            help="Largest acceptable loss of recall of any class, in points, judged likewise.",
        ),
        click.option(
            "--min-agreement",
            metavar="PERCENT",
            type=float,
            help="Smallest acceptable agreement of the predicted classes with float.",
        ),
        click.option(
            "--min-sqnr",
            metavar="DB",
            type=float,
            help="Smallest acceptable signal-to-quantization-noise ratio of an output.",
        ),
        click.option(
            "--not-shown",
            type=WordChoice((PASSES, FAILS)),
            help="Whether a drop passes if the samples cannot tell whether it is acceptable."
            "  [default: neither, exit status 4]",
        ),
    )


def pop_budgets(options: dict[str, Any]) -> Budgets:
    """Remove the options of budgets from all options; returns them as budgets."""
    names = [field.name for field in fields(Budgets) if field.name in options]
    return Budgets(**{name: options.pop(name) for name in names})
