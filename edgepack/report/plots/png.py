"""PNG files without a library, after W3C's Portable Network Graphics specification."""

from __future__ import annotations

import struct
import zlib
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_COLOR_TYPES = {1: 0, 3: 2, 4: 6}
"""PNG's color types by the number of channels: grayscale, RGB, RGBA."""

# Björn Ottosson, "A perceptual color space for image processing": from OKLab to linear sRGB.
_TO_CONES = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_TO_SRGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def png_bytes(pixels: NDArray[Any], span: tuple[float, float] | None = None) -> bytes:
    """Return a picture of shape (H, W) or (H, W, C), with C = 1, 3 or 4, as a PNG file.

    uint8 values are used as they are; others are scaled so that ``span`` becomes 0 to 255. If None,
    it is from the smallest to the largest finite value. NaN becomes 0.
    """
    if pixels.ndim == 2:  # noqa: PLR2004 (height, width)
        pixels = pixels[:, :, np.newaxis]
    height, width, channels = pixels.shape
    pixels_8bit = pixels if pixels.dtype == np.uint8 else _scaled(pixels, span)
    rows = np.zeros(
        (height, 1 + width * channels), np.uint8
    )  # each begins with its filter type, 0: none
    rows[:, 1:] = pixels_8bit.reshape(height, width * channels)
    head = struct.pack(">IIBBBBB", width, height, 8, _COLOR_TYPES[channels], 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", head),
            _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)),
            _chunk(b"IEND", b""),
        )
    )


def heat_map_colors(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the colors of values of shape (H, W), as uint8 of shape (H, W, 3).

    They are from dark blue for the smallest to yellow for the largest. Lightness grows with the
    value, so that the map is legible without color vision.
    """
    colored: NDArray[np.uint8] = _colors()[_scaled(values, None)]
    return colored


def _chunk(kind: bytes, content: bytes) -> bytes:
    kind_and_content = kind + content
    return (
        struct.pack(">I", len(content))
        + kind_and_content
        + struct.pack(">I", zlib.crc32(kind_and_content))
    )


def _scaled(values: NDArray[Any], span: tuple[float, float] | None) -> NDArray[np.uint8]:
    reals = values.astype(np.float64)
    finite = reals[np.isfinite(reals)]
    if span is None:
        span = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    low, high = span
    # Halves, because the difference of large values may overflow a float.
    parts = (np.nan_to_num(reals, nan=low, posinf=high, neginf=low) / 2 - low / 2) / (
        (high / 2 - low / 2) or 1.0
    )
    return _bytes(parts)


@cache
def _colors() -> NDArray[np.uint8]:
    """Return 256 RGB colors of evenly growing OKLab lightness, from blue over red to yellow."""
    part = np.linspace(0, 1, 256)
    light = 0.18 + 0.74 * part
    hue = np.radians(265 + 205 * part)  # blue, purple, red, yellow
    chroma = 0.06 + 0.11 * np.sin(np.pi * part)
    lab = np.stack([light, chroma * np.cos(hue), chroma * np.sin(hue)], axis=1)
    linear = np.clip((lab @ _TO_CONES.T) ** 3 @ _TO_SRGB.T, 0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)  # noqa: PLR2004 (sRGB's)
    return _bytes(curved)


def _bytes(parts: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale 0 to 1 to uint8, 0 to 255."""
    whole: NDArray[np.uint8] = np.rint(np.clip(parts, 0, 1) * 255).astype(np.uint8)
    return whole
