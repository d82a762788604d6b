"""Preprocessing, as :mod:`edgepack.config.preprocessing` describes it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.datasets.audio_features import features
from edgepack.config.preprocessing import Audio, Image, Preprocessing
from edgepack.core.errors import DatasetError

GRAY = (0.299, 0.587, 0.114)
"""The luma of ITU-R BT.601."""

Array = NDArray[Any]


def preprocess(described: Preprocessing, samples: Array) -> Array:
    """Do what is described to samples of shape (..., height, width, channels) or (..., time).

    What is described as no image and no audio may have any shape. The result is float32, or what
    was given if nothing changes it. Raises :class:`DatasetError` for samples that do not fit.
    """
    if described.image:
        samples = _image(described.image, samples)
    if described.audio:
        samples = features(described.audio, _clip(described.audio, samples))
    return _values(described, samples) if described.changes_values else samples


def _image(image: Image, samples: Array) -> Array:
    if image.resize is not None:
        samples = resize(samples, image.resize)
    if image.crop is not None:
        samples = crop(samples, image.crop)
    return samples if image.colors is None else recolor(samples, image.colors)


def resize(images: Array, size: tuple[int, int]) -> Array:
    """Resize (..., height, width, channels) as ``tf.image.resize`` does by default, to float32."""
    height, width = size
    top, bottom, down = _neighbours(images.shape[-3], height)
    left, right, along = _neighbours(images.shape[-2], width)
    down, along = down[:, np.newaxis, np.newaxis], along[:, np.newaxis]
    rows = [
        images[..., row, :, :][..., columns, :].astype(np.float32)
        for row in (top, bottom)
        for columns in (left, right)
    ]
    upper = rows[0] + (rows[1] - rows[0]) * along
    lower = rows[2] + (rows[3] - rows[2]) * along
    return np.asarray(upper + (lower - upper) * down)


def _neighbours(given: int, wanted: int) -> tuple[Array, Array, Array]:
    """Find the two pixels that each new one lies between, and how far it is from the first."""
    places = (np.arange(wanted, dtype=np.float32) + np.float32(0.5)) * np.float32(given / wanted)
    places -= np.float32(0.5)
    first = np.floor(places)
    return (
        np.maximum(first, 0).astype(np.intp),
        np.minimum(np.ceil(places), given - 1).astype(np.intp),
        places - first,
    )


def crop(images: Array, size: tuple[int, int]) -> Array:
    """Cut the centre out of (..., height, width, channels), rounded to the top left."""
    height, width = images.shape[-3:-1]
    if size[0] > height or size[1] > width:
        raise DatasetError(
            f"an image of {height} x {width} pixels holds no crop of {size[0]} x {size[1]};"
            " resize it first"
        )
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    return images[..., top : top + size[0], left : left + size[1], :]


def recolor(images: Array, colors: str) -> Array:
    """Turn (..., height, width, 3), red first, or (..., 1) into another order of colours."""
    channels = images.shape[-1]
    if channels not in (1, 3):
        raise DatasetError(f"an image of {channels} channels is neither red, green, blue nor gray")
    if channels == 1:
        return images if colors == "gray" else np.repeat(images, 3, axis=-1)
    if colors == "gray":
        # A matrix product would add them up in an order, and with roundings, of its library's own.
        weighted = images.astype(np.float32) * np.array(GRAY, np.float32)
        red, green, blue = np.moveaxis(weighted, -1, 0)
        return np.asarray(red + green + blue)[..., np.newaxis]
    return images if colors == "rgb" else images[..., ::-1]


def _clip(audio: Audio, waves: Array) -> Array:
    if waves.dtype == np.int16:
        waves = waves / np.float32(1 << 15)
    waves = waves.astype(np.float32, copy=False)
    if audio.clip_samples is None:
        return waves
    kept = waves[..., : audio.clip_samples]
    missing = audio.clip_samples - kept.shape[-1]
    return np.pad(kept, [(0, 0)] * (kept.ndim - 1) + [(0, missing)])


def _values(described: Preprocessing, samples: Array) -> Array:
    for name, values in (("mean", described.mean), ("std", described.std)):
        if len(values) not in (1, *samples.shape[-1:]):
            raise DatasetError(
                f"{name} has {len(values)} numbers, a sample {samples.shape[-1]} channels in its"
                " last axis; give one number, or one for each"
            )
    scaled = samples.astype(np.float32) * np.float32(described.scale)
    centred = scaled + np.float32(described.offset) - np.array(described.mean, np.float32)
    return np.asarray(centred / np.array(described.std, np.float32))
