"""Checks that interpreters and targets support the operators and data types of a file."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.checks.alternatives import cure_of
from edgepack.checks.locations import Place, listed, places
from edgepack.core.findings import Finding
from edgepack.devices.target import Target
from edgepack.runtimes.supported_operators import first_release, highest_version
from edgepack.tflite.graph import Model, Operator
from edgepack.tflite.required_op_versions import needed_version


def operators_are_known(model: Model, target: Target) -> Iterator[Finding]:
    """Each interpreter supports every operator, in the version that its content needs.

    The oldest release of the interpreter that the target names decides. Versions are derived from
    the content: a file may declare a lower one than it needs.
    """
    for interpreter, oldest in target.interpreters.items():
        unsupported: dict[tuple[str, int], list[Place]] = {}
        for place in places(model):
            operator = place.call.operator
            needed = needed_version(place.call)
            if needed > highest_version(interpreter, oldest, _key(operator)):
                unsupported.setdefault((operator.name, needed), []).append(place)
        for (name, needed), where in unsupported.items():
            yield Finding(
                message=_message(interpreter, oldest, where[0].call.operator, needed),
                cure=_cure(interpreter, where[0].call.operator, needed, oldest),
                operator=name,
                layer=listed(place.layer for place in where),
            )


def _key(operator: Operator) -> str:
    return f"CUSTOM {operator.name}" if operator.is_custom else operator.name


def _message(interpreter: str, oldest: str, operator: Operator, needed: int) -> str:
    known = highest_version(interpreter, oldest, _key(operator))
    if not known:
        kind = "the custom operator " if operator.is_custom else ""
        return f"{interpreter} {oldest} does not support {kind}{operator.name}"
    message = (
        f"{operator.name} is needed in version {needed}; {interpreter} {oldest} supports it up to"
        f" {known}"
    )
    if operator.version <= known:
        message += (
            f"; the file declares version {operator.version}, so it runs, possibly with wrong"
            " results"
        )
    return message


def _cure(interpreter: str, operator: Operator, needed: int, oldest: str) -> str:
    known = highest_version(interpreter, oldest, _key(operator))
    cure = cure_of(operator, needed if known else None)
    release = first_release(interpreter, _key(operator), needed)
    return f"{cure}; {interpreter} supports it from {release} on" if release else cure


def operators_are_taken(model: Model, target: Target) -> Iterator[Finding]:
    """Every operator is among those that the target lists, if it lists any."""
    unsupported: dict[str, list[Place]] = {}
    for place in places(model):
        if place.operator not in target.operators:
            unsupported.setdefault(place.operator, []).append(place)
    for name, where in unsupported.items():
        yield Finding(
            message=f"the target does not support {name}",
            cure=cure_of(where[0].call.operator),
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
    """Every tensor that is used has one of the data types that the target supports."""
    unsupported: dict[str, list[Place]] = {}
    for place in places(model):
        tensors = [*(tensor for tensor in place.call.inputs if tensor), *place.call.outputs]
        for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
            if dtype not in target.data_types:
                unsupported.setdefault(dtype, []).append(place)
    for dtype, where in unsupported.items():
        yield Finding(
            message=f"the target does not support {dtype} tensors, which {_have(where)}",
            cure=_TYPE_CURES.get(dtype, "build the model with other data types"),
            operator=where[0].operator,
            layer=listed(place.layer for place in where),
        )


def _have(where: list[Place]) -> str:
    kinds = {place.operator: None for place in where}
    return f"{listed(kinds)} {'has' if len(kinds) == 1 else 'have'}"
