"""Targets: TOML files, found by name in :mod:`edgepack.targets`."""

from __future__ import annotations

import difflib
import sys
from dataclasses import MISSING, dataclass, fields
from importlib.resources import files
from typing import Any

from edgepack.errors import TargetError
from edgepack.runtimes import RUNTIMES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KINDS = ("phone", "microcontroller")


@dataclass(frozen=True, kw_only=True)
class Target:
    """A device.

    ``interpreters`` name the runtimes of :mod:`edgepack.runtimes` that run the model there.
    ``flash_bytes`` and ``ram_bytes`` are what the whole device has; None means no limit.
    ``source`` says where the figures come from.
    """

    name: str
    description: str
    kind: str
    interpreters: tuple[str, ...]
    source: str
    flash_bytes: int | None = None
    ram_bytes: int | None = None


def target_names() -> list[str]:
    """The names of the targets that come with edgepack, in alphabetical order."""
    names = (entry.name for entry in files("edgepack.targets").iterdir())
    return sorted(name[: -len(".toml")] for name in names if name.endswith(".toml"))


def load_target(name: str) -> Target:
    """Read a target by its name. Raises :class:`TargetError`, with the nearest known name."""
    known = target_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise TargetError(f"unknown target {name!r}: {hint}known targets: {', '.join(known)}")
    text = files("edgepack.targets").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return parse_target(name, text)


def parse_target(name: str, text: str) -> Target:
    """Build a target from TOML text. Raises :class:`TargetError` for an unknown or missing key."""
    try:
        table: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TargetError(f"target {name!r}: not valid TOML: {error}") from error
    keys = {field.name: field for field in fields(Target) if field.name != "name"}
    if unknown := sorted(table.keys() - keys.keys()):
        raise TargetError(
            f"target {name!r}: unknown key {unknown[0]!r}; the keys are {', '.join(keys)}"
        )
    required = {key for key, field in keys.items() if field.default is MISSING}
    if missing := sorted(required - table.keys()):
        raise TargetError(f"target {name!r}: the key {missing[0]!r} is missing")
    for key, value in table.items():
        kind, wanted = _KINDS_OF_VALUE[keys[key].type.removesuffix(" | None")]
        if not isinstance(value, kind):
            raise TargetError(f"target {name!r}: {key!r} must be {wanted}, not {value!r}")
    if table["kind"] not in KINDS:
        raise TargetError(
            f"target {name!r}: kind {table['kind']!r} is not one of {', '.join(KINDS)}"
        )
    for interpreter in table["interpreters"]:
        if interpreter not in RUNTIMES:
            raise TargetError(
                f"target {name!r}: unknown interpreter {interpreter!r};"
                f" the interpreters are {', '.join(RUNTIMES)}"
            )
    return Target(name=name, **(table | {"interpreters": tuple(table["interpreters"])}))


_KINDS_OF_VALUE = {
    "str": (str, "text"),
    "int": (int, "a whole number"),
    "tuple[str, ...]": (list, "a list of texts"),
}
