"""What fine-tuning learns from, and how it went."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgepack.config.export import DISTILLATION, FineTune
from edgepack.core.errors import ConfigError

if TYPE_CHECKING:
    from edgepack.metrics import Loss
    from edgepack.storage.arrays import Arrays


@dataclass(frozen=True, kw_only=True, eq=False)
class Training:
    """What fine-tuning learns: to give ``labels`` for ``inputs``, shape (samples, ...).

    ``source`` names the data in messages. ``labels`` and ``losses`` are by output; outputs that
    have none are not trained for, but by distillation. ``compiled`` is what the model file says of
    its own training: ``loss``, and ``optimizer`` as class and configuration. ``fingerprint`` tells
    one training from another.
    ``checkpoint`` is the file that every epoch is saved in, if any, to go on from with ``resume``.
    """

    source: str
    inputs: Arrays
    labels: Arrays
    losses: dict[str, Loss]
    settings: FineTune
    compiled: dict[str, Any]
    fingerprint: str
    checkpoint: Path | None = None
    resume: bool = False

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    @property
    def is_distillation(self) -> bool:
        """Whether the model learns from itself, as it was before the step."""
        return self.settings.loss == DISTILLATION

    @property
    def held_out(self) -> int:
        """The number of samples that are not trained on, but tell when it is enough."""
        if not self.settings.patience:
            return 0
        return max(1, int(len(self) * self.settings.validation_split))

    def steps(self, batch: int) -> int:
        """Count the batches of all epochs. Raises :class:`ConfigError` if there are none."""
        if len(self) <= self.held_out:
            raise ConfigError(
                f"{self.source}: of {len(self)} training samples none are left to train on"
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

    def __str__(self) -> str:
        """The training in words.

        >>> print(Trained(losses={"y": "mse"}, optimizer="Adam", learning_rate=0.01, epochs=1))
        1 epoch, Adam from 0.01, mse
        """
        epochs = f"{self.epochs} epoch" if self.epochs == 1 else f"{self.epochs} epochs"
        losses = ", ".join(sorted(set(self.losses.values())))
        return f"{epochs}, {self.optimizer} from {self.learning_rate:g}, {losses}"
