"""The results of debugging a quantized model, as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from edgepack.core.schema_version import SCHEMA
from edgepack.evaluation.channels import ChannelGroup
from edgepack.evaluation.scores import Score

Range = tuple[float, float]

MIN_GAIN_DB = 1.0
"""What a change of the options has to gain: a fifth of the noise."""


@dataclass(frozen=True, kw_only=True)
class LayerFigures:
    """Statistics of a layer over all samples, comparing the float and the quantized model.

    ``place`` is the index in the order of execution, inputs first. ``tensor`` is the full name of
    the tensor in the quantized file. ``sources`` are the names of the layers that it consumes.

    ``sqnr_db`` holds signal-to-quantization-noise ratios in dB, None if there is no noise or no
    signal: ``total`` in the quantized model; ``own`` with the float model's values as inputs; and
    as parts of ``own``, ``constants`` from the quantized weights alone, ``clipping`` from values
    outside ``quantized_range``, and ``rounding`` from those inside.
    ``saturation`` is the fraction of values more than half a step outside ``quantized_range``.
    ``bulk_range`` covers 99.9% of the values, and zero. ``best_range`` is ``quantized_range``
    narrowed such that clipping and rounding noise together are minimal, ``gain_db`` below what they
    are now.

    ``weight_dtype`` is the data type of the weights, None if there are none. ``weight_spread`` is
    the ratio of the largest weight of one output channel to that of another, at most; None if
    channels have scales of their own. ``histogram`` counts float values in equal bins over
    ``float_range``.
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
class WorstScore:
    """The lowest SQNR, in dB, and the lowest agreement of several scores.

    None as in :class:`~edgepack.evaluation.scores.Score`.
    """

    sqnr_db: float | None
    agreement: float | None

    @classmethod
    def of(cls, scores: Iterable[Score]) -> WorstScore:
        """Return the worst of scores, such as those of all outputs on all interpreters."""
        known = list(scores)
        return cls(
            sqnr_db=_lowest(each.sqnr_db for each in known),
            agreement=_lowest(each.agreement for each in known),
        )


def _lowest(values: Iterable[float | None]) -> float | None:
    return min((value for value in values if value is not None), default=None)


@dataclass(frozen=True, kw_only=True)
class LayerComparison:
    """All layers in the order of execution; ``unmatched`` and ``kernels`` as in DebugReport."""

    layers: tuple[LayerFigures, ...]
    unmatched: tuple[str, ...]
    kernels: str


@dataclass(frozen=True, kw_only=True)
class IsolatedLayers:
    """Scores of the quantized model's outputs, and of each layer quantized alone.

    ``whole`` is in the order of the outputs. ``alone``, in the order of execution, is that of the
    worst output while all other layers are float. ``channels`` are what the scale of each output
    under-resolves.
    """

    whole: tuple[Score, ...]
    alone: tuple[WorstScore, ...]
    channels: tuple[tuple[ChannelGroup, ...], ...]


@dataclass(frozen=True, kw_only=True)
class LayerFinding:
    """The cause of a layer's error in a word or two, an explanation, and a remedy."""

    cause: str
    why: str
    cure: str


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """A layer, its effect on the model's outputs, and the finding.

    ``alone`` is the worst output while all other layers are float. ``share`` is the power of the
    output noise with only this layer quantized over that of the whole quantized model. Shares need
    not add up to 1, because the noise of layers interacts.
    """

    figures: LayerFigures
    alone: WorstScore
    share: float
    finding: LayerFinding

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as named in debug.json."""
        fields = asdict(self)
        figures: dict[str, Any] = fields.pop("figures")
        return figures | fields


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A change of the options that was made: the model was quantized with it, and run.

    ``options`` are what a shell accepts; ``ranges_file`` is the name in them of a file in the
    output folder. ``layers`` names the layers that it is for, none if for the whole model.
    ``after`` is its worst output on the worst interpreter; None if the model could not be made or
    run, and ``failure`` says why. A change ``helps`` if it gains at least :data:`MIN_GAIN_DB` and
    loses no agreement, as far as the samples show.
    """

    options: str
    ranges_file: str | None
    layers: tuple[str, ...]
    after: WorstScore | None
    failure: str | None
    helps: bool


@dataclass(frozen=True, kw_only=True)
class Trials:
    """The changes that were tried, those that help first, the best of them first.

    ``before`` is the quantized model without them. ``interpreters`` ran every model on the same
    samples; ``untried`` is the number of changes that were left out to save time. ``is_by_part``:
    the worst counts of the parts, or channels, of outputs instead of whole outputs.
    """

    before: WorstScore
    interpreters: tuple[str, ...]
    tried: tuple[Trial, ...]
    untried: int
    is_by_part: bool = False

    @property
    def helpful(self) -> list[Trial]:
        """Those that help."""
        return [trial for trial in self.tried if trial.helps]


@dataclass(frozen=True, kw_only=True)
class DebugReport:
    """Why a quantized model differs from its float model.

    ``outputs`` compares the whole models, by output. ``layers`` are ranked by their share, the
    worst first. ``unmatched`` names the layers that only the float file has. ``data`` is the
    dataset used, ``test`` or ``representative``; ``kernels`` are the LiteRT kernels that ran the
    quantized model, ``reference`` or ``optimized``. ``lost_channels`` has, by output, what its
    scale loses or under-resolves: ``channels``. ``trials`` are the changes of the options that were
    tried; None if none was.
    """

    model: str
    data: str
    samples: int
    kernels: str
    outputs: dict[str, Score]
    layers: tuple[LayerReport, ...]
    unmatched: tuple[str, ...]
    notes: tuple[str, ...] = ()
    lost_channels: Mapping[str, LayerFinding] = field(default_factory=dict)
    channels: Mapping[str, tuple[ChannelGroup, ...]] = field(default_factory=dict)
    trials: Trials | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the content of debug.json."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "data": self.data,
            "samples": self.samples,
            "kernels": self.kernels,
            "outputs": {name: score.to_dict() for name, score in self.outputs.items()},
            "layers": [layer.to_dict() for layer in self.layers],
            "unmatched": list(self.unmatched),
            "notes": list(self.notes),
            "trials": self.trials and asdict(self.trials),
        } | (
            {
                "lost_channels": {name: asdict(each) for name, each in self.lost_channels.items()},
                "channels": {
                    name: [asdict(group) for group in groups]
                    for name, groups in self.channels.items()
                    if groups
                },
            }
            if self.lost_channels
            else {}
        )
