"""Inputs and outputs of samples as pictures, heat maps, waveforms or rows of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.report.document.block_shortcuts import table_block
from edgepack.report.document.blocks import Picture, Plot
from edgepack.report.plots.png import heat_map_colors, png_bytes
from edgepack.report.plots.waveform import waveform_plot

Array = NDArray[Any]

_CHANNELS = (1, 3, 4)
_MIN_SIDE = 8
_NARROW = 3  # a ratio of sides above it: features over time rather than a picture
_LONG = 64
_MAX_NUMBERS = 16
_MAX_SIDE = 256
_BYTE = 255


def is_drawn(values: Array) -> bool:
    """Whether values are drawn as a picture, a heat map or a waveform, not as a row of numbers."""
    return _is_picture(values) or _rank(values) == 2 or _is_wave(values)  # noqa: PLR2004


def number_row(values: Array) -> str:
    """Return values as a row of numbers, only the first 16 if there are more.

    >>> number_row(np.array([0.5, 2.0]))
    '0.5, 2'
    """
    flat = np.asarray(values).reshape(-1)
    more = f" and {flat.size - _MAX_NUMBERS:,} more" if flat.size > _MAX_NUMBERS else ""
    return ", ".join(f"{value:.4g}" for value in flat[:_MAX_NUMBERS].tolist()) + more


def sample_media(
    id: str,  # noqa: A002 (the SVG's)
    named: Sequence[tuple[str, Array]],
) -> tuple[Plot | Picture, ...]:
    """Draw named arrays of the same shape on one scale; empty if :func:`is_drawn` is False."""
    arrays = [
        np.nan_to_num(np.asarray(values, np.float64), posinf=0.0, neginf=0.0) for _, values in named
    ]
    names = [name for name, _ in named]
    first = arrays[0]
    if _is_picture(first):
        return _pictures(names, arrays)
    flat = [np.squeeze(array) for array in arrays]
    if flat[0].ndim == 2:  # noqa: PLR2004 (a map)
        return _maps(names, flat)
    if _is_wave(first):
        return tuple(
            _wave(f"{id}-{place}", name, array)
            for place, (name, array) in enumerate(zip(names, flat, strict=True))
        )
    return ()


def _rank(values: Array) -> int:
    return sum(side > 1 for side in values.shape)


def _is_wave(values: Array) -> bool:
    return _rank(values) == 1 and values.size > _LONG


def _is_picture(values: Array) -> bool:
    if values.ndim != 3 or values.shape[2] not in _CHANNELS:  # noqa: PLR2004 (rows, columns, channels)
        return False
    short, long = sorted(values.shape[:2])
    is_narrow = values.shape[2] == 1 and long > _NARROW * short
    return short >= _MIN_SIDE and not is_narrow


def _pictures(names: Sequence[str], arrays: Sequence[Array]) -> tuple[Picture, ...]:
    low = min(float(array.min()) for array in arrays)
    high = max(float(array.max()) for array in arrays)
    if low >= 0 and 1 < high <= _BYTE:
        low, high = 0.0, float(_BYTE)
    return tuple(
        _picture(name, array, (low, high)) for name, array in zip(names, arrays, strict=True)
    )


def _maps(names: Sequence[str], arrays: Sequence[Array]) -> tuple[Picture, ...]:
    """Draw heat maps on one scale.

    Features over time, with many more rows than columns, are turned: time runs to the right.
    """
    height, width = arrays[0].shape
    if height > _NARROW * width:
        names = [f"{name}, rows to the right" for name in names]
        arrays = [array.T[::-1] for array in arrays]
    colored = np.split(heat_map_colors(np.concatenate(arrays)), len(arrays))
    return tuple(_picture(name, pixels) for name, pixels in zip(names, colored, strict=True))


def _picture(name: str, pixels: Array, span: tuple[float, float] | None = None) -> Picture:
    """Encode a picture, leaving out pixels of a large one."""
    step = -(-max(pixels.shape[:2]) // _MAX_SIDE)
    small = np.ascontiguousarray(pixels[::step, ::step])
    height, width = pixels.shape[:2]
    return Picture(
        description=f"{name}, {width} by {height}",
        png=png_bytes(small, span),
        width=small.shape[1],
        height=small.shape[0],
    )


def _wave(id: str, name: str, values: Array) -> Plot:  # noqa: A002 (the SVG's)
    figures = {
        "least": values.min(),
        "greatest": values.max(),
        "mean": values.mean(),
        "deviation": values.std(),
    }
    return Plot(
        title=name,
        description=(
            f"{values.size:,} values from {figures['least']:.3g} to {figures['greatest']:.3g}."
        ),
        svg=waveform_plot(id, values.tolist()),
        table=table_block(
            f"{name} in figures",
            ["figure", "value"],
            [[word, f"{figure:.4g}"] for word, figure in figures.items()],
        ),
    )
