"""``edgepack export``."""

from __future__ import annotations

from typing import Any

import click

from edgepack.cli.options import (
    CALIBRATION_GROUP,
    DATA_GROUP,
    QUANTIZATION_GROUP,
    GroupedCommand,
    calibration_options,
    data_options,
    loading_options,
    metric_option,
    quantization,
    quantization_options,
    result_options,
    target_names_of,
)
from edgepack.cli.printing import print_result
from edgepack.cli.progress import Bars
from edgepack.cli.values import DATA, PATH, Pair, TwoNumbers
from edgepack.compress.pruning import DEFAULT_SPARSITY, Prune
from edgepack.errors import RecipeError
from edgepack.recipe import (
    DEFAULT_TARGETS,
    SCHEDULES,
    STRATEGIES,
    FineTune,
    Recipe,
    Schedule,
)


class _Export(GroupedCommand):
    groups = {  # noqa: RUF012 (of the class)
        "representative": DATA_GROUP,
        "weights": "Loading",
        "observer": CALIBRATION_GROUP,
        "scheme": QUANTIZATION_GROUP,
        "targets": "Result",
        "sparsity": "Pruning",
        "train": "Fine-tuning while pruning",
        "help": "Other",
    }


@click.command(cls=_Export)
@click.argument("model", type=PATH)
@data_options
@metric_option
@loading_options
@calibration_options
@quantization_options
@result_options(" and ".join(DEFAULT_TARGETS))
@click.option(
    "--sparsity",
    type=float,
    help="Set this fraction of each layer's weights to zero; without --train in one shot."
    f"  [default with --train or --layer-sparsity: {DEFAULT_SPARSITY}]",
)
@click.option(
    "--layer-sparsity",
    "layers",
    metavar="PATTERN=FRACTION",
    type=Pair(float, "'conv*=0.8'"),
    multiple=True,
    help="A fraction for the layers of a name pattern, 0 to leave them out; repeatable, the last"
    " that matches counts.",
)
@click.option(
    "--n-of-m", metavar="N:M", type=TwoNumbers(":", "2:4"), help="N zeros of every M neighbours."
)
@click.option(
    "--block",
    metavar="ROWSxCOLUMNS",
    type=TwoNumbers("x", "4x1"),
    help="Prune in blocks; only weights of two dimensions.",
)
@click.option(
    "--threshold",
    type=float,
    help="Set all weights of a smaller magnitude to zero, in one shot.",
)
@click.option(
    "--train",
    metavar="DATA",
    type=DATA,
    help="Prune the model, and fine-tune it on these samples and labels.",
)
@click.option("--epochs", type=int, help=f"[default: {FineTune.epochs}]")
@click.option(
    "--loss",
    metavar="NAME",
    help="A loss of Keras, or distillation: learn the model's own outputs, labels or not."
    "  [default: the compiled one, or the metric's]",
)
@click.option(
    "--optimizer",
    metavar="NAME",
    help="An optimizer of Keras.  [default: the compiled one, or adam]",
)
@click.option(
    "--learning-rate",
    type=float,
    help="Where a cosine decay to 0 begins.  [default: the compiled one from 0.0001 on, or 0.001]",
)
@click.option(
    "--schedule",
    metavar="NAME",
    help=f"{' or '.join(SCHEDULES)}: how the sparsity grows.  [default: {Schedule.kind}]",
)
@click.option("--begin-step", type=int, help="First step (batch) that prunes.  [default: 0]")
@click.option(
    "--end-step", type=int, help="Step of the final sparsity.  [default: after two thirds of all]"
)
@click.option(
    "--frequency",
    type=int,
    help="Steps from one choice of weights to the next.  [default: 50 choices in all]",
)
@click.option(
    "--patience",
    type=int,
    help="Stop when the loss on held-out samples has not fallen for so many epochs at the final"
    " sparsity; keep the best.",
)
@click.option(
    "--validation-split",
    type=float,
    help=f"Fraction to hold out; needs --patience.  [default: {FineTune.validation_split}]",
)
@click.option(
    "--checkpoints", metavar="DIR", type=PATH, help="Save every epoch here until the export ends."
)
@click.option("--resume", is_flag=True, help="Go on from the checkpoint.")
@click.option(
    "--strategy",
    metavar="NAME",
    help=f"{' or '.join(STRATEGIES)}: train on all devices, or on several hosts (TF_CONFIG).",
)
@click.pass_context
def export(
    ctx: click.Context,
    /,
    *,
    targets: tuple[str, ...],
    verbose: bool,
    **options: Any,
) -> None:
    """Export MODEL to TFLite, quantized, and C.

    MODEL is a .keras file, a legacy .h5 file, a SavedModel folder, the JSON text of
    model.to_json() with --weights, or a float .tflite file.

    Writes DIR with float.tflite, int8.tflite (or another scheme's), firmware/ (the model as a C
    array), report.html, report.md, report.json and manifest.json, after running the model on the
    targets' interpreters.

    \b
    Example:
      edgepack export model.keras --representative calib.npz --test test.npz --output build/model
    """  # noqa: D301 (click reads the backspace: keep these lines as they are)
    from edgepack.pipeline.export import export as run_export
    from edgepack.report.text import render_text

    recipe = Recipe(
        compress=_compress(options),
        quantization=quantization(options),
        targets=target_names_of(targets, DEFAULT_TARGETS),
        **options,
    )
    report = run_export(recipe, Bars(), verbose=verbose)
    click.echo(err=True)
    print_result(render_text(report))
    ctx.exit(0 if report.passed else 1)


_SCHEDULE = {"schedule": "kind", "begin_step": "begin_step", "end_step": "end_step"}
_SCHEDULE |= {"frequency": "frequency"}
_FINE_TUNE = (
    *("epochs", "loss", "optimizer", "learning_rate", "patience", "validation_split"),
    "strategy",
)
_PRUNE = ("sparsity", "n_of_m", "block", "threshold")


def _compress(options: dict[str, Any]) -> tuple[Prune, ...]:
    """Take the options of pruning out of all options."""
    layers, is_trained = options.pop("layers"), options["train"] is not None
    schedule = _given(options, _SCHEDULE)
    tuning = _given(options, _FINE_TUNE)
    settings = _given(options, _PRUNE)
    kept = [name for name in ("checkpoints", "resume") if options[name]]
    if not is_trained and (unused := next(iter([*(schedule | tuning), *kept]), None)):
        option = next((name for name, key in _SCHEDULE.items() if key == unused), unused)
        raise RecipeError(f"--{option.replace('_', '-')} needs data to fine-tune on: give --train")
    if "validation_split" in tuning and "patience" not in tuning:
        raise RecipeError("--validation-split holds out samples for --patience: give both")
    if not is_trained and not settings and not layers:
        return ()
    fine_tune = FineTune(schedule=Schedule(**schedule), **tuning) if is_trained else None
    return (Prune(layers=layers, fine_tune=fine_tune, **settings),)


def _given(options: dict[str, Any], names: Any) -> dict[str, Any]:
    """Take out the options that were given, by the names of the fields that they fill."""
    fields = names if isinstance(names, dict) else dict(zip(names, names, strict=True))
    taken = {field: options.pop(name) for name, field in fields.items()}
    return {field: value for field, value in taken.items() if value is not None}
