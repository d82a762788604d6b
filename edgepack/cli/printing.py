"""Print results on standard output."""

from __future__ import annotations

import click

from edgepack.cli.streams import require_printed
from edgepack.core.printable import printable

_WHITESPACE = "\n\t\N{NO-BREAK SPACE}"


def print_result(text: str) -> None:
    """Print a result; raises :class:`~edgepack.core.errors.OutputError` if it cannot be written.

    Non-printable characters are escaped; JSON contains none.
    """
    click.echo(printable(text, keep=_WHITESPACE))
    require_printed()
