"""The command line: the only package that prints or exits. One file a command."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import NoReturn

import click

from edgepack import __version__
from edgepack.cli.compare import compare
from edgepack.cli.debug import debug
from edgepack.cli.diff import diff
from edgepack.cli.export import export
from edgepack.cli.firmware import firmware
from edgepack.cli.inspect import inspect
from edgepack.cli.lint import lint
from edgepack.cli.phone import phone
from edgepack.cli.quantize import quantize
from edgepack.cli.streams import open_streams, require_delivered
from edgepack.cli.study import study
from edgepack.cli.targets import targets
from edgepack.cli.validate import validate
from edgepack.core.errors import EdgepackError, OutputError
from edgepack.core.printable import printable
from edgepack.core.signals import INTERRUPTS
from edgepack.core.system_errors import exhausted, system_refusal

_INTERRUPTED = 128 + signal.SIGINT
_interrupted = threading.Event()
_ENDING_S = 3.0
_ignored_until = 0.0
_MAY_TELL = (EdgepackError, OSError, ImportError, MemoryError, RuntimeError)


class _Group(click.Group):
    """Turns every error that a user can cause or cure into one line and an exit status."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except _MAY_TELL as error:
            # numpy turns an interruption of its import into an ImportError.
            if isinstance(error, ImportError) and _interrupted.is_set():
                ctx.exit(_interruption())
            if (told := _told(error)) is None:
                raise
            ctx.exit(_refusal(told))
        except KeyboardInterrupt:
            ctx.exit(_interruption())


def _told(error: Exception) -> EdgepackError | None:
    """Find what to tell a user of an error; None if it is a defect of edgepack."""
    if isinstance(error, EdgepackError):
        return error
    return system_refusal(error) if isinstance(error, OSError) else exhausted(error)


def _refusal(error: EdgepackError) -> int:
    """Tell an error; returns the exit status."""
    click.echo(printable(f"error: {error}"), err=True)
    return error.exit_code


def _interruption() -> int:
    click.echo("\ninterrupted", err=True)
    return _INTERRUPTED


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Take a trained Keras model to phones and microcontrollers.

    Exit status: 0 passed; 1 failed, did not pass on a target or a budget, lint --strict found
    something, or diff found something worse; 2 wrong use or bad input; 3 a needed package is
    missing; 130 interrupted.
    """


cli.add_command(compare)
cli.add_command(debug)
cli.add_command(diff)
cli.add_command(export)
cli.add_command(firmware)
cli.add_command(inspect)
cli.add_command(lint)
cli.add_command(phone)
cli.add_command(quantize)
cli.add_command(study)
cli.add_command(targets)
cli.add_command(validate)


def main() -> NoReturn:
    """Run the command line."""
    # numpy's threads never end where there is no memory for them; little is computed here.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    open_streams()
    for number in INTERRUPTS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, _interrupt)
    try:
        cli(prog_name="edgepack")
    except SystemExit as end:
        if end.code:
            raise
    try:
        require_delivered()  # what click printed itself, such as --help
    except OutputError as error:
        sys.exit(_refusal(error))
    sys.exit()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """End as Ctrl-C does: workers ended, nothing half-written.

    Another one soon after would disturb that, and is ignored. Later ones are not: Python may have
    raised the first where exceptions are lost, such as in ``__del__``.
    """
    global _ignored_until  # noqa: PLW0603 (a handler has nothing else to keep it in)
    now = time.monotonic()
    if now < _ignored_until:
        return
    _ignored_until = now + _ENDING_S
    _interrupted.set()
    raise KeyboardInterrupt
