"""``edgepack lint``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgepack.cli.progress import Bars
from edgepack.recipe import Recipe

_PATH = click.Path(path_type=Path, readable=False)  # what cannot be read is told by its reader


@click.command()
@click.argument("model", type=_PATH)
@click.argument("data", type=_PATH)
@click.option("--test", metavar="DATA.npz", type=_PATH, help="Check the test data too.")
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
@click.option("--strict", is_flag=True, help="End with status 1 if anything is found.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--verbose", is_flag=True, help="Show what TensorFlow prints.")
@click.pass_context
def lint(
    ctx: click.Context,
    /,
    *,
    model: Path,
    data: Path,
    test: Path | None,
    weights: Path | None,
    custom_objects: tuple[str, ...],
    allow_unsafe: bool,
    strict: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Look for what is likely wrong with DATA, the representative dataset of MODEL.

    Holds the data against themselves and against what the model shows of its training: the mean
    and variance in its normalization layers, a leading Rescaling, its probabilities and labels.

    \b
    Example:
      edgepack lint model.keras calib.npz --test test.npz
    """  # noqa: D301 (click reads the backspace: keep these lines as they are)
    from edgepack.pipeline.lint import lint as run_lint
    from edgepack.report.lint import render_lint

    recipe = Recipe(
        model=model,
        representative=data,
        output=Path(),  # nothing is written
        weights=weights,
        custom_objects=custom_objects,
        allow_unsafe=allow_unsafe,
        test=test,
    )
    report = run_lint(recipe, Bars(), verbose=verbose)
    click.echo(err=True)
    click.echo(json.dumps(report.to_dict(), indent=2) if as_json else render_lint(report))
    ctx.exit(1 if strict and report.findings else 0)
