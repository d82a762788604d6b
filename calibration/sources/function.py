"""``module:function``: a function of the user's own, who names it, so it may run."""

from __future__ import annotations

from edgepack.calibration.sources.columns import Columns
from edgepack.calibration.sources.source import Context
from edgepack.calibration.sources.stream import Stream, open_object
from edgepack.errors import DatasetError
from edgepack.importing import calling, import_function


def open_function(name: str, context: Context) -> Columns | Stream:
    """Import a function from the path or the working folder, call it, and open what it returns."""
    function = import_function(name, name, DatasetError)
    with calling(name, DatasetError):
        value = function()
    return open_object(value, name, context)
