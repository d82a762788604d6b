"""Reports: data first, then text and pages."""

from __future__ import annotations

from typing import Any

from edgepack.core.former_names import resolve_former_name


def __getattr__(name: str) -> Any:
    """Resolve the former name ``edgepack.report.Report``, with a DeprecationWarning."""
    if name != "Report":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return resolve_former_name(name, __name__, "edgepack")
