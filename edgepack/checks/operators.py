"""Checks of the operators and data types of a file against what interpreters and targets have."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.checks.alternatives import cure_of
from edgepack.checks.locations import Place, listed, places
from edgepack.core.findings import Finding
from edgepack.devices.op_registry import first_version, highest_version
from edgepack.devices.op_versions import needed_version
from edgepack.devices.target import Target
from edgepack.tflite.graph import Model, Operator


def operators_are_known(model: Model, target: Target) -> Iterator[Finding]:
    """Each interpreter has every operator, in the version that its content needs.

    What counts is the oldest version of the interpreter that the target names. Versions are judged
    by content: a file may say less than is true.
    """
    for interpreter, oldest in target.interpreters.items():
        lacking: dict[tuple[str, int], list[Place]] = {}
        for place in places(model):
            operator = place.use.operator
            needed = needed_version(place.use)
            if needed > highest_version(interpreter, oldest, _key(operator)):
                lacking.setdefault((operator.name, needed), []).append(place)
        for (name, needed), where in lacking.items():
            yield Finding(
                message=_lack(interpreter, oldest, where[0].use.operator, needed),
                cure=_cure(interpreter, where[0].use.operator, needed, oldest),
                operator=name,
                layer=listed(place.layer for place in where),
            )


def _key(operator: Operator) -> str:
    return f"CUSTOM {operator.name}" if operator.is_custom else operator.name


def _lack(interpreter: str, oldest: str, operator: Operator, needed: int) -> str:
    known = highest_version(interpreter, oldest, _key(operator))
    if not known:
        kind = "the custom operator " if operator.is_custom else ""
        return f"{interpreter} {oldest} does not have {kind}{operator.name}"
    told = (
        f"{operator.name} is needed in version {needed}, {interpreter} {oldest} has it up to"
        f" {known}"
    )
    if operator.version <= known:
        told += f"; the file says version {operator.version}, so it is run, and may come out wrong"
    return told


def _cure(interpreter: str, operator: Operator, needed: int, oldest: str) -> str:
    known = highest_version(interpreter, oldest, _key(operator))
    cure = cure_of(operator, needed if known else None)
    able = first_version(interpreter, _key(operator), needed)
    return f"{cure}; {interpreter} has it from {able} on" if able else cure


def operators_are_taken(model: Model, target: Target) -> Iterator[Finding]:
    """Every operator is among those that the target takes, where it names them."""
    lacking: dict[str, list[Place]] = {}
    for place in places(model):
        if place.operator not in target.operators:
            lacking.setdefault(place.operator, []).append(place)
    for name, where in lacking.items():
        yield Finding(
            message=f"the target does not take {name}",
            cure=cure_of(where[0].use.operator),
            operator=name,
            layer=listed(place.layer for place in where),
        )


_TYPE_CURES = {
    "float16": "quantize to int8, or keep weights in float32",
    "float32": "quantize to full-integer INT8, with int8 inputs and outputs",
    "int16": "quantize to int8 (edgepack quantize --scheme int8)",
    "int2": "keep weights in int8",
    "int4": "keep weights in int8 (edgepack quantize --scheme int8)",
}


def data_types_are_taken(model: Model, target: Target) -> Iterator[Finding]:
    """Every tensor that is used has one of the data types that the target takes."""
    lacking: dict[str, list[Place]] = {}
    for place in places(model):
        tensors = [*(tensor for tensor in place.use.inputs if tensor), *place.use.outputs]
        for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
            if dtype not in target.data_types:
                lacking.setdefault(dtype, []).append(place)
    for dtype, where in lacking.items():
        yield Finding(
            message=f"the target takes no tensors of {dtype}, which {_have(where)}",
            cure=_TYPE_CURES.get(dtype, "build the model with other data types"),
            operator=where[0].operator,
            layer=listed(place.layer for place in where),
        )


def _have(where: list[Place]) -> str:
    kinds = {place.operator: None for place in where}
    return f"{listed(kinds)} {'has' if len(kinds) == 1 else 'have'}"
