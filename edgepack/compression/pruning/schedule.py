"""Pruning plan: which weights TFMOT prunes, to what sparsity, and on which schedule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from edgepack.compression.pruning.settings import DEFAULT_SPARSITY, Prune
from edgepack.config.compression_step import Schedule
from edgepack.core.errors import ModelError
from edgepack.core.wording import did_you_mean

_UPDATES = 50  # mask updates over the schedule, by default
_PRUNING_FRACTION = 2 / 3  # of the steps; the last third trains the remaining weights
_POWER = 3  # Zhu and Gupta, "To prune, or not to prune", 2017, equation 1
_N_OF_M_RANKS = (2, 4)  # supported by TFMOT: Dense and Conv2D


@dataclass
class PruningPlan:
    """Pruning of each layer, by its path, such as ``encoder/dense``.

    ``steps`` is the number of training steps, None for one shot. ``left_out`` collects the layers
    that cannot be pruned as requested, with the reason.
    """

    prune: Prune
    steps: int | None
    left_out: dict[str, str] = field(default_factory=dict)

    def sparsity(self, name: str) -> float:
        """Return the target sparsity of a layer; 0 excludes it."""
        target = DEFAULT_SPARSITY if self.prune.sparsity is None else self.prune.sparsity
        for pattern, sparsity in self.prune.layers:
            if fnmatchcase(name, pattern):
                target = sparsity
        return target

    def settings(self, name: str, shapes: Iterable[Sequence[int]]) -> dict[str, Any] | None:
        """Return TFMOT's settings for a layer with weights of these shapes; None excludes it.

        A layer that cannot be pruned as requested is added to ``left_out``.
        """
        if not self.sparsity(name):
            return None
        if why := self._why_not(list(shapes)):
            self.left_out[name] = why
            return None
        return {
            "pruning_schedule": self._schedule(self.sparsity(name)),
            "block_size": self.prune.block or (1, 1),
            "sparsity_m_by_n": self.prune.n_of_m,
        }

    def _why_not(self, shapes: Sequence[Sequence[int]]) -> str | None:
        """Return why weights of these shapes cannot be pruned as requested; None if they can."""
        if self.prune.n_of_m and any(len(shape) not in _N_OF_M_RANKS for shape in shapes):
            return "N of M needs weights of two or four dimensions"
        if self.prune.block is None:
            return None
        if any(len(shape) != len(self.prune.block) for shape in shapes):
            return "blocks need weights of two dimensions"
        sides = [pair for shape in shapes for pair in zip(shape, self.prune.block, strict=True)]
        if any(side <= block for side, block in sides):
            return "blocks need weights of more than one block a side"
        return None

    @property
    def final_step(self) -> int:
        """The first step with the final sparsity; 0 in one shot."""
        if self.steps is None:
            return 0
        schedule = self._complete_schedule()
        return schedule.begin_step if schedule.kind == "constant" else schedule.end_step or 0

    def _schedule(self, sparsity: float) -> Any:
        from tensorflow_model_optimization.sparsity.keras import ConstantSparsity, PolynomialDecay

        if self.steps is None:
            return ConstantSparsity(sparsity, begin_step=0, frequency=1)
        schedule = self._complete_schedule()
        if schedule.kind == "constant":
            return ConstantSparsity(
                sparsity,
                begin_step=schedule.begin_step,
                end_step=schedule.end_step,
                frequency=schedule.frequency,
            )
        return PolynomialDecay(
            initial_sparsity=0.0,
            final_sparsity=sparsity,
            begin_step=schedule.begin_step,
            end_step=schedule.end_step,
            power=_POWER,
            frequency=schedule.frequency,
        )

    def _complete_schedule(self) -> Schedule:
        """Return the schedule with defaults for the steps that the user did not set.

        Raises :class:`ModelError` if training ends before the schedule does.
        """
        schedule = self.prune.fine_tune.schedule if self.prune.fine_tune else Schedule()
        steps = self.steps or 0
        begin = schedule.begin_step
        end = schedule.end_step or max(begin + 1, int(begin + (steps - begin) * _PRUNING_FRACTION))
        frequency = schedule.frequency or max(1, (end - begin) // _UPDATES)
        # The last step at which masks are updated: only there is the final sparsity reached.
        end -= (end - begin) % frequency
        if end > steps or end == begin:
            raise ModelError(
                f"the schedule ends at step {max(end, begin + 1)}, every {frequency}, but training"
                f" has {steps} steps: the sparsity would not be reached; train for more epochs or"
                " choose earlier steps"
            )
        return Schedule(kind=schedule.kind, begin_step=begin, end_step=end, frequency=frequency)

    def check_patterns(self, names: Iterable[str]) -> None:
        """Raise :class:`ModelError` for a pattern that matches none of the layers ``names``."""
        names = list(names)
        for pattern, _ in self.prune.layers:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise ModelError(
                    f"no layer is named {pattern!r}: {did_you_mean(pattern.strip('*/'), names)}the"
                    f" layers with weights are {', '.join(names)}"
                )
