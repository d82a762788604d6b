"""What edgepack requires of the packages that it uses: its own metadata, which setup.cfg wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import metadata, requires
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_EDGEPACK = "edgepack"


@cache
def own_requirements() -> Mapping[str, Requirement | None]:
    """Return what edgepack requires of each package, also of those of its extras, by name.

    None stands for a package that it does not require on this Python and system, for which there is
    no build of it. Without metadata of edgepack itself, or a packaging that works, nothing is known
    and the result is empty.
    """
    try:
        lines = requires(_EDGEPACK) or []
        extras = metadata(_EDGEPACK).get_all("Provides-Extra", [])
        return parse_requirements(lines, extras, {})
    except Exception:  # noqa: BLE001 (no metadata, or packaging is missing or broken)
        return {}


def parse_requirements(
    lines: Iterable[str], extras: Iterable[str], system: Mapping[str, str]
) -> dict[str, Requirement | None]:
    """Parse requirements as metadata have them, with those of all ``extras``.

    ``system`` has the values of markers that are not those of this Python and system.

    >>> lines = ['numpy<2,>=1.26; python_version < "3.12"', "scipy>=1.15"]
    >>> found = parse_requirements(lines, [], {"python_version": "3.12"})
    >>> found["numpy"], str(found["scipy"])
    (None, 'scipy>=1.15')
    """
    from packaging.requirements import Requirement

    found: dict[str, Requirement | None] = {}
    for requirement in map(Requirement, lines):
        if requirement.name == _EDGEPACK:  # of its own extra
            continue
        marker = requirement.marker
        environments = [{**system, "extra": extra} for extra in ("", *extras)]
        if marker is None or any(marker.evaluate(each) for each in environments):
            found[requirement.name] = requirement
        else:
            found.setdefault(requirement.name, None)
    return found


def wanted(distribution: str) -> str:
    """Return a package as pip takes it, in the versions that edgepack works with."""
    requirement = own_requirements().get(distribution)
    return f"{distribution}{requirement.specifier}" if requirement else distribution


def refusal(distribution: str, version: str) -> str | None:
    """Return why edgepack does not work with a version of a package; None if it does."""
    requirement = own_requirements().get(distribution)
    if requirement is None:
        return None
    from packaging.version import InvalidVersion

    try:
        fits = requirement.specifier.contains(version, prereleases=True)
    except InvalidVersion:
        fits = False
    return None if fits else f"version {version} is not {requirement.specifier}, as required"
