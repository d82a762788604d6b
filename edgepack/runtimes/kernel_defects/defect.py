"""The types that describe a defect of an interpreter's kernels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edgepack.runtimes.supported_operators import version_key
from edgepack.tflite.operator_calls import OperatorCall

PER_CHANNEL = "with per-channel dense layers"
MIXED = "int16 mixed with int8"
"""Features that a quantization may require of an interpreter besides its scheme."""

_FixedIn = Mapping[str, str | None]
"""By interpreter, the first release without the defect; None if every release has it."""


@dataclass(frozen=True)
class Lack:
    """A ``feature`` of a quantization that an interpreter does not support, and why.

    A feature is a scheme, a scheme followed by :data:`PER_CHANNEL`, or :data:`MIXED`.
    """

    feature: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Defect:
    """Operators that some interpreters do not compute as the file specifies.

    ``what`` completes "CONV_2D with ...". ``wrong`` maps the interpreters that compute such
    operators wrongly, without reporting an error, to the first release that does not; None if every
    release does. ``refused`` does the same for interpreters that reject them, or crash. The names
    of interpreters are those of :mod:`edgepack.runtimes`, including tflite-runtime's reference
    kernels. The defect applies to the operators named in ``operators``, or to any if that is empty,
    for which ``condition`` holds. ``lack`` is the feature of a quantization with which edgepack
    itself writes such operators.
    """

    what: str
    cure: str
    operators: tuple[str, ...] = ()
    condition: Callable[[OperatorCall], bool]
    wrong: _FixedIn = field(default_factory=dict)
    refused: _FixedIn = field(default_factory=dict)
    lack: Lack | None = None

    def matches(self, call: OperatorCall) -> bool:
        """Whether an operator has this defect, on the interpreters that it names."""
        return (not self.operators or call.operator.name in self.operators) and self.condition(call)

    def is_wrong_in(self, interpreter: str, release: str) -> bool:
        """Whether a release of an interpreter computes such operators wrongly."""
        return _is_affected(self.wrong, interpreter, release)

    def is_refused_by(self, interpreter: str, release: str) -> bool:
        """Whether a release of an interpreter rejects such operators, or crashes."""
        return _is_affected(self.refused, interpreter, release)

    def is_in_every_release(self, interpreter: str) -> bool:
        """Whether no release of an interpreter computes such operators correctly."""
        return any(each.get(interpreter, "") is None for each in (self.wrong, self.refused))

    def fixed_in(self, interpreter: str) -> str | None:
        """Return the first release of an affected interpreter that computes them correctly.

        None if no release does. The interpreter must be in ``wrong`` or ``refused``.
        """
        if self.is_in_every_release(interpreter):
            return None
        releases = (each.get(interpreter) for each in (self.wrong, self.refused))
        return max(filter(None, releases), key=version_key)


def _is_affected(fixed_in: _FixedIn, interpreter: str, release: str) -> bool:
    if interpreter not in fixed_in:
        return False
    fixed = fixed_in[interpreter]
    return fixed is None or version_key(release) < version_key(fixed)
