"""Which operators an interpreter supports, and up to which version of each.

``scripts/operators`` measures this on the interpreters and writes the data file next to this
module. By operator and interpreter the file holds each release of the interpreter in which the
highest registered version of the operator was measured to change, and that version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from edgepack.core.errors import TargetError

if TYPE_CHECKING:
    from packaging.version import Version

Measured = dict[str, dict[str, dict[str, int]]]
"""By interpreter, its release and the operator: the operator's highest version, 0 for none."""

_UNVERSIONED = ("tflm",)
_ANY = 1 << 31
_CUSTOM = "CUSTOM "


@cache
def highest_version(interpreter: str, version: str, operator: str) -> int:
    """Return the highest version of an operator that a release of an interpreter supports.

    0 if it does not support the operator at all. A custom operator is named ``CUSTOM NAME``. For a
    release that was not measured, the newest measured release that is older counts. TensorFlow
    Lite Micro ignores versions: an operator that it supports has a version above any other. Raises
    :class:`TargetError` for a release older than all that were measured.
    """
    measured = _measured()[interpreter]
    older = [each for each in measured if version_key(each) <= version_key(version)]
    if not older:
        raise TargetError(
            f"{interpreter} {version}: the operators of so old a release are not known;"
            f" measured releases are {', '.join(measured)}"
        )
    highest = measured[older[-1]].get(operator, 0)
    return _ANY if highest and interpreter in _UNVERSIONED else highest


@cache
def is_known(operator: str, version: int) -> bool:
    """Whether any interpreter supports a version of an operator in any measured release."""
    return any(
        table.get(operator, 0) >= version
        for measured in _measured().values()
        for table in measured.values()
    )


def first_release(interpreter: str, operator: str, needed: int) -> str | None:
    """Return the first measured release of an interpreter that supports an operator's version.

    None if no release does.
    """
    for version in _measured()[interpreter]:
        if highest_version(interpreter, version, operator) >= needed:
            return version
    return None


def measured_versions(interpreter: str) -> tuple[str, ...]:
    """Return the measured releases of an interpreter, the oldest first."""
    return tuple(_data()["measured"][interpreter])


def measured_operators() -> tuple[str, ...]:
    """Return the operators of all interpreters in all releases; custom ones by their codes."""
    return tuple(operator.removeprefix(_CUSTOM) for operator in _data()["operators"])


def version_key(version: str) -> Version:
    """Return a key that sorts releases, by PEP 440.

    Raises :class:`TargetError` for text that is not a version.

    >>> version_key("0.dev20261023") < version_key("2.9.1") < version_key("2.14.0")
    True
    """
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version)
    except InvalidVersion as error:
        raise TargetError(f"version {version!r} of an interpreter: write it like 2.14.0") from error


def to_json(measured: Measured) -> str:
    """Write measurements as JSON, one line per operator, with only the changes between releases."""
    ordered = {name: _in_order(measured[name]) for name in sorted(measured)}
    operators = sorted(
        {key for each in ordered.values() for table in each.values() for key in table}
    )
    lines = [
        f"  {json.dumps(operator)}: {json.dumps(changes)}"
        for operator in operators
        if (changes := _changes(ordered, operator))
    ]
    versions = [
        f"  {json.dumps(name)}: {json.dumps(list(table))}" for name, table in ordered.items()
    ]
    return (
        '{"measured": {\n'
        + ",\n".join(versions)
        + '\n},\n"operators": {\n'
        + ",\n".join(lines)
        + "\n}}\n"
    )


def from_json(data: Mapping[str, Any]) -> Measured:
    """Read what :func:`to_json` wrote: every operator in every measured release."""
    measured: Measured = {}
    for name, versions in data["measured"].items():
        highest: dict[str, int] = {}
        measured[name] = {}
        for version in versions:
            for operator, changes in data["operators"].items():
                highest[operator] = changes.get(name, {}).get(version, highest.get(operator, 0))
            measured[name][version] = dict(highest)
    return measured


def _changes(measured: Measured, operator: str) -> dict[str, dict[str, int]]:
    changes: dict[str, dict[str, int]] = {}
    for name, versions in measured.items():
        last = 0
        for version, table in versions.items():
            if (highest := table.get(operator, 0)) != last:
                changes.setdefault(name, {})[version] = last = highest
    return changes


def _in_order(versions: Mapping[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    return {version: versions[version] for version in sorted(versions, key=version_key)}


@cache
def _measured() -> Measured:
    return from_json(_data())


@cache
def _data() -> dict[str, Any]:
    text = files("edgepack.runtimes").joinpath("operators.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data
