"""The report of ``edgepack doctor``: what is here, what is not, and what that costs.

:mod:`edgepack.report.text.doctor` writes it as text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgepack.core.errors import MissingToolError
from edgepack.core.schema_version import SCHEMA

KINDS = ("package", "interpreter", "extra", "program", "sandbox", "folder", "target")
WORKS, INSTALLED, UNFIT, BROKEN, MISSING = "works", "installed", "unfit", "broken", "missing"
OMITTED = "omitted"
"""What became of an examination: it was tried, or only its version was looked at; its version is
not one that edgepack works with; it is there and fails; it is not there; or it is not there because
this is a light installation."""


@dataclass(frozen=True, kw_only=True)
class Examined:
    """Something that edgepack or its users need.

    ``kind`` is one of :data:`KINDS`, ``distribution`` the package that brings it, if one does,
    ``found`` its version or path, None without one, and ``state`` one of the words above. Where
    something is wrong, ``problem`` is why, unless it is just missing, ``lost`` what cannot be done
    or is not checked, and ``cure`` the command that helps, or why none can. ``commands`` cannot
    work as it is, ``in_part`` not with every model or option; if it is unfit, both may not.
    """

    kind: str
    name: str
    state: str
    distribution: str | None = None
    found: str | None = None
    problem: str | None = None
    lost: str | None = None
    cure: str | None = None
    commands: tuple[str, ...] = ()
    in_part: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DoctorReport:
    """What was examined, and versions; that of edgepack is None if it is not installed."""

    edgepack: str | None
    python: str
    system: str
    machine: str
    examined: tuple[Examined, ...]

    @property
    def unable(self) -> dict[str, tuple[str, ...]]:
        """The commands that cannot work, each with the names of what they lack."""
        return _by_command(
            (each.name, each.commands) for each in self.examined if each.state != UNFIT
        )

    @property
    def in_part(self) -> dict[str, tuple[str, ...]]:
        """The other commands that cannot work in part, each with the names of what they lack."""
        found = _by_command(
            (each.name, each.in_part) for each in self.examined if each.state != UNFIT
        )
        return _without(found, self.unable)

    @property
    def uncertain(self) -> dict[str, tuple[str, ...]]:
        """The other commands that may not work, each with the names of what is unfit for them."""
        found = _by_command(
            (each.name, (*each.commands, *each.in_part))
            for each in self.examined
            if each.state == UNFIT
        )
        return _without(found, self.unable | self.in_part)

    @property
    def exit_status(self) -> int:
        """0: all that commands need is here and fits, or all but what a light installation omits.

        3: a command cannot work, not with every model or option, or may not, for another reason.
        """
        needed = (each for each in self.examined if each.commands or each.in_part)
        return MissingToolError.exit_code if any(each.state != OMITTED for each in needed) else 0

    def to_dict(self) -> dict[str, Any]:
        """Return the content of the JSON that ``edgepack doctor --json`` prints."""
        return {
            "schema": SCHEMA,
            **asdict(self),
            "unable": self.unable,
            "in_part": self.in_part,
            "uncertain": self.uncertain,
            "exit_status": self.exit_status,
        }


def _by_command(lacks: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name, commands in lacks:
        for command in commands:
            found[command].append(name)
    return {command: tuple(found[command]) for command in sorted(found)}


def _without(
    found: Mapping[str, tuple[str, ...]], others: Container[str]
) -> dict[str, tuple[str, ...]]:
    return {command: names for command, names in found.items() if command not in others}
