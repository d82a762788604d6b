"""Which interpreters support which quantization, known before a model is converted.

Measured on the versions of the interpreters that edgepack requires (TensorFlow Lite Micro of 2026,
LiteRT 2.3, tflite-runtime 2.14).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from edgepack.config.quantization import (
    DYNAMIC_RANGE,
    FLOAT,
    FLOAT16,
    INT4,
    INT8,
    INT16,
    Quantization,
)
from edgepack.core.errors import TargetError
from edgepack.devices.target import Target, load_target, target_names
from edgepack.runtimes import REFERENCE, RUNTIMES
from edgepack.runtimes.kernel_defects import DEFECTS, MIXED, PER_CHANNEL, Lack

_UNREGISTERED = {
    Lack(INT4, "they have no kernels for int4 weights"): (REFERENCE.name,),
    Lack(
        f"{DYNAMIC_RANGE} {PER_CHANNEL}",
        "it supports FULLY_CONNECTED up to version 10, and such layers need 12",
    ): ("tflite-runtime", REFERENCE.name),
}
"""What interpreters lack by the versions of their operators; :data:`DEFECTS` has the rest."""

_MAX_NAMED = 3


def why_unsupported(settings: Quantization, interpreter: str) -> str | None:
    """Return why an interpreter does not support a quantization; None if it does."""
    for feature in _features(settings):
        if why := _lacks(interpreter).get(feature):
            return f"{interpreter} does not support {feature}: {why}"
    return None


def _lacks(interpreter: str) -> dict[str, str]:
    """Return the features of a quantization that no release of an interpreter supports, and why."""
    unfixed = (
        defect.lack for defect in DEFECTS if defect.lack and defect.is_in_every_release(interpreter)
    )
    unregistered = (lack for lack, names in _UNREGISTERED.items() if interpreter in names)
    return {lack.feature: lack.why for lack in (*unfixed, *unregistered)}


def require_supported(settings: Quantization, targets: Sequence[Target]) -> None:
    """Raise :class:`TargetError` if an interpreter of a target does not support a quantization."""
    for target in targets:
        for interpreter in target.interpreters:
            if why := why_unsupported(settings, interpreter):
                able = [each.name for each in supporting_targets(settings, target_names())]
                others = " and others" if len(able) > _MAX_NAMED else ""
                cure = (
                    f"supported on {', '.join(able[:_MAX_NAMED])}{others}"
                    if able
                    else "no target has interpreters that support it; edgepack quantize without"
                    f" --target runs it on {', '.join(supporting_runtimes(settings))}"
                )
                raise TargetError(
                    f"{_subject(settings, interpreter)} for the target {target.name}: {why}; {cure}"
                )


def _subject(settings: Quantization, interpreter: str) -> str:
    """Return what an interpreter does not support: the layers' schemes, or that of the rest."""
    if why_unsupported(replace(settings, layers=()), interpreter):
        return f"scheme {settings.scheme}"
    others = [f"{name}={scheme}" for name, scheme in settings.layers if scheme != settings.scheme]
    return f"{' '.join(f'--layer {each}' for each in others)} with the scheme {settings.scheme}"


def supporting_targets(settings: Quantization, names: Iterable[str]) -> list[Target]:
    """Return the named targets that accept a quantization and whose interpreters support it."""
    return [target for target in map(load_target, names) if not why_refused(settings, target)]


def left_out_notes(settings: Quantization, names: Iterable[str]) -> list[str]:
    """Return a note on each of the named targets that :func:`supporting_targets` leaves out."""
    return [
        f"{name}, a default target, is left out: {why}; choose targets with --target"
        for name in names
        if (why := why_refused(settings, load_target(name)))
    ]


def why_refused(settings: Quantization, target: Target) -> str | None:
    """Return why a target refuses a quantization, or its interpreters do; None if none does."""
    for name in target.interpreters:
        if why := why_unsupported(settings, name):
            return why
    computes_in_float = FLOAT in {scheme for _, scheme in settings.layers}
    if target.quantization == "full-integer" and (computes_in_float or not settings.needs_ranges):
        return f"the target {target.name} requires integers throughout"
    return None


def supporting_runtimes(settings: Quantization) -> list[str]:
    """Return the names of the runtimes that support a quantization."""
    return [name for name in RUNTIMES if not why_unsupported(settings, name)]


def _features(settings: Quantization) -> Iterator[str]:
    """Yield the features of a quantization that not every interpreter supports.

    The settings may name layers that the model does not have.
    """
    schemes = {settings.scheme, *(scheme for _, scheme in settings.layers)}
    for scheme in (FLOAT16, DYNAMIC_RANGE, INT4, INT16):
        if scheme in schemes:
            yield scheme
            if not settings.is_dense_per_tensor(scheme):
                yield f"{scheme} {PER_CHANNEL}"
    io_types = {settings.inputs, settings.outputs}
    if INT16 in schemes and (schemes & {INT8, INT4} or io_types & {"int8", "uint8"}):
        yield MIXED
