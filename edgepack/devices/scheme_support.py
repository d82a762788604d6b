"""Which interpreters run which quantization: known before the work starts.

Everything here was run, on the versions of the interpreters that edgepack requires (TensorFlow
Lite Micro of 2026, LiteRT 2.3, tflite-runtime 2.14).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

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
from edgepack.devices.kernel_defects import DEFECTS, MIXED, PER_CHANNEL, Lack
from edgepack.devices.target import Target, load_target, target_names
from edgepack.runtimes import REFERENCE, RUNTIMES

_UNREGISTERED = {
    Lack(INT4, "they have none for int4 weights"): (REFERENCE.name,),
    Lack(
        f"{DYNAMIC_RANGE} {PER_CHANNEL}",
        "it has FULLY_CONNECTED up to version 10, such layers need 12",
    ): ("tflite-runtime", REFERENCE.name),
}
"""What an interpreter lacks by the versions of its operators; :data:`DEFECTS` has the rest."""

_NAMED = 3


def why_unsupported(settings: Quantization, interpreter: str) -> str | None:
    """Say what of a quantization an interpreter does not run, and why; None if it runs all."""
    for feature in _features(settings):
        if why := _lacks(interpreter).get(feature):
            return f"{interpreter} does not run {feature}: {why}"
    return None


def _lacks(interpreter: str) -> dict[str, str]:
    """Tell what no release of an interpreter has, and why, by the feature of a quantization."""
    lasting = (
        defect.lack for defect in DEFECTS if defect.lack and defect.is_in_every_release(interpreter)
    )
    unregistered = (lack for lack, names in _UNREGISTERED.items() if interpreter in names)
    return {lack.feature: lack.why for lack in (*lasting, *unregistered)}


def require_supported(settings: Quantization, targets: Sequence[Target]) -> None:
    """Raise :class:`TargetError` for a target with an interpreter that lacks what is asked for."""
    for target in targets:
        for interpreter in target.interpreters:
            if why := why_unsupported(settings, interpreter):
                able = [each.name for each in able_targets(settings, target_names())]
                cure = (
                    f"it runs on {', '.join(able[:_NAMED])}{' and others' * (len(able) > _NAMED)}"
                    if able
                    else "no target has the right interpreters; quantize without --target runs it"
                    f" on {', '.join(able_runtimes(settings))}"
                )
                raise TargetError(
                    f"scheme {settings.scheme} for the target {target.name}: {why}; {cure}"
                )


def able_targets(settings: Quantization, names: Iterable[str]) -> list[Target]:
    """Find those of the named targets that take a quantization, and whose interpreters run it."""
    has_float = FLOAT in {scheme for _, scheme in settings.layers}
    return [
        target
        for target in map(load_target, names)
        if not any(why_unsupported(settings, name) for name in target.interpreters)
        and not (has_float and target.quantization == "full-integer")
    ]


def able_runtimes(settings: Quantization) -> list[str]:
    """Find the runtimes that run a quantization."""
    return [name for name in RUNTIMES if not why_unsupported(settings, name)]


def _features(settings: Quantization) -> Iterator[str]:
    """Name what not every interpreter has. A layer may be named that the model has not."""
    schemes = {settings.scheme, *(scheme for _, scheme in settings.layers)}
    for scheme in (FLOAT16, DYNAMIC_RANGE, INT4, INT16):
        if scheme in schemes:
            yield scheme
            if not settings.is_dense_per_tensor(scheme):
                yield f"{scheme} {PER_CHANNEL}"
    ends = {settings.inputs, settings.outputs}
    if INT16 in schemes and (schemes & {INT8, INT4} or ends & {"int8", "uint8"}):
        yield MIXED
