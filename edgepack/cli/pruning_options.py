"""The options of pruning: the short way to write a step of compression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from edgepack.cli.config_file import config_of, is_given, is_in_file
from edgepack.cli.options import with_options
from edgepack.cli.value_types import DATA, PATH, Pair, TwoNumbers
from edgepack.compression.pruning.settings import DEFAULT_SPARSITY, Prune
from edgepack.config.export import SCHEDULES, STRATEGIES, CompressionStep, FineTune, Schedule
from edgepack.core.errors import ConfigError

PRUNING_GROUPS = {"sparsity": "Pruning", "train": "Fine-tuning while pruning"}

_Command = TypeVar("_Command", bound=Callable[..., Any])


def pruning_options(command: _Command) -> _Command:
    """Add --sparsity and its kin, --train and all of fine-tuning; see :func:`steps_of`."""
    return with_options(
        command,
        click.option(
            "--sparsity",
            type=float,
            help="Set this fraction of each layer's weights to zero; without --train in one shot."
            f"  [default with --train or --layer-sparsity: {DEFAULT_SPARSITY}]",
        ),
        click.option(
            "--layer-sparsity",
            "layers",
            metavar="PATTERN=FRACTION",
            type=Pair(float, "'conv*=0.8'"),
            multiple=True,
            help="A fraction for the layers of a name pattern, 0 to leave them out; repeatable, the"
            " last that matches counts.",
        ),
        click.option(
            "--n-of-m",
            metavar="N:M",
            type=TwoNumbers(":", "2:4"),
            help="N zeros of every M neighbours.",
        ),
        click.option(
            "--block",
            metavar="ROWSxCOLUMNS",
            type=TwoNumbers("x", "4x1"),
            help="Prune in blocks; only weights of two dimensions.",
        ),
        click.option(
            "--threshold",
            type=float,
            help="Set all weights of a smaller magnitude to zero, in one shot.",
        ),
        click.option(
            "--train",
            metavar="DATA",
            type=DATA,
            help="Prune the model, and fine-tune it on these samples and labels.",
        ),
        click.option("--epochs", type=int, help=f"[default: {FineTune.epochs}]"),
        click.option(
            "--loss",
            metavar="NAME",
            help="A loss of Keras, or distillation: learn the model's own outputs, labels or not."
            "  [default: the compiled one, or the metric's]",
        ),
        click.option(
            "--optimizer",
            metavar="NAME",
            help="An optimizer of Keras.  [default: the compiled one, or adam]",
        ),
        click.option(
            "--learning-rate",
            type=float,
            help="Where a cosine decay to 0 begins.  [default: the compiled one from 0.0001 on, or"
            " 0.001]",
        ),
        click.option(
            "--schedule",
            metavar="NAME",
            help=f"{' or '.join(SCHEDULES)}: how the sparsity grows.  [default: {Schedule.kind}]",
        ),
        click.option(
            "--begin-step", type=int, help="First step (batch) that prunes.  [default: 0]"
        ),
        click.option(
            "--end-step",
            type=int,
            help="Step of the final sparsity.  [default: after two thirds of all]",
        ),
        click.option(
            "--frequency",
            type=int,
            help="Steps from one choice of weights to the next.  [default: 50 choices in all]",
        ),
        click.option(
            "--patience",
            type=int,
            help="Stop when the loss on held-out samples has not fallen for so many epochs at the"
            " final sparsity; keep the best.",
        ),
        click.option(
            "--validation-split",
            type=float,
            help=f"Fraction to hold out; needs --patience.  [default: {FineTune.validation_split}]",
        ),
        click.option(
            "--checkpoints",
            metavar="DIR",
            type=PATH,
            help="Save every epoch here until the export ends.",
        ),
        click.option("--resume", is_flag=True, help="Go on from the checkpoint."),
        click.option(
            "--strategy",
            metavar="NAME",
            help=f"{' or '.join(STRATEGIES)}: train on all devices, or on several hosts"
            " (TF_CONFIG).",
        ),
    )


_SCHEDULE = {"schedule": "kind", "begin_step": "begin_step", "end_step": "end_step"}
_SCHEDULE |= {"frequency": "frequency"}
_FINE_TUNE = (
    *("epochs", "loss", "optimizer", "learning_rate", "patience", "validation_split"),
    "strategy",
)
_PRUNE = ("sparsity", "n_of_m", "block", "threshold")


_SHORT = ("layers", *_PRUNE, *_SCHEDULE, *_FINE_TUNE)


def steps_of(ctx: click.Context, options: dict[str, Any]) -> tuple[CompressionStep, ...]:
    """Take the options of pruning out of all options; returns the steps of compression.

    Options of the command line go before the steps of a file, and those of a TOML file before those
    of a manifest. Raises :class:`ConfigError` for what does not fit.
    """
    config = config_of(ctx)
    on_line = any(is_given(ctx, name) for name in _SHORT)
    if config.steps and not on_line and (short := [n for n in _SHORT if is_in_file(ctx, n)]):
        raise ConfigError(
            f"{config.project_file}: has [[compress]], and {_as_option(short[0])} for a step of"
            " pruning; write that as a [[compress]], too"
        )
    in_file = any(is_in_file(ctx, name) for name in _SHORT)
    pruning = _pruning(options)
    if on_line or in_file:
        return pruning
    return config.steps or (config.asked.steps if config.asked else ()) or pruning


def _as_option(name: str) -> str:
    """Write the name of a field, or of a parameter, as its option."""
    option = next((each for each, key in _SCHEDULE.items() if key == name), name)
    return "--layer-sparsity" if name == "layers" else f"--{option.replace('_', '-')}"


def _pruning(options: dict[str, Any]) -> tuple[Prune, ...]:
    """Make the step that the options ask for, if they do."""
    layers, is_trained = options.pop("layers"), options["train"] is not None
    schedule = _given(options, _SCHEDULE)
    tuning = _given(options, _FINE_TUNE)
    settings = _given(options, _PRUNE)
    kept = [name for name in ("checkpoints", "resume") if options[name]]
    if not is_trained and (unused := next(iter([*(schedule | tuning), *kept]), None)):
        raise ConfigError(f"{_as_option(unused)} needs data to fine-tune on: give --train")
    if "validation_split" in tuning and "patience" not in tuning:
        raise ConfigError("--validation-split holds out samples for --patience: give both")
    if not is_trained and not settings and not layers:
        return ()
    fine_tune = FineTune(schedule=Schedule(**schedule), **tuning) if is_trained else None
    return (Prune(layers=layers, fine_tune=fine_tune, **settings),)


def _given(options: dict[str, Any], names: Any) -> dict[str, Any]:
    """Take out the options that were given, by the names of the fields that they fill."""
    fields = names if isinstance(names, dict) else dict(zip(names, names, strict=True))
    taken = {field: options.pop(name) for name, field in fields.items()}
    return {field: value for field, value in taken.items() if value is not None}
