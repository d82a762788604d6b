"""The linter: what is likely wrong with datasets, found before they calibrate anything."""

from __future__ import annotations

from dataclasses import dataclass

REPRESENTATIVE = "representative dataset"
TEST = "test data"
"""What a dataset is for, as findings name it."""


@dataclass(frozen=True, kw_only=True)
class LintFinding:
    """What a rule saw in a dataset.

    ``dataset`` says which one, ``name`` which of its inputs or labels, None for all of them.
    ``sentence`` tells what was seen, with figures; ``cure`` what to do if it is a mistake.
    """

    rule: str
    dataset: str
    name: str | None
    sentence: str
    cure: str

    def __str__(self) -> str:
        """The finding as one line."""
        return f"{self.dataset}: {self.sentence}; {self.cure}"


@dataclass(frozen=True, kw_only=True)
class ModelLint:
    """What a model says of a dataset; ``witnesses`` are what shows how it was trained."""

    findings: tuple[LintFinding, ...]
    witnesses: tuple[str, ...]
