"""``module:function``: a user's function that returns data; naming it permits running it."""

from __future__ import annotations

from edgepack.calibration.datasets.sources.columns import Columns
from edgepack.calibration.datasets.sources.source import Context
from edgepack.calibration.datasets.sources.stream import Stream, open_object
from edgepack.core.errors import DatasetError
from edgepack.core.user_code import import_function, user_code_errors


def open_function(name: str, context: Context) -> Columns | Stream:
    """Import a function from the path or the working folder, call it, and open its result.

    Raises :class:`DatasetError` if it cannot be imported, if it raises, and for a result that is
    no data.
    """
    function = import_function(name, name, DatasetError)
    with user_code_errors(name, DatasetError):
        value = function()
    return open_object(value, name, context)
