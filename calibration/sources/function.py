"""``module:function``: a function of the user's own, who names it, so it may run."""

from __future__ import annotations

from edgepack.calibration.sources.columns import Columns
from edgepack.calibration.sources.source import Context
from edgepack.calibration.sources.stream import Stream, called, open_object
from edgepack.errors import DatasetError, reason
from edgepack.importing import import_module


def open_function(name: str, context: Context) -> Columns | Stream:
    """Import a function from the path or the working folder, call it, and open what it returns."""
    module, _, function = name.partition(":")
    try:
        found = getattr(import_module(module), function, None)
    except Exception as error:
        raise DatasetError(f"{name}: {module} cannot be imported: {reason(error)}") from error
    if not callable(found):
        raise DatasetError(f"{name}: {module} has no function {function}")
    with called(name):
        value = found()
    return open_object(value, name, context)
