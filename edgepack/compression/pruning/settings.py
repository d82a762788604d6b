"""Magnitude pruning: what can be asked for, and the record of how it went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgepack.compression.training.task import Trained
from edgepack.config.export import CompressionStep, FineTune
from edgepack.core.errors import ConfigError

DEFAULT_SPARSITY = 0.5


@dataclass(frozen=True, kw_only=True)
class Prune(CompressionStep):
    """Magnitude pruning: the smallest weights of each layer become zero.

    How many: a fraction (``sparsity``, 0.5 if nothing is said); ``n_of_m``, such as (2, 4): two
    of four neighbours; or all below a ``threshold``, over the whole model. ``layers`` pairs name
    patterns with a fraction of their own, 0 to leave a layer out; the last that matches counts.
    ``block`` lets weights of two dimensions go in blocks of (rows, columns). Without
    ``fine_tune`` they go in one shot. Raises :class:`ConfigError` for what does not fit.
    """

    technique: ClassVar[str] = "prune"

    sparsity: float | None = None
    layers: tuple[tuple[str, float], ...] = ()
    threshold: float | None = None
    n_of_m: tuple[int, int] | None = None
    block: tuple[int, int] | None = None
    fine_tune: FineTune | None = None

    def __post_init__(self) -> None:
        ways = {
            "a sparsity": self.sparsity,
            "a threshold": self.threshold,
            "N of M": self.n_of_m,
        }
        given = [name for name, value in ways.items() if value is not None]
        if len(given) > 1:
            raise ConfigError(f"{given[0]} and {given[1]} cannot both be reached: choose one")
        if self.sparsity is not None and not 0 < self.sparsity < 1:
            raise ConfigError(
                f"sparsity {self.sparsity}: must lie between 0 and 1, such as 0.5 for half"
                " of the weights"
            )
        for pattern, sparsity in self.layers:
            if not 0 <= sparsity < 1:
                raise ConfigError(
                    f"sparsity {sparsity} of the layers {pattern!r}: must lie between 0, to leave"
                    " them out, and 1"
                )
            if sparsity and (self.threshold is not None or self.n_of_m is not None):
                raise ConfigError(
                    f"layers {pattern!r}: {given[0]} is for all layers; they can only be left out,"
                    " with 0"
                )
        if self.threshold is not None:
            self._check_threshold(self.threshold)
        if self.n_of_m is not None and not 0 < self.n_of_m[0] < self.n_of_m[1]:
            n, m = self.n_of_m
            raise ConfigError(f"{n} of {m}: give fewer zeros than there are, such as 2 of 4")
        if self.block is not None:
            if min(self.block) < 1:
                raise ConfigError(f"block {self.block[0]}x{self.block[1]}: sides count from 1")
            if self.n_of_m is not None:
                raise ConfigError("blocks and N of M cannot both be reached: choose one")

    def _check_threshold(self, threshold: float) -> None:
        if not 0 < threshold < float("inf"):
            raise ConfigError(f"threshold {threshold}: must be above 0, such as 0.01")
        if self.fine_tune is not None:
            raise ConfigError(
                "a threshold acts in one shot, without training data; give a sparsity to fine-tune"
            )
        if self.block is not None:
            raise ConfigError("a threshold acts on single weights, not on blocks: choose one")


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """How a model was pruned.

    ``way`` is ``wrappers`` (TFMOT's, on a model of tf-keras), ``carried`` (those, on a Keras 3
    model rebuilt in tf-keras), ``callback`` (TFMOT's schedules and masks on the model itself),
    ``file`` (TFMOT's masks on the weights of a .tflite file) or ``threshold``; ``runtime`` runs
    the pruned model. ``why_not_carried`` says why a model was not. ``left_out`` has the layers
    that were not pruned though nobody said so, with the reason. ``trained`` is None in one shot.
    """

    way: str
    runtime: str
    trained: Trained | None
    left_out: dict[str, str]
    why_not_carried: str | None = None
