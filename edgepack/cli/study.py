"""The command ``edgepack study``."""

from __future__ import annotations

from typing import Any

import click

from edgepack.cli.options import (
    DATA_GROUP,
    GroupedCommand,
    loading_options,
    metric_option,
    output_options,
    project_file_option,
)
from edgepack.cli.printing import print_result
from edgepack.cli.progress_bars import ProgressBars
from edgepack.cli.value_types import DATA, PATH, NumberRange
from edgepack.config.shared_settings import DEFAULT_SEED
from edgepack.config.study import MAX_BITS, MIN_BITS, ROUNDINGS, StudyConfig


class _Study(GroupedCommand):
    groups = {  # noqa: RUF012 (a class attribute)
        "test": DATA_GROUP,
        "weights": "Loading",
        "bits": "Fixed point",
        "output": "Result",
        "help": "Other",
    }


@click.command(cls=_Study)
@click.argument("model", type=PATH)
@click.option(
    "--test",
    metavar="DATA",
    type=DATA,
    required=True,
    help="Samples to evaluate the model on, optionally with labels.",
)
@project_file_option
@metric_option
@loading_options
@click.option(
    "--bits",
    metavar="K or K-L",
    type=NumberRange(),
    default=f"{MIN_BITS}-{MAX_BITS}",
    show_default=True,
    help="Number of bits of each weight, or a range.",
)
@click.option(
    "--rounding",
    metavar="NAME",
    help=f"{' or '.join(ROUNDINGS)} (up with a probability equal to the fraction).  [default:"
    " both]",
)
@click.option(
    "--seed",
    type=int,
    default=DEFAULT_SEED,
    show_default=True,
    help="Random seed for stochastic rounding.",
)
@output_options
def study(*, verbose: bool, bits: range, rounding: str | None, **options: Any) -> None:
    """Simulate MODEL with low-bit weights, to study accuracy by number of bits.

    MODEL is a model as for export. Its weights are rounded to fixed point, tensor by tensor, and
    the float model with those weights is run on LiteRT. Writes DIR with float.tflite, study.json
    and manifest.json.

    \b
    Example:
      edgepack study model.keras --test test.npz --bits 2-8 --output build/study
    """  # noqa: D301 (click reads the backspace: keep these lines as they are)
    from edgepack.pipeline.study import study as run_study
    from edgepack.report.text.study import render_study

    roundings = (rounding,) if rounding else ROUNDINGS
    config = StudyConfig(bits=tuple(bits), roundings=roundings, **options)
    report = run_study(config, ProgressBars(), verbose=verbose)
    click.echo(err=True)
    print_result(render_study(report))
