"""What to do, in full: everything that decides the bytes of an export."""

from __future__ import annotations

import difflib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgepack.errors import RecipeError

DEFAULT_TARGETS = ("phone", "cortex-m4")
DEFAULT_SPARSITY = 0.5
SCHEDULES = ("polynomial", "constant")
DISTILLATION = "distillation"
"""The loss of giving other outputs than the model gave before it was pruned."""

STRATEGIES = ("mirrored", "multi-worker")

INT8, INT16, INT4 = "int8", "int16", "int4"
FLOAT16, DYNAMIC_RANGE = "float16", "dynamic-range"
FLOAT = "float"
SCHEMES = (INT8, INT16, INT4, DYNAMIC_RANGE, FLOAT16)
LAYER_SCHEMES = (INT8, INT16, INT4, FLOAT)
END_TYPES = ("int8", "uint8", "int16", "float32")
DENSE = ("per-channel", "per-tensor")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A model and what is needed to load it.

    ``weights`` belong to the JSON text of ``model.to_json()``. ``custom_objects`` names the
    user's own classes and functions as ``module:NAME``; they are imported. ``allow_unsafe`` lets
    the file run code of its own.
    """

    path: Path
    weights: Path | None = None
    custom_objects: tuple[str, ...] = ()
    allow_unsafe: bool = False


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When weights go, in steps of fine-tuning, a batch each.

    ``polynomial``: from none at ``begin_step`` to all at ``end_step``, fewer and fewer at a time;
    ``constant``: all at ``begin_step``. Masks are chosen anew every ``frequency`` steps until
    ``end_step``. None leaves the choice to edgepack: the first two thirds of the steps, fifty
    choices. Raises :class:`RecipeError` for numbers that do not fit.
    """

    kind: str = "polynomial"
    begin_step: int = 0
    end_step: int | None = None
    frequency: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in SCHEDULES:
            raise RecipeError(f"schedule {self.kind!r}: the schedules are {', '.join(SCHEDULES)}")
        if self.begin_step < 0:
            raise RecipeError(f"begin step {self.begin_step}: steps count from 0")
        if self.end_step is not None and self.end_step <= self.begin_step:
            raise RecipeError(
                f"end step {self.end_step}: must lie behind the begin step {self.begin_step}"
            )
        if self.frequency is not None and self.frequency < 1:
            raise RecipeError(f"frequency {self.frequency}: masks are chosen every 1 step or more")


@dataclass(frozen=True, kw_only=True)
class FineTune:
    """Training while pruning.

    ``train`` is an .npz as for the representative dataset, with the labels where the metric needs
    them. ``loss`` and ``optimizer`` are Keras's names; with None they are those that the model
    was compiled with, else what suits the metric, and Adam. The loss ``distillation`` needs no
    labels: the model learns to give what it gave before it was pruned. ``learning_rate`` is where
    a cosine decay to 0 begins. ``patience`` stops once the loss on held-out samples,
    ``validation_split`` of all, has not fallen for so many epochs at the final sparsity, and keeps
    the best weights.
    ``checkpoints`` is a folder in which every epoch is saved, so that a run that was cut off can
    ``resume``. ``strategy`` is one of TensorFlow's: ``mirrored`` for all devices of this host,
    ``multi-worker`` for several hosts (TF_CONFIG). Raises :class:`RecipeError` for what does not
    fit.
    """

    train: Path
    epochs: int = 10
    loss: str | None = None
    optimizer: str | None = None
    learning_rate: float | None = None
    validation_split: float = 0.1
    patience: int | None = None
    schedule: Schedule = field(default_factory=Schedule)
    checkpoints: Path | None = None
    resume: bool = False
    strategy: str | None = None

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise RecipeError(f"epochs {self.epochs}: fine-tuning needs at least 1")
        if self.learning_rate is not None and not 0 < self.learning_rate < float("inf"):
            raise RecipeError(f"learning rate {self.learning_rate}: must be above 0, such as 0.001")
        if self.patience is not None and self.patience < 1:
            raise RecipeError(f"patience {self.patience}: wait at least 1 epoch")
        if not 0 < self.validation_split < 1:
            raise RecipeError(
                f"validation split {self.validation_split}: must lie between 0 and 1, such as 0.1"
            )
        if self.resume and self.checkpoints is None:
            raise RecipeError("resume: say where the checkpoints of the run that was cut off are")
        if self.strategy not in (None, *STRATEGIES):
            raise RecipeError(
                f"strategy {self.strategy!r}: the strategies are {', '.join(STRATEGIES)}"
            )


@dataclass(frozen=True, kw_only=True)
class Prune:
    """Magnitude pruning: the smallest weights of each layer become zero.

    How many: a fraction (``sparsity``, 0.5 if nothing is said); ``n_of_m``, such as (2, 4): two
    of four neighbours; or all below a ``threshold``, over the whole model. ``layers`` pairs name
    patterns with a fraction of their own, 0 to leave a layer out; the last that matches counts.
    ``block`` lets weights of two dimensions go in blocks of (rows, columns). Without
    ``fine_tune`` they go in one shot. Raises :class:`RecipeError` for what does not fit.
    """

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
            raise RecipeError(f"{given[0]} and {given[1]} cannot both be reached: choose one")
        if self.sparsity is not None and not 0 < self.sparsity < 1:
            raise RecipeError(
                f"sparsity {self.sparsity}: must lie between 0 and 1, such as 0.5 for half"
                " of the weights"
            )
        for pattern, sparsity in self.layers:
            if not 0 <= sparsity < 1:
                raise RecipeError(
                    f"sparsity {sparsity} of the layers {pattern!r}: must lie between 0, to leave"
                    " them out, and 1"
                )
            if sparsity and (self.threshold is not None or self.n_of_m is not None):
                raise RecipeError(
                    f"layers {pattern!r}: {given[0]} is for all layers; they can only be left out,"
                    " with 0"
                )
        if self.threshold is not None:
            self._check_threshold(self.threshold)
        if self.n_of_m is not None and not 0 < self.n_of_m[0] < self.n_of_m[1]:
            n, m = self.n_of_m
            raise RecipeError(f"{n} of {m}: give fewer zeros than there are, such as 2 of 4")
        if self.block is not None:
            if min(self.block) < 1:
                raise RecipeError(f"block {self.block[0]}x{self.block[1]}: sides count from 1")
            if self.n_of_m is not None:
                raise RecipeError("blocks and N of M cannot both be reached: choose one")

    def _check_threshold(self, threshold: float) -> None:
        if not 0 < threshold < float("inf"):
            raise RecipeError(f"threshold {threshold}: must be above 0, such as 0.01")
        if self.fine_tune is not None:
            raise RecipeError(
                "a threshold acts in one shot, without training data; give a sparsity to fine-tune"
            )
        if self.block is not None:
            raise RecipeError("a threshold acts on single weights, not on blocks: choose one")


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """What a model is quantized to.

    ``scheme``: ``int8``; ``int16`` (activations; weights in int8); ``int4`` (weights; activations
    in int8); ``dynamic-range`` (weights in int8, activations in float); ``float16`` (weights).
    ``layers`` pairs name patterns with a scheme of their own, ``int8``, ``int16``, ``int4`` or
    ``float``; the last that matches counts. ``input_type`` and ``output_type`` are of
    :data:`END_TYPES`; None leaves them as the operators compute. ``dense`` says whether each output
    of a dense layer has a scale of its own or one serves all; None chooses what most interpreters
    run. Raises :class:`RecipeError` for what does not fit.
    """

    scheme: str = INT8
    layers: tuple[tuple[str, str], ...] = ()
    input_type: str | None = None
    output_type: str | None = None
    dense: str | None = None

    def __post_init__(self) -> None:
        _require_one_of("scheme", self.scheme, SCHEMES)
        for pattern, scheme in self.layers:
            _require_one_of(f"scheme of the layers {pattern!r}", scheme, LAYER_SCHEMES)
            if not self.needs_ranges and scheme != FLOAT:
                raise RecipeError(
                    f"layers {pattern!r} in {scheme}: the scheme {self.scheme} computes in float;"
                    " its layers can only be left out, with float"
                )
        for end in ("input", "output"):
            wanted = getattr(self, f"{end}_type")
            if wanted is None:
                continue
            _require_one_of(f"{end} type", wanted, END_TYPES)
            if not self.needs_ranges and wanted != "float32":
                raise RecipeError(
                    f"{end} type {wanted}: the scheme {self.scheme} computes in float, so inputs"
                    " and outputs are float32; choose int8, int16 or int4"
                )
            if wanted == "int16" and self.scheme != INT16:
                raise RecipeError(f"{end} type int16: needs the scheme int16, not {self.scheme}")
        if self.dense is not None:
            _require_one_of("dense", self.dense, DENSE)
            if self.scheme == FLOAT16:
                raise RecipeError(f"dense {self.dense}: the scheme float16 has no scales")

    @property
    def needs_ranges(self) -> bool:
        """Whether activations are integers, for whose ranges the model is calibrated."""
        return self.scheme in (INT8, INT16, INT4)

    @property
    def inputs(self) -> str:
        """The type of the model's inputs."""
        return self.input_type or self._ends

    @property
    def outputs(self) -> str:
        """The type of the model's outputs."""
        return self.output_type or self._ends

    @property
    def _ends(self) -> str:
        if not self.needs_ranges:
            return "float32"
        return "int16" if self.scheme == INT16 else "int8"

    def is_dense_per_tensor(self, scheme: str) -> bool:
        """Whether one scale serves all outputs of a dense layer in a scheme."""
        if self.dense is None:
            # All that most kernels know of FULLY_CONNECTED in int4, or with float activations.
            return scheme in (INT4, DYNAMIC_RANGE)
        return self.dense == "per-tensor"


def _require_one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        near = difflib.get_close_matches(value, known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}? " if near else ""
        raise RecipeError(f"{what} {value!r}: {hint}choose one of {', '.join(known)}")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One export.

    ``weights``, ``custom_objects`` and ``allow_unsafe`` are as in :class:`Source`.
    ``representative`` and ``test`` are .npz files with the inputs in ``x``, or under their names,
    shape (samples, ...), and optionally labels or values in ``y``, or under the names of the
    outputs. ``metric`` is a name of
    :data:`edgepack.metrics.METRICS`; None chooses by the labels. ``output`` is the folder to
    write; an existing one is replaced only with ``force``. Raises :class:`RecipeError` without a
    representative dataset if the scheme needs one, and without any samples to compare on.
    """

    model: Path
    output: Path
    representative: Path | None = None
    weights: Path | None = None
    custom_objects: tuple[str, ...] = ()
    allow_unsafe: bool = False
    test: Path | None = None
    prune: Prune | None = None
    quantization: Quantization = field(default_factory=Quantization)
    targets: tuple[str, ...] = DEFAULT_TARGETS
    metric: str | None = None
    force: bool = False

    def __post_init__(self) -> None:
        scheme = self.quantization.scheme
        if self.representative is None and self.quantization.needs_ranges:
            raise RecipeError(
                f"scheme {scheme} needs the ranges of activations: give --representative"
            )
        if self.representative is None and self.test is None:
            raise RecipeError(
                f"scheme {scheme} needs samples to compare float with: give --test or"
                " --representative"
            )

    @property
    def source(self) -> Source:
        """The model and what is needed to load it."""
        return Source(
            path=self.model,
            weights=self.weights,
            custom_objects=self.custom_objects,
            allow_unsafe=self.allow_unsafe,
        )

    @property
    def fine_tune(self) -> FineTune | None:
        """The training while pruning, if there is any."""
        return self.prune.fine_tune if self.prune else None


def as_json(settings: Any) -> dict[str, Any]:
    """Turn a dataclass of settings into JSON values, paths into texts."""
    values: dict[str, Any] = json.loads(json.dumps(asdict(settings), default=str))
    return values
