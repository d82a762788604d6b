"""Results on standard output."""

from __future__ import annotations

import sys

import click

from edgepack.errors import OutputError


def print_result(text: str) -> None:
    """Print a result; raises :class:`OutputError` if that cannot be written."""
    try:
        click.echo(text)
    except BrokenPipeError:
        raise  # the reader has seen enough: click knows what to do
    except OSError as error:
        sys.stdout = None  # or Python tries once more at its end
        raise OutputError(
            f"standard output cannot be written: {error.strerror}; the work itself is complete"
        ) from error
