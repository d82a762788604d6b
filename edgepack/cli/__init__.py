"""The command line, with one module per command. No other package prints or exits."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import IO, Any, NoReturn

import click

from edgepack import __version__
from edgepack.cli.compare import compare
from edgepack.cli.debug import debug
from edgepack.cli.diff import diff
from edgepack.cli.doctor import doctor
from edgepack.cli.export import export
from edgepack.cli.firmware import firmware
from edgepack.cli.inspect import inspect
from edgepack.cli.lint import lint
from edgepack.cli.phone import phone
from edgepack.cli.quantize import quantize
from edgepack.cli.streams import require_printed, wrap_streams
from edgepack.cli.study import study
from edgepack.cli.targets import targets
from edgepack.cli.validate import validate
from edgepack.core.errors import EdgepackError, OutputError
from edgepack.core.packages import lacking_package
from edgepack.core.printable import printable
from edgepack.core.signals import INTERRUPTS
from edgepack.core.system_errors import describe_system_error, exhaustion_error

_COMPLETION = "_EDGEPACK_COMPLETE"
_INTERRUPTED = 128 + signal.SIGINT
_interrupted = threading.Event()
_SHUTDOWN_S = 3.0
_ignored_until = 0.0
_REPORTABLE = (EdgepackError, OSError, ImportError, MemoryError, RuntimeError)


class _UsageError(click.UsageError):
    """An error of click's parser, which begins like every other error."""

    def show(self, file: IO[Any] | None = None) -> None:
        if self.ctx is not None:
            hint = f"Try '{self.ctx.command_path} --help' for help."
            click.echo(f"{self.ctx.get_usage()}\n{hint}\n", file=file, err=True)
        click.echo(printable(f"error: {self.format_message()}"), file=file, err=True)


class _Group(click.Group):
    """Turns every error that a user can cause or fix into one line and an exit status."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _own_usage_errors():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> object:
        try:
            with _own_usage_errors():
                return super().invoke(ctx)
        except _REPORTABLE as error:
            # numpy turns an interruption of its import into an ImportError.
            if isinstance(error, ImportError) and _interrupted.is_set():
                ctx.exit(_report_interruption())
            if (reportable := _reportable(error)) is None:
                raise
            ctx.exit(_report(reportable))
        except KeyboardInterrupt:
            ctx.exit(_report_interruption())


@contextmanager
def _own_usage_errors() -> Iterator[None]:
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:  # it is the help
        raise
    except click.UsageError as error:
        raise _UsageError(error.format_message(), error.ctx) from error


def _reportable(error: Exception) -> EdgepackError | None:
    """Return the error to report to the user; None if the error is a bug in edgepack."""
    if isinstance(error, EdgepackError):
        return error
    if package := lacking_package(error):
        return package.error()
    return describe_system_error(error) if isinstance(error, OSError) else exhaustion_error(error)


def _report(error: EdgepackError) -> int:
    """Print an error message; returns the exit status."""
    click.echo(printable(f"error: {error}"), err=True)
    return error.exit_code


def _report_interruption() -> int:
    click.echo("\ninterrupted", err=True)
    return _INTERRUPTED


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Export trained Keras models to phones and microcontrollers.

    Exit status: 0 success; 1 failure, a target or budget that does not pass, findings with lint
    --strict, or a change for the worse in diff; 2 incorrect usage or invalid input; 3 a required
    package is not installed; 4 the samples do not show whether a budget is kept; 130 interrupted.
    """


cli.add_command(compare)
cli.add_command(debug)
cli.add_command(diff)
cli.add_command(doctor)
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
    # numpy's threads hang if there is no memory for them; this process computes little anyway.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    wrap_streams()
    for number in INTERRUPTS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, _interrupt)
    try:
        cli(prog_name="edgepack", complete_var=_COMPLETION)
    except SystemExit as exit_error:
        if exit_error.code:
            raise
    except (LookupError, ValueError):
        if _COMPLETION not in os.environ:
            raise
        sys.exit(1)  # asked for words as none of click's scripts for shells asks
    try:
        require_printed()  # what click itself printed, such as --help
    except OutputError as error:
        sys.exit(_report(error))
    sys.exit()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Exit as on Ctrl-C: end the workers, and leave nothing half-written.

    Signals that follow within 3 s are ignored, as they would disturb that. Later ones are not:
    Python may have lost the first exception, such as in ``__del__``.
    """
    global _ignored_until  # noqa: PLW0603 (a handler has nowhere else to store it)
    now = time.monotonic()
    if now < _ignored_until:
        return
    _ignored_until = now + _SHUTDOWN_S
    _interrupted.set()
    raise KeyboardInterrupt
