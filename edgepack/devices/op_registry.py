"""Which operators an interpreter knows, and up to which version of each.

Measured on the interpreters by ``scripts/operators``, which writes the data file beside this one.
Of each operator it holds, by interpreter, the highest version that is registered, from the
interpreter's version on in which that was measured to change.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from edgepack.core.errors import TargetError

Measured = dict[str, dict[str, dict[str, int]]]
"""By interpreter, its version and operator, the highest version of the operator; 0 for none."""

_VERSION = re.compile(
    r"(?P<release>\d+(\.\d+)*)((?P<phase>a|b|rc)(?P<number>\d+))?(\.post(?P<post>\d+))?"
    r"(\.dev(?P<dev>\d+))?"
)
_PHASES = ("dev", "a", "b", "rc", "final")
_UNVERSIONED = ("tflm",)
_ANY = 1 << 31
_CUSTOM = "CUSTOM "


@cache
def highest_version(interpreter: str, version: str, operator: str) -> int:
    """Tell up to which version a release of an interpreter knows an operator; 0 if it does not.

    A custom operator is asked for as ``CUSTOM NAME``. Of a release that was not measured, the
    newest measured one that is not newer is taken. TensorFlow Lite Micro looks at no versions:
    what it knows counts as any. Raises :class:`TargetError` for a release older than all measured.
    """
    measured = _measured()[interpreter]
    older = [each for each in measured if version_key(each) <= version_key(version)]
    if not older:
        raise TargetError(
            f"{interpreter} {version}: it is not known which operators so old a version has;"
            f" measured are {', '.join(measured)}"
        )
    highest = measured[older[-1]].get(operator, 0)
    return _ANY if highest and interpreter in _UNVERSIONED else highest


@cache
def is_known(operator: str, version: int) -> bool:
    """Whether any interpreter, in any release that was measured, has a version of an operator."""
    return any(
        table.get(operator, 0) >= version
        for measured in _measured().values()
        for table in measured.values()
    )


def first_version(interpreter: str, operator: str, needed: int) -> str | None:
    """Find the first measured release of an interpreter that knows a version of an operator."""
    for version in _measured()[interpreter]:
        if highest_version(interpreter, version, operator) >= needed:
            return version
    return None


def measured_versions(interpreter: str) -> tuple[str, ...]:
    """Give the releases of an interpreter that were measured, the oldest first."""
    return tuple(_data()["measured"][interpreter])


def measured_operators() -> tuple[str, ...]:
    """Name the operators that any interpreter has, in any release; custom ones by their codes."""
    return tuple(operator.removeprefix(_CUSTOM) for operator in _data()["operators"])


def version_key(version: str) -> tuple[Any, ...]:
    """Order releases as packages do: ``2.0.dev1 < 2.0rc1 < 2.0 < 2.0.post1 < 2.1``.

    Raises :class:`TargetError` for what is no version.

    >>> version_key("0.dev20261023") < version_key("2.9.1") < version_key("2.14.0")
    True
    """
    match = _VERSION.fullmatch(version)
    if match is None:
        raise TargetError(f"version {version!r} of an interpreter: write it like 2.14.0")
    release = tuple(int(part) for part in match["release"].split("."))
    while release and not release[-1]:
        release = release[:-1]
    is_final = match["post"] or not match["dev"]
    return (
        release,
        _PHASES.index(match["phase"] or ("final" if is_final else "dev")),
        int(match["number"] or 0),
        int(match["post"] or -1),
        not match["dev"],
        int(match["dev"] or 0),
    )


def packed(measured: Measured) -> str:
    """Write what was measured as JSON, a line for each operator, with the changes alone."""
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


def unpacked(data: Mapping[str, Any]) -> Measured:
    """Read what :func:`packed` wrote: every operator at every version that was measured."""
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
    found: dict[str, dict[str, int]] = {}
    for name, versions in measured.items():
        last = 0
        for version, table in versions.items():
            if (highest := table.get(operator, 0)) != last:
                found.setdefault(name, {})[version] = last = highest
    return found


def _in_order(versions: Mapping[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    return {version: versions[version] for version in sorted(versions, key=version_key)}


@cache
def _measured() -> Measured:
    return unpacked(_data())


@cache
def _data() -> dict[str, Any]:
    text = files("edgepack.devices").joinpath("operators.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data
