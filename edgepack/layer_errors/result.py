"""What debugging finds: data first."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgepack.core.schema_version import SCHEMA
from edgepack.evaluation.scores import Score

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """A layer over all samples, float against quantized.

    ``place`` counts layers in the order of execution, inputs first. ``tensor`` is the whole name
    in the quantized file, ``sources`` names the layers that it takes.
    ``sqnr_db`` holds signal-to-quantization-noise ratios in dB, None where there is no noise or
    no signal: ``total`` of the quantized model; ``own`` of the layer fed with float's values;
    and of that, ``constants`` of the quantized weights alone, ``clipping`` of the values outside
    ``quantized_range`` and ``rounding`` of those inside. ``saturation`` is the fraction of values
    more than half a step outside. ``bulk_range`` has all but a thousandth of the values, and zero;
    ``best_range`` is ``quantized_range`` made narrower, so that clipping and rounding together
    come out least, ``gain_db`` less than they do now.
    ``weight_dtype`` is that of the weights, None without any; ``weight_spread`` how many times
    larger those of one output channel are than those of another, where all share one scale, None
    where each has its own. ``histogram`` counts float values in equal bins over ``float_range``.
    """

    name: str
    place: int
    operator: str
    tensor: str
    dtype: str
    sources: tuple[str, ...]
    sqnr_db: dict[str, float | None]
    cosine: float | None
    saturation: float
    float_range: Range
    bulk_range: Range
    quantized_range: Range | None
    best_range: Range | None
    gain_db: float
    scale: float | None
    zero_point: int | None
    weight_dtype: str | None
    weight_spread: float | None
    histogram: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class AloneQuantized:
    """What the model gives in the end if one layer is quantized and all others are float.

    The lowest SQNR, in dB, and the lowest agreement of all outputs; None as in
    :class:`~edgepack.evaluation.scores.Score`.
    """

    sqnr_db: float | None
    agreement: float | None


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Layers in the order of execution; ``unmatched`` and ``kernels`` as in DebugReport."""

    layers: tuple[Figures, ...]
    unmatched: tuple[str, ...]
    kernels: str


@dataclass(frozen=True, kw_only=True)
class Isolated:
    """The quantized model's outputs in order, and its layers in the order of execution."""

    whole: tuple[Score, ...]
    alone: tuple[AloneQuantized, ...]


@dataclass(frozen=True, kw_only=True)
class LayerFinding:
    """Where a layer's error comes from: a word or two, a sentence, and what to do about it."""

    cause: str
    why: str
    cure: str


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """A layer, its effect on the model's outputs, and the finding.

    ``share`` is the power of the noise that it makes alone over that of the whole quantized
    model's noise. Shares need not add up to 1: noises meet on their way.
    """

    figures: Figures
    alone: AloneQuantized
    share: float
    finding: LayerFinding

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as debug.json names them."""
        found = asdict(self)
        figures: dict[str, Any] = found.pop("figures")
        return figures | found


@dataclass(frozen=True, kw_only=True)
class DebugReport:
    """Why a quantized model differs from its float model.

    ``outputs`` compares the whole models, by output; ``layers`` are ranked by their share, the
    worst first. ``unmatched`` names layers that only the float file has. ``data`` says on which
    samples: ``test`` or ``representative``; ``kernels`` which of LiteRT's ran the quantized model:
    ``reference`` or ``optimized``.
    """

    model: str
    data: str
    samples: int
    kernels: str
    outputs: dict[str, Score]
    layers: tuple[LayerReport, ...]
    unmatched: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return what debug.json holds."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "data": self.data,
            "samples": self.samples,
            "kernels": self.kernels,
            "outputs": {name: asdict(score) for name, score in self.outputs.items()},
            "layers": [layer.to_dict() for layer in self.layers],
            "unmatched": list(self.unmatched),
            "notes": list(self.notes),
        }
