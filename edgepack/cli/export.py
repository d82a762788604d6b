"""``edgepack export``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from edgepack.cli.progress import Bars
from edgepack.errors import OutputError, RecipeError
from edgepack.recipe import DEFAULT_TARGETS, Prune, Recipe

_PATH = click.Path(path_type=Path, readable=False)  # what cannot be read is told by its reader


@click.command()
@click.argument("model", type=_PATH)
@click.option(
    "--representative",
    metavar="DATA.npz",
    type=_PATH,
    required=True,
    help="Representative dataset for calibration: inputs in 'x', shape (samples, ...).",
)
@click.option(
    "--train",
    metavar="DATA.npz",
    type=_PATH,
    help="Prune the model, and fine-tune it on these: 'x', labels in 'y'.",
)
@click.option(
    "--sparsity",
    type=float,
    help="Prune this fraction of the weights; without --train in one shot."
    f"  [default with --train: {Prune.sparsity}]",
)
@click.option(
    "--epochs",
    type=int,
    help=f"Epochs of fine-tuning; needs --train.  [default: {Prune.epochs}]",
)
@click.option(
    "--test",
    metavar="DATA.npz",
    type=_PATH,
    help="Samples to compare float and int8 on ('x', optionally 'y').  [default: those of"
    " --representative]",
)
@click.option(
    "--target",
    "targets",
    metavar="NAME",
    multiple=True,
    help=f"Device to validate for; repeatable.  [default: {' and '.join(DEFAULT_TARGETS)}]",
)
@click.option(
    "--metric",
    metavar="NAME",
    help="accuracy, mse or reconstruction-mse.  [default: accuracy for class numbers, mse for"
    " others]",
)
@click.option(
    "--output", metavar="DIR", type=_PATH, required=True, help="Folder to write; must not exist."
)
@click.option("--force", is_flag=True, help="Replace DIR if edgepack wrote it.")
@click.option("--verbose", is_flag=True, help="Show what TensorFlow and the interpreters print.")
@click.pass_context
def export(
    ctx: click.Context,
    *,
    model: Path,
    representative: Path,
    train: Path | None,
    sparsity: float | None,
    epochs: int | None,
    test: Path | None,
    targets: tuple[str, ...],
    metric: str | None,
    output: Path,
    force: bool,
    verbose: bool,
) -> None:
    """Export MODEL (.h5, .keras or a SavedModel folder) to TFLite, INT8 and C.

    Writes DIR with float.tflite, int8.tflite, firmware/ (the model as a C array), report.json and
    manifest.json, after running the INT8 model on the targets' interpreters.

    \b
    Example:
      edgepack export model.h5 --representative calib.npz --test test.npz --output build/model
    """  # noqa: D301 (click reads the backspace: keep these lines as they are)
    from edgepack.pipeline import export as run_export
    from edgepack.report.text import render_text

    recipe = Recipe(
        model=model,
        representative=representative,
        output=output,
        test=test,
        prune=_prune(train, sparsity, epochs),
        targets=tuple(dict.fromkeys(targets)) or DEFAULT_TARGETS,
        metric=metric,
        force=force,
    )
    report = run_export(recipe, Bars(), verbose=verbose)
    click.echo(err=True)
    _print(render_text(report))
    ctx.exit(0 if report.passed else 1)


def _print(text: str) -> None:
    try:
        click.echo(text)
    except BrokenPipeError:
        raise  # the reader has seen enough: click knows what to do
    except OSError as error:
        sys.stdout = None  # or Python tries once more at its end
        raise OutputError(
            f"standard output cannot be written: {error.strerror}; the exported folder is complete"
        ) from error


def _prune(train: Path | None, sparsity: float | None, epochs: int | None) -> Prune | None:
    if train is None and epochs is not None:
        raise RecipeError(f"--epochs {epochs} needs data to fine-tune on: give --train")
    if train is None and sparsity is None:
        return None
    return Prune(
        train=train,
        sparsity=Prune.sparsity if sparsity is None else sparsity,
        epochs=Prune.epochs if epochs is None else epochs,
    )
