"""Every error that a user can cause or fix.

::

    EdgepackError               1  the work was started and failed
    +-- ConversionError            a model cannot be converted, calibrated, quantized or run
    +-- WorkerCrashError           a worker process was killed by a signal
    +-- AlteredError               a file differs from the one that its manifest lists
    +-- WorkerLimitError           a worker process exceeded its limit of time or memory
    +-- ExhaustedError             the system is out of memory, file descriptors or processes
    +-- UsageError              2  the request cannot be fulfilled
    |   +-- ConfigError            settings that are invalid or contradict each other
    |   +-- ModelError             a model file that cannot be read or is not supported
    |   |   +-- UnsafeModelError   a model file that would run its own code
    |   +-- DatasetError           a dataset that cannot be read or does not fit the model
    |   +-- CalibrationError       a file of ranges that cannot be read or does not fit the model
    |   +-- TargetError            an unknown or malformed target
    |   +-- ReportError            a report that cannot be read or compared
    |   +-- TableError             an invalid TOML table
    |   +-- OutputError            an output folder that cannot be written, or must not be
    +-- MissingToolError        3  a required package is not installed

The number is the exit status of the command. A message names the thing, the rule and the cure.
Any other exception is a bug in edgepack and keeps its traceback.
"""

from __future__ import annotations

import re

_REASON_LENGTH = 300
_CUT = " [...]"
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_OPERATOR = re.compile(r"\{\{function_node [^}]*\}\} ?| ?\[Op:\w+\] name:")
_LAYER_HEADING = re.compile(r"Exception encountered when calling")
_UNINFORMATIVE = re.compile(rf'^File "|:$|^Detected at node|{_LAYER_HEADING.pattern}')
_INFORMATIVE = re.compile(r"error:|Error:|not supported|Exception encountered:")


class EdgepackError(Exception):
    """Base class of every error that a user can cause or fix."""

    exit_code = 1


class ConversionError(EdgepackError):
    """A model cannot be converted, calibrated, quantized or run."""


class WorkerCrashError(EdgepackError):
    """A worker process ended without a reply; ``signal`` names what killed it, if a signal did."""

    def __init__(self, message: str, signal: str | None = None) -> None:
        super().__init__(message)
        self.signal = signal


class WorkerLimitError(EdgepackError):
    """A worker process exceeded its limit of ``resource``: "time" or "memory"."""

    def __init__(self, message: str, resource: str | None = None) -> None:
        super().__init__(message)
        self.resource = resource


class ExhaustedError(EdgepackError):
    """The system is out of memory, file descriptors or processes."""


class AlteredError(EdgepackError):
    """A file differs from the one that its manifest lists."""


class UsageError(EdgepackError):
    """The request cannot be fulfilled."""

    exit_code = 2


class ConfigError(UsageError):
    """Settings that are invalid or contradict each other."""


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
    """An invalid TOML table; the caller adds the name of the file to the message."""


class ReportError(UsageError):
    """A report that cannot be read, or two that cannot be compared."""


class OutputError(UsageError):
    """An output folder that cannot be written, or must not be."""


class MissingToolError(EdgepackError):
    """A required package is not installed."""

    exit_code = 3


def reason(error: Exception) -> str:
    """Return the most informative line of a library's error message, at most 300 characters.

    TensorFlow and Keras write messages that are pages long.
    """
    text = _OPERATOR.sub("", _COLOR.sub("", str(error)))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    candidates = [line for line in lines if not _UNINFORMATIVE.search(line)]
    # Keras puts TensorFlow's message below the heading that names the layer.
    heading = next((i for i, line in enumerate(lines) if _LAYER_HEADING.search(line)), 0)
    informative = [line for line in candidates if _INFORMATIVE.search(line)]
    below = [line for line in lines[heading:] if heading and line in candidates]
    best = next(iter(informative or below or candidates or lines), type(error).__name__)
    best = " ".join(best.split())
    return best if len(best) <= _REASON_LENGTH else f"{best[: _REASON_LENGTH - len(_CUT)]}{_CUT}"
