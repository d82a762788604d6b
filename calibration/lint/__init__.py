"""The linter: detects likely mistakes in datasets before they are used for calibration."""

from __future__ import annotations

from dataclasses import dataclass

from edgepack.core.wording import WARNING

REPRESENTATIVE = "representative dataset"
TEST = "test data"
"""The roles of datasets, as findings name them."""


@dataclass(frozen=True, kw_only=True)
class LintFinding:
    """The finding of a rule in a dataset.

    ``dataset`` is the dataset's role, ``name`` the input or labels concerned, None for all of
    them. ``sentence`` describes the finding, with figures; ``cure`` is what to do if it is a
    mistake.
    """

    rule: str
    dataset: str
    name: str | None
    sentence: str
    cure: str

    def __str__(self) -> str:
        """The finding as one line."""
        return f"{self.dataset}: {self.sentence}; {self.cure}"

    @property
    def note(self) -> str:
        """The finding as a note of a report."""
        return f"{WARNING}{self}"


@dataclass(frozen=True, kw_only=True)
class ModelLint:
    """The findings of comparing a dataset with what a model reveals of its training.

    ``witnesses`` are the parts of the model and the labels that such comparisons could use.
    """

    findings: tuple[LintFinding, ...]
    witnesses: tuple[str, ...]
