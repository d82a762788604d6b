"""Preprocessing of samples, as configured by :mod:`edgepack.config.preprocessing`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.datasets.audio_features import extract_features
from edgepack.config.preprocessing import Audio, Image, Preprocessing
from edgepack.core.errors import DatasetError

GRAY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luma of ITU-R BT.601."""

Array = NDArray[Any]


def preprocess(preprocessing: Preprocessing, samples: Array) -> Array:
    """Preprocess images (..., height, width, channels) or waves (..., time).

    Samples that are configured neither as images nor as audio may have any shape. The result is
    float32, or ``samples`` itself if nothing changes it. Raises :class:`DatasetError` for samples
    that do not fit the configuration.
    """
    if preprocessing.image:
        samples = _preprocess_image(preprocessing.image, samples)
    if preprocessing.audio:
        samples = extract_features(preprocessing.audio, _clip(preprocessing.audio, samples))
    return _normalize(preprocessing, samples) if preprocessing.changes_values else samples


def _preprocess_image(image: Image, samples: Array) -> Array:
    if image.resize is not None:
        samples = resize(samples, image.resize)
    if image.crop is not None:
        samples = crop(samples, image.crop)
    return samples if image.colors is None else recolor(samples, image.colors)


def resize(images: Array, size: tuple[int, int]) -> Array:
    """Resize images (..., height, width, channels) to ``size``, (height, width); float32.

    This is the bilinear interpolation of ``tf.image.resize`` with its default settings.
    """
    height, width = size
    top, bottom, down = _neighbors(images.shape[-3], height)
    left, right, along = _neighbors(images.shape[-2], width)
    down, along = down[:, np.newaxis, np.newaxis], along[:, np.newaxis]
    corners = [
        images[..., row, :, :][..., columns, :].astype(np.float32)
        for row in (top, bottom)
        for columns in (left, right)
    ]
    upper = corners[0] + (corners[1] - corners[0]) * along
    lower = corners[2] + (corners[3] - corners[2]) * along
    return np.asarray(upper + (lower - upper) * down)


def _neighbors(old_size: int, new_size: int) -> tuple[Array, Array, Array]:
    """Return the two old pixels that surround each new pixel, and its distance from the first."""
    centers = np.arange(new_size, dtype=np.float32) + np.float32(0.5)
    places = centers * np.float32(old_size / new_size)
    places -= np.float32(0.5)
    first = np.floor(places)
    return (
        np.maximum(first, 0).astype(np.intp),
        np.minimum(np.ceil(places), old_size - 1).astype(np.intp),
        places - first,
    )


def crop(images: Array, size: tuple[int, int]) -> Array:
    """Crop images (..., height, width, channels) to the central ``size``, (height, width).

    Odd margins leave one more pixel at the bottom and at the right. Raises :class:`DatasetError`
    for images smaller than ``size``.
    """
    height, width = images.shape[-3:-1]
    if size[0] > height or size[1] > width:
        raise DatasetError(
            f"an image of {height} x {width} pixels is smaller than the crop of"
            f" {size[0]} x {size[1]}; resize it first"
        )
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    return images[..., top : top + size[0], left : left + size[1], :]


def recolor(images: Array, colors: str) -> Array:
    """Convert RGB (..., height, width, 3) or gray (..., 1) images to "rgb", "bgr" or "gray".

    The result of RGB to gray is float32; all others keep their dtype. Raises
    :class:`DatasetError` for other numbers of channels.
    """
    channels = images.shape[-1]
    if channels not in (1, 3):
        raise DatasetError(f"an image of {channels} channels is neither RGB nor gray")
    if channels == 1:
        return images if colors == "gray" else np.repeat(images, 3, axis=-1)
    if colors == "gray":
        # A matrix product would sum in the order, and with the rounding, of its BLAS library.
        weighted = images.astype(np.float32) * np.array(GRAY, np.float32)
        red, green, blue = np.moveaxis(weighted, -1, 0)
        return np.asarray(red + green + blue)[..., np.newaxis]
    return images if colors == "rgb" else images[..., ::-1]


def _clip(audio: Audio, waves: Array) -> Array:
    """Convert waves to float32 (int16 to -1..1) and truncate or zero-pad them to the clip."""
    if waves.dtype == np.int16:
        waves = waves / np.float32(1 << 15)
    waves = waves.astype(np.float32, copy=False)
    if audio.clip_samples is None:
        return waves
    kept = waves[..., : audio.clip_samples]
    missing = audio.clip_samples - kept.shape[-1]
    return np.pad(kept, [(0, 0)] * (kept.ndim - 1) + [(0, missing)])


def _normalize(preprocessing: Preprocessing, samples: Array) -> Array:
    for name, values in (("mean", preprocessing.mean), ("std", preprocessing.std)):
        if len(values) not in (1, *samples.shape[-1:]):
            raise DatasetError(
                f"{name} has {len(values)} numbers, but a sample has {samples.shape[-1]} channels"
                " in its last axis; provide one number, or one per channel"
            )
    scaled = samples.astype(np.float32) * np.float32(preprocessing.scale)
    centered = scaled + np.float32(preprocessing.offset) - np.array(preprocessing.mean, np.float32)
    return np.asarray(centered / np.array(preprocessing.std, np.float32))
