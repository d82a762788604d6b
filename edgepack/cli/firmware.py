"""The command ``edgepack firmware``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgepack.cli.config_file import config_option
from edgepack.cli.options import GroupedCommand, output_options
from edgepack.cli.printing import print_result
from edgepack.cli.progress_bars import ProgressBars
from edgepack.cli.renamed_option import RenamedOption
from edgepack.cli.value_types import DATA, PATH, TARGET, NamedValue, completion
from edgepack.config.firmware import DEFAULT_VECTORS, ONLY_MODEL, FirmwareConfig, NamedModel
from edgepack.config.project_file import read_project_file
from edgepack.devices.target import LAYOUTS

_PER_MODEL = {"labels": "--labels", "project_files": "--preprocessing", "tests": "--test"}
"""The options that can name a model, by the name of their parameter."""


class _Firmware(GroupedCommand):
    groups = {"labels": "Content", "help": "Other"}  # noqa: RUF012 (a class attribute)


@click.command(cls=_Firmware)
@click.argument("models", metavar="[NAME=]MODEL...", type=NamedValue(PATH), nargs=-1, required=True)
@click.option(
    "--target",
    metavar="NAME",
    type=TARGET,
    required=True,
    help="Microcontroller to generate code for, or the path of its .toml file.",
)
@output_options
@click.option(
    "--layout",
    metavar="NAME",
    shell_complete=completion(lambda: LAYOUTS),
    help="Project layout: cmake, arduino, esp-idf, zephyr or platformio.  [default: the target's]",
)
@click.option(
    "--arena-margin",
    "arena_margin_percent",
    metavar="PERCENT",
    type=float,
    default=0.0,
    show_default=True,
    help="Margin to add to the arena size that the model needs on the target.",
)
@click.option(
    "--labels",
    metavar="[NAME=]FILE",
    type=NamedValue(PATH),
    multiple=True,
    help="Text file with the class names, one per line.",
)
@config_option()
@click.option(
    *("--preprocessing", "--recipe", "project_files"),
    cls=RenamedOption,
    metavar="[NAME=]FILE",
    type=NamedValue(PATH),
    multiple=True,
    help="TOML file whose [preprocessing] is generated as code and applied to the data of --test.",
)
@click.option(
    "--test",
    "tests",
    metavar="[NAME=]DATA",
    type=NamedValue(DATA),
    multiple=True,
    help="Samples for the test vectors.  [default: random inputs]",
)
@click.option(
    "--vectors",
    metavar="COUNT",
    type=int,
    default=DEFAULT_VECTORS,
    show_default=True,
    help="Number of test vectors of each model.",
)
@click.pass_context
def firmware(
    ctx: click.Context,
    /,
    *,
    models: tuple[tuple[str, Path], ...],
    verbose: bool,
    project_file: Path | None,
    **options: Any,
) -> None:
    """Generate C sources from .tflite files for a microcontroller.

    DIR becomes a buildable project with TensorFlow Lite Micro: each MODEL as an array, its arena
    and operators, its quantization parameters and labels, its preprocessing, and a self-test with
    test vectors. NAME is the prefix of the C symbols of a model; several models make one firmware.
    Exit status: 0 success; 1 a model does not run or fit on the target; 2 incorrect usage or
    invalid input; 3 tflite-micro is not installed.

    \b
    Example:
      edgepack firmware kws=int8.tflite --target nano-33-ble-sense --labels words.txt --output fw
    """  # noqa: D301 (click reads the backspace: keep these lines as they are)
    from edgepack.pipeline.firmware_project.firmware import firmware as run_firmware
    from edgepack.report.text.firmware import render_firmware

    sources = tuple(NamedModel(path=path, name=name or None) for name, path in models)
    options |= {name: _by_model(option, options[name]) for name, option in _PER_MODEL.items()}
    if (
        project_file
        and not options["project_files"]
        and read_project_file(project_file).preprocessing
    ):
        options["project_files"] = {ONLY_MODEL: project_file}
    config = FirmwareConfig(models=sources, **options)
    report = run_firmware(config, ProgressBars(), verbose=verbose)
    click.echo(err=True)
    print_result(render_firmware(report))
    ctx.exit(report.exit_status)


def _by_model(option: str, values: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    """Return the values of an option by the name of the model; refuses two for the same model."""
    names = [name for name, _ in values]
    if repeated := [name for name in names if names.count(name) > 1]:
        model = f" for {repeated[0]}" if repeated[0] else ""
        raise click.UsageError(f"{option} was given twice{model}; give it once for each model")
    return dict(values)
