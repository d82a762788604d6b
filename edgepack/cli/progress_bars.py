"""Progress bars on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from edgepack.core.printable import printable
from edgepack.core.progress import Update, ignore

_LABEL_WIDTH = 9


class ProgressBars:
    """Shows a progress bar per step on a terminal, and a line per step elsewhere."""

    @contextmanager
    def step(self, label: str) -> Iterator[Update]:
        """Show a step."""
        started = time.monotonic()
        text = f"{label:<{_LABEL_WIDTH}}"
        if not sys.stderr.isatty():
            yield ignore
            click.echo(f"{text}  {time.monotonic() - started:.1f} s", err=True)
            return
        with click.progressbar(
            length=1,
            label=text,
            file=sys.stderr,
            show_eta=True,
            width=30,
            item_show_func=lambda detail: detail and printable(detail),
        ) as bar:

            def update(done: int, total: int, detail: str = "") -> None:
                bar.length = total
                bar.update(done - bar.pos, detail)

            yield update
            update(1, 1)
