"""Where a layer's error comes from, and what to do: small rules over its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgepack.layer_errors.result import Figures, LayerFinding, Range
from edgepack.tflite.converter_names import fused

SMALL_SHARE = 0.01
"""Of the output's noise: below, a layer is left as it is."""

_FIXED = {"L2_NORMALIZATION", "LOGISTIC", "LOG_SOFTMAX", "SOFTMAX", "TANH"}
"""Operators whose output TensorFlow Lite quantizes in a range of its own."""

_KEEPING = {"AVERAGE_POOL_2D", "RESIZE_BILINEAR"}
"""Operators that must give the range of their input, though their values may need less."""

_JOINING = {"CONCATENATION", "MAXIMUM", "MINIMUM", "PACK"}
"""Operators whose inputs must all have one range, though the values of some may need less."""

_ROUNDING_DB = 10.0
"""Rounding to int8 leaves 20 dB and more of weights that share one scale, even to int4 some 10."""

_LITTLE_USED = 0.25  # of the range: two of eight bits are lost
_NAMED = 2
_WORTH_DB = 3.0  # half of the noise
_WIDE_SPREAD = 8.0  # three bits are lost on the channel of the smallest weights


@dataclass(frozen=True, kw_only=True)
class LayerCase:
    """A layer to diagnose: its figures, its share of the noise, and all layers by name."""

    figures: Figures
    share: float
    layers: Mapping[str, Figures]

    @property
    def takers(self) -> list[Figures]:
        """The layers that take this one."""
        return [each for each in self.layers.values() if self.figures.name in each.sources]


def diagnose(case: LayerCase) -> LayerFinding:
    """Apply the rules in order; the first that knows the layer decides."""
    return next(finding for rule in RULES if (finding := rule(case)))


def always_zero(case: LayerCase) -> LayerFinding | None:
    """Every value is zero."""
    if any(case.figures.float_range):
        return None
    return LayerFinding(
        cause="zeros",
        why="it gives nothing but zeros on these samples",
        cure="check the samples; a layer that never gives anything else can be removed",
    )


def small_share(case: LayerCase) -> LayerFinding | None:
    """The layer adds next to nothing to the output's noise."""
    if case.share >= SMALL_SHARE:
        return None
    figures = case.figures
    if _power(figures, "own") * 4 >= _power(figures, "total"):
        return LayerFinding(
            cause="little", why="its error hardly reaches the output", cure="leave it as it is"
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
        why=f"its error is not its own: it begins at {origin}",
        cure=f"leave it as it is and see to {origin}",
    )


def range_too_narrow(case: LayerCase) -> LayerFinding | None:
    """Values outside the range make most of the error."""
    figures = case.figures
    if figures.operator in _FIXED or _largest(figures) != "clipping":
        return None
    return LayerFinding(
        cause="range too narrow",
        why=(
            f"{figures.saturation:.2%} of its values lie outside its range {_text(figures)}:"
            f" float gives {_show(figures.float_range)}"
        ),
        cure=(
            "calibrate with samples that reach so far, with --observer min-max if it was another,"
            " or set its range by hand in calibration.json and give that with --ranges"
        ),
    )


def fixed_range(case: LayerCase) -> LayerFinding | None:
    """The range is not anyone's choice."""
    figures = case.figures
    if figures.operator not in _FIXED or _largest(figures) == "constants":
        return None
    return LayerFinding(
        cause="fixed range",
        why=f"TensorFlow Lite fixes the range of {figures.operator} at {_text(figures)}",
        cure=f"leave it as it is, or take more bits: {_int16(case)}",
    )


def has_other_weights(figures: Figures) -> bool:
    """Whether weights differ from the float model's by more than rounding does."""
    kept = figures.sqnr_db["constants"]
    return figures.weight_dtype is not None and kept is not None and kept < _ROUNDING_DB


def mismatched_weights(case: LayerCase) -> LayerFinding | None:
    """The weights are farther from the float model's than rounding takes them."""
    figures = case.figures
    is_spread = (figures.weight_spread or 0.0) >= _WIDE_SPREAD
    if figures.weight_dtype != "int8" or is_spread or not has_other_weights(figures):
        return None
    return LayerFinding(
        cause="other weights",
        why="its weights differ from the float model's by more than rounding does",
        cure="compare with the float model that it was made of",
    )


def mixed_channel_scales(case: LayerCase) -> LayerFinding | None:
    """Weights of very different channels share one scale, and their rounding makes the error."""
    figures = case.figures
    spread = figures.weight_spread
    if _largest(figures) != "constants" or spread is None or spread < _WIDE_SPREAD:
        return None
    return LayerFinding(
        cause="one scale for all weights",
        why=(
            f"its weights share one scale, though those of one channel are {spread:.0f} times"
            " larger than those of another"
        ),
        cure="quantize its weights per channel",
    )


def constant_rounding(case: LayerCase) -> LayerFinding | None:
    """The rounding of the weights, or of another constant, makes most of the error."""
    figures = case.figures
    if _largest(figures) != "constants":
        return None
    stored = figures.weight_dtype or figures.dtype
    more = "int8" if stored == "int4" else "float"
    return LayerFinding(
        cause="weights",
        why=f"most of its error is the rounding of its weights to {stored}",
        cure=(
            f"no range changes that: leave it as it is, or take more bits: {_option(figures, more)}"
        ),
    )


def shared_range(case: LayerCase) -> LayerFinding | None:
    """The layer must have a range that is far wider than its own values need."""
    figures = case.figures
    joined = [each.name for each in case.takers if each.operator in _JOINING]
    kept = figures.sources if figures.operator in _KEEPING else ()
    sharing = [
        name
        for name in (*kept, *joined)
        if name in case.layers and case.layers[name].quantized_range == figures.quantized_range
    ]
    if not sharing or _used(figures) > _LITTLE_USED:
        return None
    return LayerFinding(
        cause="range of another",
        why=(
            f"it must have the range of {sharing[0]}, {_text(figures)}, of which its own values use"
            f" {_used(figures):.0%}: its steps are coarse"
        ),
        cure=(
            f"give it finer steps: {_int16(case)}"
            + ("; or let its values decide: --observer lp" if _is_pooled(figures) else "")
        ),
    )


def _is_pooled(figures: Figures) -> bool:
    return figures.operator == "AVERAGE_POOL_2D"


def range_too_wide(case: LayerCase) -> LayerFinding | None:
    """No value comes near the ends of the range."""
    figures = case.figures
    if _used(figures) > _LITTLE_USED or _part(figures, figures.float_range) > _LITTLE_USED:
        return None
    return LayerFinding(
        cause="range too wide",
        why=(
            f"its range {_text(figures)} is far wider than what float gives,"
            f" {_show(figures.float_range)}: its steps are coarse"
        ),
        cure=(
            "calibrate with samples like these, or set its range by hand in calibration.json and"
            " give that with --ranges"
        ),
    )


def outliers(case: LayerCase) -> LayerFinding | None:
    """A few large values make the range wide for all others."""
    figures = case.figures
    if figures.gain_db < _WORTH_DB or figures.best_range is None:
        return None
    return LayerFinding(
        cause="outliers",
        why=(
            f"99.9% of its values use {_used(figures):.0%} of its range {_text(figures)}, which a"
            " few large ones make so wide: its steps are coarse"
        ),
        cure=(
            f"clip them: {_show(figures.best_range)} would lower its error by"
            f" {figures.gain_db:.1f} dB; --observer mse finds such ranges, or set it by hand in"
            f" calibration.json (--ranges); or take more bits: {_int16(case)}"
        ),
    )


def coarse_steps(case: LayerCase) -> LayerFinding:
    """What is left: values that use their range well, in too few steps."""
    figures = case.figures
    return LayerFinding(
        cause="coarse steps",
        why=(
            f"its values use its range {_text(figures)} well, but {figures.dtype} has too few steps"
            " for what the layers behind it make of them"
        ),
        cure=f"take more bits: {_int16(case)}",
    )


RULES = (
    *(
        always_zero,
        small_share,
        mismatched_weights,
        range_too_narrow,
        fixed_range,
        mixed_channel_scales,
        constant_rounding,
    ),
    *(shared_range, range_too_wide, outliers, coarse_steps),
)


def _power(figures: Figures, noise: str) -> float:
    """Compute the power of a noise over that of the signal."""
    decibels = figures.sqnr_db[noise]
    return 0.0 if decibels is None else 10 ** (-decibels / 10)


def _largest(figures: Figures) -> str:
    """Name the largest part of a layer's own noise."""
    return max(("rounding", "clipping", "constants"), key=lambda noise: _power(figures, noise))


def _origin(figures: Figures, layers: Mapping[str, Figures]) -> str:
    """Find the layer, upstream, that an inherited error begins at."""
    while True:
        sources = [layers[name] for name in figures.sources if name in layers]
        if not sources:
            return figures.name
        figures = max(sources, key=lambda each: _power(each, "total"))
        if _power(figures, "own") * 4 > _power(figures, "total"):
            return figures.name


def _used(figures: Figures) -> float:
    return _part(figures, figures.bulk_range)


def _part(figures: Figures, values: Range) -> float:
    """Compute the part of the quantized range that values use, zero among them."""
    if figures.quantized_range is None:
        return 1.0
    low, high = figures.quantized_range
    return (max(values[1], 0.0) - min(values[0], 0.0)) / (high - low)


def _text(figures: Figures) -> str:
    return _show(figures.quantized_range) if figures.quantized_range else "of floats"


def _show(values: Range) -> str:
    return f"{values[0]:.4g} to {values[1]:.4g}"


def _int16(case: LayerCase) -> str:
    """Write the options that give a layer 16 bits: what takes it must take them too."""
    figures, takers = case.figures, case.takers
    if figures.operator == "input":
        return "--scheme int16"
    if len(takers) > _NAMED:
        return f"{_option(figures, 'int16')}, and so for the {len(takers)} layers that take it"
    return " ".join(_option(each, "int16") for each in (figures, *takers))


def _option(figures: Figures, scheme: str) -> str:
    """Write the option that quantizes a layer otherwise, by a name that its tensor bears."""
    part = fused(figures.tensor)[0]
    return f'--layer "{figures.name if figures.name in figures.tensor else part}={scheme}"'
