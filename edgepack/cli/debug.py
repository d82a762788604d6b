"""``edgepack debug``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from edgepack.cli.options import GroupedCommand
from edgepack.cli.progress import Bars
from edgepack.recipe import Recipe

_PATH = click.Path(path_type=Path, readable=False)  # what cannot be read is told by its reader


class _Debug(GroupedCommand):
    groups = {  # noqa: RUF012 (of the class)
        "representative": "Data (.npz: an array for each input, or 'x')",
        "weights": "Loading",
        "output": "Result",
        "help": "Other",
    }


@click.command(cls=_Debug)
@click.argument("model", type=_PATH)
@click.option(
    "--representative",
    metavar="DATA.npz",
    type=_PATH,
    required=True,
    help="Representative dataset for calibration: shape (samples, ...).",
)
@click.option(
    "--test",
    metavar="DATA.npz",
    type=_PATH,
    help="Samples to look at the layers with.  [default: those of --representative]",
)
@click.option(
    "--weights",
    metavar="FILE",
    type=_PATH,
    help="Weights for a MODEL that is the JSON text of model.to_json().",
)
@click.option(
    "--custom-objects",
    metavar="MODULE:NAME",
    multiple=True,
    help="Import a class or function of your own that the model is built of; repeatable.",
)
@click.option(
    "--allow-unsafe",
    is_flag=True,
    help="Let the model file run code of its own, with your rights: Lambda layers, other modules.",
)
@click.option(
    "--output",
    metavar="DIR",
    type=_PATH,
    help="Folder to write debug.json, debug.svg and both models to; must not exist.",
)
@click.option("--force", is_flag=True, help="Replace DIR if edgepack wrote it.")
@click.option("--verbose", is_flag=True, help="Show what TensorFlow and LiteRT print.")
def debug(*, output: Path | None, verbose: bool, **options: Any) -> None:
    """Find the layers that MODEL loses its accuracy in when it is quantized, and say why.

    Quantizes MODEL as export does, and compares float and quantized, layer by layer: on samples
    spread evenly over the data, 64 at most.

    \b
    Example:
      edgepack debug model.keras --representative calib.npz
    """  # noqa: D301 (click reads the backspace: keep these lines as they are)
    from edgepack.debug.text import render_debug
    from edgepack.pipeline.debug import debug as run_debug

    with tempfile.TemporaryDirectory() as temporary:
        folder = output or Path(temporary) / "debug"
        report = run_debug(Recipe(output=folder, targets=(), **options), Bars(), verbose=verbose)
    click.echo(err=True)
    click.echo(render_debug(report))
