"""The report on whether a target can run a model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgepack.checks import Verdict
from edgepack.config.budgets import Budgets
from edgepack.devices.ethos_u import Compilation
from edgepack.devices.target import Target
from edgepack.footprint import Footprint

PASSED, FAILED, NOT_CHECKED, NOT_SHOWN = "passed", "failed", "not checked", "not shown"
EXIT_STATUS = {FAILED: 1, NOT_CHECKED: 3, NOT_SHOWN: 4, PASSED: 0}
"""The exit status for each outcome, the gravest first."""
RUNS = "runs"
"""The outcome of a model that did not fail, and whose loss nothing limits."""


def gravest(words: Collection[str]) -> str:
    """Return the gravest outcome; PASSED if there is none.

    >>> gravest([PASSED, NOT_SHOWN]), gravest([])
    ('not shown', 'passed')
    """
    return next((word for word in EXIT_STATUS if word in words), PASSED)


def in_table(word: str) -> str:
    """Return an outcome as tables print it: a failure in capitals."""
    return word.upper() if word == FAILED else word


def good_word(budgets: Mapping[str, Budgets]) -> str:
    """Return the outcome of a model that does not fail: it passes only if its loss is limited."""
    return PASSED if budgets else RUNS


@dataclass(frozen=True, kw_only=True)
class TargetReport:
    """Whether a target can run a model, and the memory that it needs there.

    ``flash_bytes`` is the size of the model, with the runtime on a microcontroller. ``ram_bytes``
    is the arena and the runtime on a microcontroller, elsewhere the peak of the interpreter's
    process on this machine; None where that was not measured, as in an export. ``footprint`` is
    None except on a microcontroller without an NPU, ``compilation`` (by Vela) except with an Arm
    Ethos-U NPU. ``verdict`` is that of the checks.
    """

    target: Target
    verdict: Verdict
    flash_bytes: int
    ram_bytes: int | None
    footprint: Footprint | None
    compilation: Compilation | None = None

    @property
    def arena_bytes(self) -> int | None:
        """The smallest arena in which the model can start, in bytes; None where there is none."""
        return self.footprint.arena.least if self.footprint else None

    @property
    def word(self) -> str:
        """The outcome: ``PASSED``, ``FAILED``, ``NOT_CHECKED`` or ``NOT_SHOWN``."""
        if self.verdict.failed:
            return FAILED
        if self.verdict.missing:
            return NOT_CHECKED
        return NOT_SHOWN if self.verdict.undecided else PASSED

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON.

        ``ram_bytes`` is left out: on a microcontroller it is in the footprint; elsewhere it differs
        from run to run, and is in the report of a validation as the peak of the runtime.
        """
        return {
            "verdict": self.word,
            "flash_bytes": self.flash_bytes,
            "flash_limit_bytes": self.target.model_flash_bytes,
            "ram_limit_bytes": self.target.model_ram_bytes,
            "footprint": asdict(self.footprint) if self.footprint else None,
            "compilation": asdict(self.compilation) if self.compilation else None,
        } | self.verdict.to_dict()


def outcome_on(targets: Mapping[str, TargetReport], budgets: Mapping[str, Budgets]) -> str:
    """Return the gravest outcome on targets; :data:`RUNS` if nothing limits what may be lost."""
    word = gravest([target.word for target in targets.values()])
    return good_word(budgets) if word == PASSED else word
