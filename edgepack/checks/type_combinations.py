"""Checks for operators whose data types or scales a supporting interpreter's kernels lack."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.checks.locations import Place, listed, places
from edgepack.core.findings import Finding
from edgepack.devices.target import Target
from edgepack.runtimes.kernel_defects import DEFECTS, Defect
from edgepack.tflite.graph import Model


def combinations_come_out_right(model: Model, target: Target) -> Iterator[Finding]:
    """No operator has data types or scales that an interpreter silently computes wrongly.

    They were measured; the oldest release that the target names decides.
    """
    everywhere = list(places(model))
    for defect in DEFECTS:
        names = [
            name for name, oldest in target.interpreters.items() if defect.is_wrong_in(name, oldest)
        ]
        yield from _findings(
            everywhere, target, defect, names, "is computed wrongly, without an error, by"
        )


def combinations_are_run(model: Model, target: Target) -> Iterator[Finding]:
    """No operator has data types or scales that an interpreter has no kernel for.

    They were measured; the oldest release that the target names decides.
    """
    everywhere = list(places(model))
    for defect in DEFECTS:
        names = [
            name
            for name, oldest in target.interpreters.items()
            if defect.is_refused_by(name, oldest) and not defect.is_wrong_in(name, oldest)
        ]
        yield from _findings(everywhere, target, defect, names, "is not supported by")


def _findings(
    everywhere: list[Place], target: Target, defect: Defect, interpreters: list[str], effect: str
) -> Iterator[Finding]:
    where = [place for place in everywhere if defect.matches(place.call)] if interpreters else []
    for name in interpreters if where else ():
        fixed = defect.fixed_in(name)
        yield Finding(
            message=f"{listed(place.operator for place in where)} with {defect.what} {effect}"
            f" {name} {target.interpreters[name]}",
            cure=f"{defect.cure}; {name} supports it from {fixed} on" if fixed else defect.cure,
            operator=where[0].operator,
            layer=listed(place.layer for place in where),
        )
