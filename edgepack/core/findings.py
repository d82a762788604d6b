"""What checks say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a check found.

    ``message`` names the thing and the rule, ``cure`` what to do instead. ``operator``, such as
    CONV_2D, and ``layer`` say where in the model it lies. A note does not fail a target.
    """

    message: str
    cure: str | None = None
    operator: str | None = None
    layer: str | None = None
    is_note: bool = False

    def __str__(self) -> str:
        """The message, the layers and the cure as one sentence.

        >>> str(Finding(message="it is too large", cure="prune it", layer="dense"))
        'it is too large (dense); prune it'
        """
        where = f" ({self.layer})" if self.layer else ""
        cure = f"; {self.cure}" if self.cure else ""
        return f"{self.message}{where}{cure}"
