"""Results on standard output."""

from __future__ import annotations

import click

from edgepack.cli.streams import require_delivered


def print_result(text: str) -> None:
    """Print a result; raises :class:`~edgepack.errors.OutputError` if that cannot be written."""
    click.echo(text)
    require_delivered()
