"""What a target says of a model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgepack.checks import Verdict
from edgepack.devices.ethos_u import Compilation
from edgepack.devices.target import Target
from edgepack.footprint import Footprint

PASSED, FAILED, NOT_CHECKED = "passed", "FAILED", "not checked"


@dataclass(frozen=True, kw_only=True)
class TargetReport:
    """What a target says of the model.

    ``flash_bytes`` counts the model, and the runtime on a microcontroller; ``ram_bytes`` the arena
    and the runtime there, elsewhere the peak of the interpreter's process here; None where that was
    not measured, as in an export. ``footprint`` is what the model takes on a microcontroller
    without an NPU, ``compilation`` what Vela makes of it for one. ``verdict`` is that of the
    checks.
    """

    target: Target
    verdict: Verdict
    flash_bytes: int
    ram_bytes: int | None
    footprint: Footprint | None
    compilation: Compilation | None = None

    @property
    def word(self) -> str:
        """The outcome in a word."""
        if not self.verdict.passed:
            return FAILED
        return NOT_CHECKED if self.verdict.missing else PASSED

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them.

        ``ram_bytes`` is told by the footprint on a microcontroller; elsewhere it is another in each
        run, and told as the peak of the runtime in the report of a validation.
        """
        return {
            "verdict": self.word.lower(),
            "flash_bytes": self.flash_bytes,
            "flash_limit_bytes": self.target.model_flash_bytes,
            "ram_limit_bytes": self.target.model_ram_bytes,
            "footprint": asdict(self.footprint) if self.footprint else None,
            "compilation": asdict(self.compilation) if self.compilation else None,
        } | self.verdict.to_dict()
