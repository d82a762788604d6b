"""Settings of magnitude pruning, and the record of a pruned model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgepack.compression.training.task import Trained
from edgepack.config.compression_step import CompressionStep, FineTune
from edgepack.core.errors import ConfigError

DEFAULT_SPARSITY = 0.5


@dataclass(frozen=True, kw_only=True)
class Prune(CompressionStep):
    """Magnitude pruning: the smallest weights of each layer become zero.

    How many is set by one of three: ``sparsity``, a fraction (0.5 by default); ``n_of_m``, such as
    (2, 4) for two of every four neighboring weights; or ``threshold``, below which all weights of
    the model become zero. ``layers`` pairs name patterns with a sparsity of their own, 0 to exclude
    a layer; the last matching pattern applies. ``block`` prunes two-dimensional weights in blocks
    of (rows, columns). Without ``fine_tune`` the model is pruned in one shot. Raises
    :class:`ConfigError` for invalid or contradictory settings.
    """

    technique: ClassVar[str] = "prune"

    sparsity: float | None = None
    layers: tuple[tuple[str, float], ...] = ()
    threshold: float | None = None
    n_of_m: tuple[int, int] | None = None
    block: tuple[int, int] | None = None
    fine_tune: FineTune | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        criteria = {
            "a sparsity": self.sparsity,
            "a threshold": self.threshold,
            "N of M": self.n_of_m,
        }
        chosen = [name for name, value in criteria.items() if value is not None]
        if len(chosen) > 1:
            raise ConfigError(f"{chosen[0]} and {chosen[1]} cannot be combined: choose one")
        if self.sparsity is not None and not 0 < self.sparsity < 1:
            raise ConfigError(
                f"sparsity {self.sparsity}: must lie between 0 and 1, such as 0.5 for half"
                " of the weights"
            )
        for pattern, sparsity in self.layers:
            if not 0 <= sparsity < 1:
                raise ConfigError(
                    f"sparsity {sparsity} of the layers {pattern!r}: must be at least 0, which"
                    " excludes them, and less than 1"
                )
            if sparsity and (self.threshold is not None or self.n_of_m is not None):
                raise ConfigError(
                    f"layers {pattern!r}: {chosen[0]} applies to all layers; they can only be"
                    " excluded, with 0"
                )
        if self.threshold is not None:
            self._check_threshold(self.threshold)
        if self.n_of_m is not None and not 0 < self.n_of_m[0] < self.n_of_m[1]:
            n, m = self.n_of_m
            raise ConfigError(
                f"{n} of {m}: the number of zeros must be at least 1 and less than {m}, such as"
                " 2 of 4"
            )
        if self.block is not None:
            if min(self.block) < 1:
                raise ConfigError(
                    f"block {self.block[0]}x{self.block[1]}: each side must be at least 1"
                )
            if self.n_of_m is not None:
                raise ConfigError("blocks and N of M cannot be combined: choose one")

    def _check_threshold(self, threshold: float) -> None:
        if not 0 < threshold < float("inf"):
            raise ConfigError(f"threshold {threshold}: must be greater than 0, such as 0.01")
        if self.fine_tune is not None:
            raise ConfigError(
                "a threshold prunes in one shot, without training data; set a sparsity to fine-tune"
            )
        if self.block is not None:
            raise ConfigError("a threshold prunes single weights, not blocks: choose one")


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """Record of how a model was pruned.

    ``way`` is ``wrappers`` (TFMOT's wrappers on a tf-keras model), ``carried`` (the same on a
    Keras 3 model ported to tf-keras), ``callback`` (TFMOT's schedules and masks on the model
    itself), ``file`` (TFMOT's masks on the weights of a .tflite file) or ``threshold``; ``runtime``
    runs the pruned model. ``why_not_carried`` is the reason if TFMOT's wrappers could not be used.
    ``left_out`` maps layers that were not pruned, though the settings include them, to the reason.
    ``trained`` is None in one shot.
    """

    way: str
    runtime: str
    trained: Trained | None
    left_out: dict[str, str]
    why_not_carried: str | None = None
