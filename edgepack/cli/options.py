"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from edgepack.cli.config_file import config_from, config_option
from edgepack.cli.value_types import DATA, PATH, TARGET, NameValuePair, completion
from edgepack.config.quantization import DENSE, IO_TYPES, LAYER_SCHEMES, SCHEMES, Quantization
from edgepack.config.shared_settings import DEFAULT_OBSERVER, DEFAULT_SEED, QuantizingSettings

_ALL = "all"

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Config = TypeVar("_Config", bound=QuantizingSettings)


class GroupedCommand(click.Command):
    """A command whose help lists its options in groups of consecutive options."""

    groups: dict[str, str] = {}  # noqa: RUF012 (the title of each group, by its first option)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options to the help, each group under its title."""
        sections: list[tuple[str, list[tuple[str, str]]]] = [("Options", [])]
        for param in self.get_params(ctx):
            # click gives its own --help option another parameter name.
            name = "help" if "--help" in param.opts else param.name or ""
            if (title := self.groups.get(name)) is not None:
                sections.append((title, []))
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                sections[-1][1].append(record)
        for title, records in sections:
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


DATA_GROUP = (
    "Data (.npz, .npy, .csv or TFRecord file, folder with images or WAV files, or MODULE:FUNCTION)"
)


def data_options(command: _Command) -> _Command:
    """Add --representative, --test, --config (``project_file``), --samples and --seed."""
    return with_options(
        command,
        click.option(
            "--representative",
            metavar="DATA",
            type=DATA,
            help="Representative dataset for calibration, of shape (samples, ...); required for"
            " int8, int16 and int4.",
        ),
        click.option(
            "--test",
            metavar="DATA",
            type=DATA,
            help="Samples on which to compare the float and the quantized model, optionally with"
            " labels.  [default: those of --representative]",
        ),
        config_option("--recipe", exports=True),
        *_SAMPLING,
    )


def sampling_options(command: _Command) -> _Command:
    """Add --config, --samples and --seed, for commands whose data are an argument."""
    return with_options(command, project_file_option, *_SAMPLING)


def loading_options(command: _Command) -> _Command:
    """Add --weights, --custom-objects and --allow-unsafe."""
    return with_options(
        command,
        click.option(
            "--weights",
            metavar="FILE",
            type=PATH,
            help="File with the weights of a MODEL that is the JSON text of model.to_json().",
        ),
        click.option(
            "--custom-objects",
            metavar="MODULE:NAME",
            multiple=True,
            help="Custom class or function to import that the model uses; repeatable.",
        ),
        click.option(
            "--allow-unsafe",
            is_flag=True,
            help="Allow the model file to run its own code, such as Lambda layers, with your"
            " permissions.",
        ),
    )


QUANTIZING_GROUPS = {
    "representative": DATA_GROUP,
    "weights": "Loading",
    "observer": "Calibration",
    "scheme": "Quantization",
    "targets": "Result",
    "help": "Other",
}
"""The groups of the options that :func:`quantizing_options` adds."""


def quantizing_options(*, metric: bool = True) -> Callable[[_Command], _Command]:
    """Add MODEL, and the options for data and quantization; see :func:`make_config`."""
    return lambda command: with_options(
        command,
        click.argument("model", type=PATH),
        data_options,
        *([metric_option] if metric else []),
        loading_options,
        calibration_options,
        quantization_options,
    )


def make_config(
    kind: type[_Config], ctx: click.Context, options: dict[str, Any], **settings: Any
) -> _Config:
    """Make settings from the options of :func:`quantizing_options` and other settings.

    Raises :class:`~edgepack.core.errors.ConfigError` for options that contradict each other, and
    for inputs of the manifest in --config that are missing.
    """
    if manifest := config_from(ctx).manifest:
        manifest.require_again(options | settings)
    return kind(quantization=make_quantization(options), **options, **settings)


def repeated_inputs(ctx: click.Context) -> Mapping[str, Any]:
    """Return the inputs of the manifest in --config, as it describes them; none without one."""
    manifest = config_from(ctx).manifest
    return manifest.described if manifest else {}


def _metric_names() -> Iterable[str]:
    from edgepack.metrics.registry import METRICS

    return METRICS


def _observer_names() -> Iterable[str]:
    from edgepack.calibration.activations.observers import OBSERVERS

    return OBSERVERS


def metric_option(command: _Command) -> _Command:
    """Add --metric."""
    return click.option(
        "--metric",
        metavar="NAME",
        shell_complete=completion(_metric_names),
        help="Metric: accuracy, top-5, f1-macro, roc-auc, mse, mae, r2, reconstruction-mse,"
        " anomaly-auc, miou, psnr, ssim and more, or MODULE:FUNCTION for a custom one.  [default:"
        " by the labels: accuracy for class numbers, mse for values]",
    )(command)


def result_options(default_targets: str) -> Callable[[_Command], _Command]:
    """Add --target and what :func:`output_options` adds."""
    return lambda command: with_options(
        command,
        target_option(default_targets),
        output_options,
    )


def target_option(default_targets: str) -> Callable[[_Command], _Command]:
    """Add --target (``targets``); see :func:`selected_targets`."""
    return click.option(
        "--target",
        "targets",
        metavar="NAME",
        type=TARGET,
        multiple=True,
        help=f"Target device, or the path of its .toml file; repeatable; {_ALL} for every target."
        f"  [default: {default_targets}]",
    )


def selected_targets(values: Iterable[str], default: tuple[str, ...]) -> tuple[str, ...]:
    """Return the targets of the values of --target without repetition; ``default`` without any."""
    from edgepack.devices.target import target_names

    names = [each for name in values for each in (target_names() if name == _ALL else [name])]
    return tuple(dict.fromkeys(names)) or default


def output_options(command: _Command) -> _Command:
    """Add --output, --force and --verbose."""
    return with_options(
        command,
        click.option(
            "--output",
            metavar="DIR",
            type=PATH,
            required=True,
            help="Folder to write; must not exist, unless --force is given.",
        ),
        force_option,
        verbose_option,
    )


def force_option(command: _Command) -> _Command:
    """Add --force."""
    return click.option("--force", is_flag=True, help="Replace DIR if the same command wrote it.")(
        command
    )


def verbose_option(command: _Command) -> _Command:
    """Add --verbose."""
    return click.option(
        "--verbose", is_flag=True, help="Show the output of TensorFlow and the interpreters."
    )(command)


def calibration_options(command: _Command) -> _Command:
    """Add --observer, --ranges and --strict."""
    return with_options(
        command,
        click.option(
            "--observer",
            metavar="NAME",
            shell_complete=completion(_observer_names),
            default=DEFAULT_OBSERVER,
            show_default=True,
            help="Method for the ranges of activations: min-max, moving-average,"
            " percentile[:PERCENT], mse, lp[:POWER] or entropy.",
        ),
        click.option(
            "--ranges",
            metavar="FILE",
            type=PATH,
            help="Use the ranges in a calibration.json, which may be edited, instead of"
            " calibrating.",
        ),
        click.option(
            "--strict", is_flag=True, help="Fail if the linter has findings about the data."
        ),
    )


def quantization_options(command: _Command) -> _Command:
    """Add the options for quantization, from --scheme to --dense; see :func:`make_quantization`."""
    return with_options(
        command,
        click.option(
            "--scheme",
            metavar="NAME",
            shell_complete=completion(lambda: SCHEMES),
            default=Quantization.scheme,
            show_default=True,
            help=f"{', '.join(SCHEMES)}. int16 activations have int8 weights, int4 weights have"
            " int8 activations; the last two compute in float.",
        ),
        click.option(
            "--layer",
            "layer_schemes",
            metavar="PATTERN=SCHEME",
            type=NameValuePair(str, "'block_1/*=int16'"),
            multiple=True,
            help=f"Scheme for layers by name: {', '.join(LAYER_SCHEMES)}; repeatable, the last"
            " match counts.",
        ),
        click.option(
            "--input-type",
            metavar="TYPE",
            shell_complete=completion(lambda: IO_TYPES),
            help=f"Data type of the inputs: {', '.join(IO_TYPES)}.  [default: that of the scheme]",
        ),
        click.option(
            "--output-type",
            metavar="TYPE",
            shell_complete=completion(lambda: IO_TYPES),
            help="Data type of the outputs, likewise.",
        ),
        click.option(
            "--dense",
            metavar="SCALES",
            shell_complete=completion(lambda: DENSE),
            help=f"{' or '.join(DENSE)} scales for the weights of dense layers.  [default:"
            " per-channel for int8]",
        ),
        click.option(
            "--split-outputs",
            is_flag=True,
            help="Make each part of an output that a concatenation joins, such as boxes and scores,"
            " an output of its own, with a scale of its own.",
        ),
    )


def make_quantization(options: dict[str, Any]) -> Quantization:
    """Remove the quantization options from all options; returns them as settings."""
    return Quantization(
        layers=options.pop("layer_schemes"),
        **{name: options.pop(name) for name in ("scheme", "input_type", "output_type", "dense")},
    )


project_file_option = config_option("--recipe")
_SAMPLING = (
    click.option(
        "--samples",
        type=int,
        help="Number of samples of the representative dataset to calibrate with, stratified by"
        " label.  [default: all]",
    ),
    click.option(
        "--seed",
        type=int,
        default=DEFAULT_SEED,
        show_default=True,
        help="Random seed for the choice of samples.",
    ),
)


def with_options(command: _Command, *options: Callable[[_Command], _Command]) -> _Command:
    """Add options to a command, in this order."""
    for option in reversed(options):  # decorators apply from the bottom up
        command = option(command)
    return command
