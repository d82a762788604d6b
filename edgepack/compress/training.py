"""What fine-tuning learns from, and how it went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgepack.arrays import Arrays
from edgepack.errors import RecipeError
from edgepack.metrics import Loss
from edgepack.recipe import DISTILLATION, FineTune


@dataclass(frozen=True, kw_only=True, eq=False)
class Training:
    """What fine-tuning learns: to give ``labels`` for ``inputs``, shape (samples, ...).

    ``labels`` and ``losses`` are by output; outputs that have none are not trained for, but by
    distillation. ``compiled`` is what the model file says of its own training: ``loss``, and
    ``optimizer`` as class and configuration. ``fingerprint`` tells one training from another.
    """

    inputs: Arrays
    labels: Arrays
    losses: dict[str, Loss]
    settings: FineTune
    compiled: dict[str, Any]
    fingerprint: str

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    @property
    def is_distillation(self) -> bool:
        """Whether the model learns from itself, as it was before it was pruned."""
        return self.settings.loss == DISTILLATION

    @property
    def held_out(self) -> int:
        """The number of samples that are not trained on, but tell when it is enough."""
        if not self.settings.patience:
            return 0
        return max(1, int(len(self) * self.settings.validation_split))

    def steps(self, batch: int) -> int:
        """Count the batches of all epochs. Raises :class:`RecipeError` if there are none."""
        if len(self) <= self.held_out:
            raise RecipeError(
                f"{self.settings.train}: of {len(self)} training samples none are left to train on"
                " if some are held out; give more, or no patience"
            )
        return self.settings.epochs * -(-(len(self) - self.held_out) // batch)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """How a model was trained: the loss by output, the epochs done of those wanted."""

    losses: dict[str, str]
    optimizer: str
    learning_rate: float
    epochs: int
