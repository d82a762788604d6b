"""The pruning options, a short form of a single compression step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from edgepack.cli.config_file import config_from, is_in_file, is_on_command_line
from edgepack.cli.options import with_options
from edgepack.cli.value_types import DATA, PATH, NameValuePair, TwoNumbers
from edgepack.compression.pruning.settings import DEFAULT_SPARSITY, Prune
from edgepack.config.compression_step import (
    SCHEDULES,
    STRATEGIES,
    CompressionStep,
    FineTune,
    Schedule,
)
from edgepack.core.errors import ConfigError

PRUNING_GROUPS = {"sparsity": "Pruning", "train": "Fine-tuning while pruning"}

_Command = TypeVar("_Command", bound=Callable[..., Any])


def pruning_options(command: _Command) -> _Command:
    """Add the options for pruning and fine-tuning; see :func:`compression_steps`."""
    return with_options(
        command,
        click.option(
            "--sparsity",
            type=float,
            help="Fraction of each layer's weights to set to zero, in one shot unless --train is"
            f" given.  [default with --train or --layer-sparsity: {DEFAULT_SPARSITY}]",
        ),
        click.option(
            "--layer-sparsity",
            "layers",
            metavar="PATTERN=FRACTION",
            type=NameValuePair(float, "'conv*=0.8'"),
            multiple=True,
            help="Sparsity of layers by name, 0 to exclude them; repeatable, the last match"
            " counts.",
        ),
        click.option(
            "--n-of-m",
            metavar="N:M",
            type=TwoNumbers(":", "2:4"),
            help="Set N of every M neighboring weights to zero.",
        ),
        click.option(
            "--block",
            metavar="ROWSxCOLUMNS",
            type=TwoNumbers("x", "4x1"),
            help="Prune in blocks of this size; applies to two-dimensional weights only.",
        ),
        click.option(
            "--threshold",
            type=float,
            help="Set all weights of smaller magnitude to zero, in one shot.",
        ),
        click.option(
            "--train",
            metavar="DATA",
            type=DATA,
            help="Samples and labels for fine-tuning the model while it is pruned.",
        ),
        click.option(
            "--epochs",
            type=int,
            help=f"Number of epochs of fine-tuning.  [default: {FineTune.epochs}]",
        ),
        click.option(
            "--loss",
            metavar="NAME",
            help="Name of a Keras loss, or distillation from the original model, which needs no"
            " labels.  [default: the compiled one, or that of the metric]",
        ),
        click.option(
            "--optimizer",
            metavar="NAME",
            help="Name of a Keras optimizer.  [default: the compiled one, or adam]",
        ),
        click.option(
            "--learning-rate",
            type=float,
            help="Initial learning rate of a cosine decay to 0.  [default: the compiled one if at"
            " least 0.0001, or 0.001]",
        ),
        click.option(
            "--schedule",
            metavar="NAME",
            help=f"Growth of the sparsity: {' or '.join(SCHEDULES)}.  [default: {Schedule.kind}]",
        ),
        click.option(
            "--begin-step",
            type=int,
            help="Training step (batch) at which pruning begins.  [default: 0]",
        ),
        click.option(
            "--end-step",
            type=int,
            help="Training step at which the final sparsity is reached.  [default: after two thirds"
            " of all steps]",
        ),
        click.option(
            "--frequency",
            type=int,
            help="Training steps between updates of the pruning mask.  [default: 50 updates in"
            " all]",
        ),
        click.option(
            "--patience",
            type=int,
            help="Stop early when the loss on held-out samples has not improved for this many"
            " epochs at the final sparsity, and keep the best epoch.",
        ),
        click.option(
            "--validation-split",
            type=float,
            help="Fraction of samples to hold out; needs --patience.  [default:"
            f" {FineTune.validation_split}]",
        ),
        click.option(
            "--checkpoints",
            metavar="DIR",
            type=PATH,
            help="Folder to save every epoch in until the export is complete.",
        ),
        click.option("--resume", is_flag=True, help="Resume from the checkpoint."),
        click.option(
            "--strategy",
            metavar="NAME",
            help=f"{' or '.join(STRATEGIES)}: train on all devices of this machine, or on several"
            " hosts (TF_CONFIG).",
        ),
    )


_SCHEDULE = {"schedule": "kind", "begin_step": "begin_step", "end_step": "end_step"}
_SCHEDULE |= {"frequency": "frequency"}
_FINE_TUNE = (
    *("epochs", "loss", "optimizer", "learning_rate", "patience", "validation_split"),
    "strategy",
)
_PRUNE = ("sparsity", "n_of_m", "block", "threshold")


_ALL = ("layers", *_PRUNE, *_SCHEDULE, *_FINE_TUNE)


def compression_steps(ctx: click.Context, options: dict[str, Any]) -> tuple[CompressionStep, ...]:
    """Remove the pruning options from all options; returns the compression steps.

    Options on the command line take precedence over the steps in a file, and those in a TOML file
    over those in a manifest. Raises :class:`ConfigError` for options that contradict each other.
    """
    config = config_from(ctx)
    on_command_line = any(is_on_command_line(ctx, name) for name in _ALL)
    in_file = [name for name in _ALL if is_in_file(ctx, name)]
    if config.steps and not on_command_line and in_file:
        raise ConfigError(
            f"{config.project_file}: has [[compress]], and {_option_name(in_file[0])} for a pruning"
            " step; write that as another [[compress]]"
        )
    pruning = _pruning(options)
    if on_command_line or in_file:
        return pruning
    return config.steps or (config.manifest.steps if config.manifest else ()) or pruning


def _option_name(name: str) -> str:
    """Return the option for the name of a field or parameter."""
    option = next((each for each, key in _SCHEDULE.items() if key == name), name)
    return "--layer-sparsity" if name == "layers" else f"--{option.replace('_', '-')}"


def _pruning(options: dict[str, Any]) -> tuple[Prune, ...]:
    """Return the pruning step that the options describe; none without pruning options."""
    layers, is_trained = options.pop("layers"), options["train"] is not None
    schedule = _pop(options, _SCHEDULE)
    tuning = _pop(options, _FINE_TUNE)
    settings = _pop(options, _PRUNE)
    checkpointing = [name for name in ("checkpoints", "resume") if options[name]]
    if not is_trained and (unused := next(iter([*(schedule | tuning), *checkpointing]), None)):
        raise ConfigError(f"{_option_name(unused)} needs data to fine-tune on: give --train")
    if "validation_split" in tuning and "patience" not in tuning:
        raise ConfigError("--validation-split holds out samples for --patience: give both")
    if not is_trained and not settings and not layers:
        return ()
    fine_tune = FineTune(schedule=Schedule(**schedule), **tuning) if is_trained else None
    return (Prune(layers=layers, fine_tune=fine_tune, **settings),)


def _pop(options: dict[str, Any], names: Any) -> dict[str, Any]:
    """Remove options; returns those that have values, by the names of the fields that they set."""
    fields = names if isinstance(names, dict) else dict(zip(names, names, strict=True))
    values = {field: options.pop(name) for name, field in fields.items()}
    return {field: value for field, value in values.items() if value is not None}
