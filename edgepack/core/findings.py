"""The findings that checks return."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding of a check.

    ``message`` names the subject and the rule, ``cure`` the remedy. ``operator``, such as CONV_2D,
    and ``layer`` locate it in the model. ``budget`` is the limit of a loss that it is about, and
    whose it is, such as "max_drop 1 of the command". A note does not make a target fail; what is
    undecided, since the samples do not show it, neither fails nor passes.
    """

    message: str
    cure: str | None = None
    operator: str | None = None
    layer: str | None = None
    budget: str | None = None
    is_note: bool = False
    is_undecided: bool = False

    @property
    def is_failure(self) -> bool:
        """Whether it makes a target fail."""
        return not (self.is_note or self.is_undecided)

    def __str__(self) -> str:
        """The message, the layer and the cure as one sentence.

        >>> str(Finding(message="it is too large", cure="prune it", layer="dense"))
        'it is too large (dense); prune it'
        """
        is_told = self.layer is None or f"{self.layer!r}" in self.message
        where = "" if is_told else f" ({self.layer})"
        cure = f"; {self.cure}" if self.cure else ""
        return f"{self.message}{where}{cure}"
