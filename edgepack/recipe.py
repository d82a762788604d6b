"""What to do, in full: everything that decides the bytes of an export."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgepack.errors import RecipeError

DEFAULT_TARGETS = ("phone", "cortex-m4")


@dataclass(frozen=True, kw_only=True)
class Prune:
    """Magnitude pruning.

    ``sparsity`` is the fraction of zero weights to reach in each prunable layer. ``train`` is an
    .npz as for the representative dataset, with the labels in ``y`` where the metric needs them:
    the model is fine-tuned on it for ``epochs``. Without it the weights go in one shot. Raises
    :class:`RecipeError` for a fraction or a number of epochs out of range.
    """

    sparsity: float = 0.5
    train: Path | None = None
    epochs: int = 10

    def __post_init__(self) -> None:
        if not 0 < self.sparsity < 1:
            raise RecipeError(
                f"sparsity {self.sparsity}: must lie between 0 and 1, such as 0.5 for half"
                " of the weights"
            )
        if self.epochs < 1:
            raise RecipeError(f"epochs {self.epochs}: fine-tuning needs at least 1")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One export.

    ``representative`` and ``test`` are .npz files with the inputs in ``x``, shape (samples,
    ...), and optionally labels or values in ``y``. ``metric`` is a name of
    :data:`edgepack.metrics.METRICS`; None chooses by the labels. ``output`` is the folder to
    write; an existing one is replaced only with ``force``.
    """

    model: Path
    representative: Path
    output: Path
    test: Path | None = None
    prune: Prune | None = None
    targets: tuple[str, ...] = DEFAULT_TARGETS
    metric: str | None = None
    force: bool = False

    @property
    def train(self) -> Path | None:
        """The data that pruning is fine-tuned on."""
        return self.prune.train if self.prune else None
