"""The command ``edgepack phone``."""

from __future__ import annotations

from typing import Any

import click

from edgepack.cli.options import force_option, project_file_option
from edgepack.cli.printing import print_result
from edgepack.cli.value_types import PATH
from edgepack.config.phone import PhoneConfig


@click.command()
@click.argument("model", type=PATH)
@click.option(
    "--output",
    metavar="DIR",
    type=PATH,
    required=True,
    help="Folder to write; must not exist, unless --force is given.",
)
@click.option(
    "--labels", metavar="FILE", type=PATH, help="Text file with the class names, one per line."
)
@project_file_option
@click.option(
    "--name", help="Name of the model, its files and its class.  [default: that of MODEL]"
)
@click.option(
    "--description", metavar="TEXT", default="", help="Description of the model for its metadata."
)
@force_option
def phone(**options: Any) -> None:
    """Prepare MODEL, a .tflite file, for apps on phones.

    Writes DIR with the model, including TFLite metadata (names, labels, normalization), and with a
    class in Kotlin and one in Swift that load it, preprocess its inputs as the --config file says,
    and interpret its outputs.

    \b
    Example:
      edgepack phone build/kws/int8.tflite --labels labels.txt --output build/kws-phone
    """  # noqa: D301 (click reads the backspace: keep these lines as they are)
    from edgepack.pipeline.phone import phone as run_phone
    from edgepack.report.text.phone import render_phone

    report = run_phone(PhoneConfig(**options))
    print_result(render_phone(report))
