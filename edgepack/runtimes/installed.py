"""Which interpreters are installed."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from edgepack.core.errors import MissingToolError
from edgepack.runtimes import RUNTIMES, Runtime


def runtimes_named(names: Collection[str]) -> list[Runtime]:
    """Return the runtimes with these names, in the order of :data:`RUNTIMES`."""
    return [runtime for name, runtime in RUNTIMES.items() if name in names]


def installed_runtimes(runtimes: Iterable[Runtime]) -> list[Runtime]:
    """Return the runtimes that are installed."""
    return [runtime for runtime in runtimes if runtime.missing() is None]


def versions_of(runtimes: Iterable[Runtime]) -> dict[str, str]:
    """Return the installed version of each runtime's distribution, by its name."""
    return {runtime.distribution: str(runtime.version()) for runtime in runtimes}


def missing_packages(runtimes: Iterable[Runtime]) -> tuple[str, ...]:
    """Return why runtimes cannot be used: a sentence for each package that is not installed."""
    reasons = (runtime.missing() for runtime in runtimes)
    return tuple(dict.fromkeys(filter(None, reasons)))


def require_any_installed(runtimes: Collection[Runtime]) -> None:
    """Raise :class:`MissingToolError` if none of the targets' interpreters is installed."""
    if not installed_runtimes(runtimes):
        reasons = "; ".join(missing_packages(runtimes))
        raise MissingToolError(f"no interpreter for these targets is installed: {reasons}")
