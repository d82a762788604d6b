"""Inputs of fine-tuning, and the record of its result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgepack.config.compression_step import DISTILLATION, FineTune
from edgepack.core.errors import ConfigError

if TYPE_CHECKING:
    from edgepack.metrics import Loss
    from edgepack.storage.arrays import Arrays


@dataclass(frozen=True, kw_only=True, eq=False)
class Training:
    """Training data and settings: predict ``labels`` from ``inputs``, each of (samples, ...).

    ``source`` names the data in messages. ``inputs`` are by input; ``labels`` and ``losses`` by
    output; outputs without labels are trained by distillation only. ``compiled`` is how the model
    was compiled according to its file: ``loss``, and ``optimizer`` as class and configuration.
    ``fingerprint`` identifies the training. ``checkpoint`` is the file in which every epoch is
    saved, if any; ``resume`` continues from it.
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
        """Whether the model is trained on its own outputs before the step."""
        return self.settings.loss == DISTILLATION

    @property
    def held_out_count(self) -> int:
        """The number of samples held out of training to decide when to stop."""
        if not self.settings.patience:
            return 0
        return max(1, int(len(self) * self.settings.validation_split))

    def steps(self, batch: int) -> int:
        """Return the number of batches of all epochs. Raises :class:`ConfigError` for none."""
        if len(self) <= self.held_out_count:
            raise ConfigError(
                f"{self.source}: of {len(self)} training samples, none remain to train on after"
                " holding some out; provide more, or leave out the patience"
            )
        return self.settings.epochs * -(-(len(self) - self.held_out_count) // batch)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """Record of a training: ``losses`` are names of losses by output, ``epochs`` those completed.

    ``learning_rate`` is the initial one.
    """

    losses: dict[str, str]
    optimizer: str
    learning_rate: float
    epochs: int

    def __str__(self) -> str:
        """Return a one-line summary.

        >>> print(Trained(losses={"y": "mse"}, optimizer="Adam", learning_rate=0.01, epochs=1))
        1 epoch, Adam from 0.01, mse
        """
        epochs = f"{self.epochs} epoch" if self.epochs == 1 else f"{self.epochs} epochs"
        losses = ", ".join(sorted(set(self.losses.values())))
        return f"{epochs}, {self.optimizer} from {self.learning_rate:g}, {losses}"
