"""Every error that a user can cause or cure.

::

    EdgepackError               1  the work was started and failed
    +-- ConversionError            TensorFlow's converter gave up, or left float behind
    +-- WorkerCrashError           a worker process was killed by a signal
    +-- AlteredError               a file is not the one that its manifest lists
    +-- WorkerLimitError           a worker process needed more time or memory than it may
    +-- ExhaustedError             the system has no more memory, files or processes to give
    +-- UsageError              2  what was asked for cannot be done
    |   +-- ConfigError            options that do not fit together
    |   +-- ModelError             a model file that cannot be read or is not supported
    |   |   +-- UnsafeModelError   a model file that would run its own code
    |   +-- DatasetError           a dataset that cannot be read or does not fit the model
    |   +-- CalibrationError       a file of ranges that cannot be read or does not fit the model
    |   +-- TargetError            an unknown or malformed target
    |   +-- ReportError            a report that cannot be read or compared
    |   +-- TableError             a table of TOML, or a budget, that does not fit
    |   +-- OutputError            an output folder that cannot be written, or must not be
    +-- MissingToolError        3  a package that the work needs is not installed

The number is the exit status of the command. A message names the thing, the rule and
the cure. Anything else that is raised is a defect of edgepack and keeps its traceback.
"""

from __future__ import annotations

import re

_REASON_LENGTH = 300
_CUT = " [...]"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_OPERATOR = re.compile(r"\{\{function_node [^}]*\}\} ?| ?\[Op:\w+\] name:")
_CALLING = re.compile(r"Exception encountered when calling")
_EMPTY = re.compile(rf'^File "|:$|^Detected at node|{_CALLING.pattern}')
_TELLING = re.compile(r"error:|Error:|not supported|Exception encountered:")


class EdgepackError(Exception):
    """Base of every error a user can cause or cure."""

    exit_code = 1


class ConversionError(EdgepackError):
    """TensorFlow's converter gave up, or left float tensors behind."""


class WorkerCrashError(EdgepackError):
    """A worker process ended without an answer; ``signal`` names what killed it, if one did."""

    def __init__(self, message: str, signal: str | None = None) -> None:
        super().__init__(message)
        self.signal = signal


class WorkerLimitError(EdgepackError):
    """A worker process needed more than its limit of ``resource``, "time" or "memory"."""

    def __init__(self, message: str, resource: str | None = None) -> None:
        super().__init__(message)
        self.resource = resource


class ExhaustedError(EdgepackError):
    """The system has no more memory, files or processes to give."""


class AlteredError(EdgepackError):
    """A file is not the one that its manifest lists."""


class UsageError(EdgepackError):
    """What was asked for cannot be done."""

    exit_code = 2


class ConfigError(UsageError):
    """Options that do not fit together."""


class ModelError(UsageError):
    """A model file that cannot be read, or a model that is not supported."""


class UnsafeModelError(ModelError):
    """A model file that would run its own code when loaded."""


class DatasetError(UsageError):
    """A dataset that cannot be read or does not fit the model."""


class CalibrationError(UsageError):
    """A file of activation ranges that cannot be read or does not fit the model."""


class TargetError(UsageError):
    """An unknown or malformed target."""


class TableError(UsageError):
    """A table of TOML that does not fit; who reads it says of what file."""


class ReportError(UsageError):
    """A report that cannot be read, or two that cannot be compared."""


class OutputError(UsageError):
    """An output folder that cannot be written, or must not be."""


class MissingToolError(EdgepackError):
    """A package that the work needs is not installed."""

    exit_code = 3


def reason(error: Exception) -> str:
    """Pick the line of a foreign error that says why: TensorFlow and Keras write pages."""
    text = _OPERATOR.sub("", _COLOUR.sub("", str(error)))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if not _EMPTY.search(line)]
    # What Keras was told by TensorFlow stands behind the heading that says which layer it was.
    begun = next((i for i, line in enumerate(lines) if _CALLING.search(line)), 0)
    named = [line for line in telling if _TELLING.search(line)]
    after = [line for line in lines[begun:] if begun and line in telling]
    told = next(iter(named or after or telling or lines), type(error).__name__)
    told = " ".join(told.split())
    return told if len(told) <= _REASON_LENGTH else f"{told[: _REASON_LENGTH - len(_CUT)]}{_CUT}"
