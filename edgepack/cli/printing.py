"""Results on standard output."""

from __future__ import annotations

import click

from edgepack.cli.streams import require_delivered
from edgepack.core.printable import printable

_LAYOUT = "\n\t\N{NO-BREAK SPACE}"


def print_result(text: str) -> None:
    """Print a result; raises :class:`~edgepack.core.errors.OutputError` if that cannot be written.

    What a terminal would not show as itself is printed as escapes; JSON has nothing of the kind.
    """
    click.echo(printable(text, keep=_LAYOUT))
    require_delivered()
