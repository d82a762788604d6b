"""The command ``edgepack inspect``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgepack.cli.config_file import bare_config_option
from edgepack.cli.printing import print_result
from edgepack.cli.value_types import PATH
from edgepack.config.inspect import InspectConfig


@click.command()
@click.argument("model", type=PATH)
@bare_config_option
@click.option("--tensors", is_flag=True, help="Also list every tensor.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def inspect(model: Path, *, tensors: bool, as_json: bool) -> None:
    """Show the contents of MODEL, a .tflite file.

    Lists its layers with data types, scales, bytes, multiply-accumulates and zeros among the
    weights, and the memory of its activations over time. The model is not run.

    \b
    Example:
      edgepack inspect build/model/int8.tflite
    """  # noqa: D301 (click reads the backspace: keep these lines as they are)
    from edgepack.pipeline.inspect import inspect as run_inspect
    from edgepack.report.text.inspect import render_inspection

    report = run_inspect(InspectConfig(model=model))
    if as_json:
        print_result(json.dumps(report.to_dict(), indent=2, allow_nan=False))
    else:
        print_result(render_inspection(report, tensors=tensors))
