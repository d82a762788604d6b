"""Rules that diagnose the cause of a layer's error from its statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgepack.layer_errors.range_origins import RangeOrigin
from edgepack.layer_errors.result import LayerFigures, LayerFinding, Range
from edgepack.quantization.represented_ranges import FIXED_RANGE

SMALL_SHARE = 0.01
"""A layer with a smaller share of the output's noise is left as it is."""

_KEEP_INPUT_RANGE = {"AVERAGE_POOL_2D", "RESIZE_BILINEAR"}
"""Operators whose output must have the range of the input, though its values may need less."""

_SAME_INPUT_RANGES = {"CONCATENATION", "MAXIMUM", "MINIMUM", "PACK"}
"""Operators whose inputs must all have the same range, though some may need less."""

_MISMATCH_DB = 10.0
"""Weights of a lower SQNR differ by more than rounding.

Rounding weights that share one scale leaves at least 20 dB in int8, and about 10 dB even in int4.
"""

SEE_DEBUG = "edgepack debug tries which options help"
"""Stands in remedies for the options that help, which are unknown until they are tried."""

_LITTLE_USED = 0.25  # fraction of the range: two of eight bits are lost
_MIN_GAIN_DB = 3.0  # half of the noise
_WIDE_SPREAD = 8.0  # three bits are lost in the channel of the smallest weights


@dataclass(frozen=True, kw_only=True)
class LayerCase:
    """A layer to diagnose: its statistics, its share of the output's noise, all layers by name.

    ``origin`` says where its range comes from, if that is known.
    """

    figures: LayerFigures
    share: float
    layers: Mapping[str, LayerFigures]
    origin: RangeOrigin | None = None

    @property
    def consumers(self) -> list[LayerFigures]:
        """The layers that consume this one."""
        return [each for each in self.layers.values() if self.figures.name in each.sources]


def diagnose(case: LayerCase) -> LayerFinding:
    """Return the finding of the first rule that applies."""
    return next(finding for rule in RULES if (finding := rule(case)))


def always_zero(case: LayerCase) -> LayerFinding | None:
    """All values are zero."""
    if any(case.figures.float_range):
        return None
    return LayerFinding(
        cause="zeros",
        why="its output is zero for all of these samples",
        cure="check the samples; a layer whose output is always zero can be removed",
    )


def small_share(case: LayerCase) -> LayerFinding | None:
    """The layer adds hardly any noise to the output."""
    if case.share >= SMALL_SHARE:
        return None
    figures = case.figures
    if _power(figures, "own") * 4 >= _power(figures, "total"):
        return LayerFinding(
            cause="little", why="its error hardly affects the output", cure="leave it as it is"
        )
    origin = _origin(figures, case.layers)
    if origin == figures.name:
        return LayerFinding(
            cause="inherited",
            why="its error is not its own: it comes from layers that were not compared",
            cure="leave it as it is",
        )
    return LayerFinding(
        cause="inherited",
        why=f"its error is not its own: it originates in {origin}",
        cure=f"leave it as it is, and fix {origin}",
    )


def range_too_narrow(case: LayerCase) -> LayerFinding | None:
    """Most of the error comes from values outside the range."""
    figures = case.figures
    if figures.operator in FIXED_RANGE or _largest_noise(figures) != "clipping":
        return None
    outside = (
        f"{figures.saturation:.2%} of its values lie outside its range {_range(figures)}: in the"
        f" float model they range from {_format(figures.float_range)}"
    )
    origin = case.origin
    if origin and origin.clipped_by:
        return LayerFinding(
            cause="clipped",
            why=f"{outside}; {origin.clipped_by}, which alone reads them, clips them anyway",
            cure="leave it as it is",
        )
    if origin and _covers(origin.asked, figures):
        return LayerFinding(
            cause="range cut",
            why=f"{outside}, and calibration gave it {_format(origin.asked)}, which TensorFlow's"
            " quantizer replaced",
            cure=SEE_DEBUG,
        )
    if origin and origin.observed and _covers(origin.observed, figures):
        return LayerFinding(
            cause="range too narrow",
            why=f"{outside}, as in calibration, whose observer left the outermost out",
            cure=SEE_DEBUG,
        )
    return LayerFinding(
        cause="range too narrow",
        why=outside,
        cure=f"calibrate with samples that cover this range; {SEE_DEBUG}",
    )


def fixed_range(case: LayerCase) -> LayerFinding | None:
    """The range is fixed by TensorFlow Lite, and cannot be chosen."""
    figures = case.figures
    if figures.operator not in FIXED_RANGE or _largest_noise(figures) == "constants":
        return None
    return LayerFinding(
        cause="fixed range",
        why=f"TensorFlow Lite fixes the range of {figures.operator} at {_range(figures)}",
        cure=SEE_DEBUG,
    )


def mismatched_weights(case: LayerCase) -> LayerFinding | None:
    """The weights differ from the float model's by more than the rounding error."""
    figures = case.figures
    sqnr_db = figures.sqnr_db["constants"]
    is_spread = (figures.weight_spread or 0.0) >= _WIDE_SPREAD
    if figures.weight_dtype != "int8" or is_spread or sqnr_db is None or sqnr_db >= _MISMATCH_DB:
        return None
    return LayerFinding(
        cause="other weights",
        why="its weights differ from the float model's by more than rounding errors",
        cure="compare with the float model that it was made from",
    )


def mixed_channel_scales(case: LayerCase) -> LayerFinding | None:
    """Most of the error comes from rounding weights of very different channels with one scale."""
    figures = case.figures
    spread = figures.weight_spread
    if _largest_noise(figures) != "constants" or spread is None or spread < _WIDE_SPREAD:
        return None
    return LayerFinding(
        cause="one scale for all weights",
        why=(
            "its weights share one scale, although the largest of one channel is"
            f" {spread:.0f} times the largest of another"
        ),
        cure=SEE_DEBUG,
    )


def constant_rounding(case: LayerCase) -> LayerFinding | None:
    """Most of the error comes from rounding the weights, or another constant."""
    figures = case.figures
    if _largest_noise(figures) != "constants":
        return None
    dtype = figures.weight_dtype or figures.dtype
    return LayerFinding(
        cause="weights",
        why=f"most of its error comes from rounding its weights to {dtype}",
        cure=SEE_DEBUG,
    )


def shared_range(case: LayerCase) -> LayerFinding | None:
    """The layer must share the range of another, far wider than its own values need."""
    figures = case.figures
    consumers = [each.name for each in case.consumers if each.operator in _SAME_INPUT_RANGES]
    sources = figures.sources if figures.operator in _KEEP_INPUT_RANGE else ()
    sharing = [
        name
        for name in (*sources, *consumers)
        if name in case.layers and case.layers[name].quantized_range == figures.quantized_range
    ]
    if case.origin and case.origin.shares_with:
        sharing.append(case.origin.shares_with)
    if not sharing or _used_fraction(figures) > _LITTLE_USED:
        return None
    return LayerFinding(
        cause="range of another",
        why=(
            f"it must have the range of {sharing[0]}, {_range(figures)}, of which its own values"
            f" use {_used_fraction(figures):.0%}: its steps are too coarse"
        ),
        cure=SEE_DEBUG,
    )


def widened_range(case: LayerCase) -> LayerFinding | None:
    """The range was widened, since no interpreter computes finer steps."""
    figures, origin = case.figures, case.origin
    if origin is None or origin.no_finer_than is None or _used_fraction(figures) > _LITTLE_USED:
        return None
    return LayerFinding(
        cause="widened range",
        why=(
            f"its values, {_format(figures.float_range)} in the float model, got the range"
            f" {_range(figures)}: interpreters refuse steps much finer than"
            f" {origin.no_finer_than}"
        ),
        cure=SEE_DEBUG,
    )


def range_too_wide(case: LayerCase) -> LayerFinding | None:
    """The range is far wider than all values."""
    figures = case.figures
    used_at_most = max(_used_fraction(figures), _fraction_of_range(figures, figures.float_range))
    if used_at_most > _LITTLE_USED:
        return None
    return LayerFinding(
        cause="range too wide",
        why=(
            f"its range {_range(figures)} is far wider than that of its values in the float model,"
            f" {_format(figures.float_range)}: its steps are too coarse"
        ),
        cure=f"calibrate with samples like these; {SEE_DEBUG}",
    )


def outliers(case: LayerCase) -> LayerFinding | None:
    """A few large values make the range too wide for all others."""
    figures = case.figures
    if figures.gain_db < _MIN_GAIN_DB or figures.best_range is None:
        return None
    return LayerFinding(
        cause="outliers",
        why=(
            f"99.9% of its values use {_used_fraction(figures):.0%} of its range {_range(figures)},"
            " which a few large values widen: its steps are too coarse"
        ),
        cure=SEE_DEBUG,
    )


def coarse_steps(case: LayerCase) -> LayerFinding:
    """The fallback: the values use their range well, but there are too few steps."""
    figures = case.figures
    return LayerFinding(
        cause="coarse steps",
        why=(
            f"its values use its range {_range(figures)} well, but {figures.dtype} has too few"
            " steps for the layers that follow"
        ),
        cure=SEE_DEBUG,
    )


RULES = (
    always_zero,
    small_share,
    mismatched_weights,
    range_too_narrow,
    fixed_range,
    mixed_channel_scales,
    constant_rounding,
    shared_range,
    widened_range,
    range_too_wide,
    outliers,
    coarse_steps,
)
"""In this order: the first that applies is the cause, and the last one always does."""


def _covers(limits: Range, figures: LayerFigures) -> bool:
    """Whether a range covers a layer's values in the float model, to a step."""
    low, high = figures.float_range
    step = figures.scale or 0.0
    return limits[0] <= low + step and high - step <= limits[1]


def _power(figures: LayerFigures, noise: str) -> float:
    """Return the power of a noise over that of the signal; ``noise`` is a key of ``sqnr_db``."""
    decibels = figures.sqnr_db[noise]
    return 0.0 if decibels is None else 10 ** (-decibels / 10)


def _largest_noise(figures: LayerFigures) -> str:
    """Return the name of the largest part of a layer's own noise."""
    return max(("rounding", "clipping", "constants"), key=lambda noise: _power(figures, noise))


def _origin(figures: LayerFigures, layers: Mapping[str, LayerFigures]) -> str:
    """Return the name of the upstream layer in which an inherited error originates."""
    while True:
        sources = [layers[name] for name in figures.sources if name in layers]
        if not sources:
            return figures.name
        figures = max(sources, key=lambda each: _power(each, "total"))
        if _power(figures, "own") * 4 > _power(figures, "total"):
            return figures.name


def _used_fraction(figures: LayerFigures) -> float:
    """Return the fraction of the quantized range that 99.9% of the values use."""
    return _fraction_of_range(figures, figures.bulk_range)


def _fraction_of_range(figures: LayerFigures, values: Range) -> float:
    """Return the fraction of the quantized range that a range of values covers, with zero."""
    if figures.quantized_range is None:
        return 1.0
    low, high = figures.quantized_range
    return (max(values[1], 0.0) - min(values[0], 0.0)) / (high - low)


def _range(figures: LayerFigures) -> str:
    return _format(figures.quantized_range) if figures.quantized_range else "of float values"


def _format(values: Range) -> str:
    return f"{values[0]:.4g} to {values[1]:.4g}"
