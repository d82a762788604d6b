"""Metrics for models that output images, compared with target images."""

from __future__ import annotations

from functools import partial

import numpy as np

from edgepack.core.errors import ConfigError
from edgepack.core.packages import SCIKIT_IMAGE
from edgepack.core.signature import TensorSpec
from edgepack.metrics.ground_truth import target_images
from edgepack.metrics.metric import Array, Family, Loss, Metric, Unit, weighted_mean
from edgepack.metrics.records import RecordArray
from edgepack.metrics.regression import squared_error
from edgepack.storage.dataset import Dataset

MAX_PSNR_DB = 100.0
"""The PSNR of an image without error, which would be infinite and could not be averaged.

It corresponds to an error of 1e-5 of the peak, less than an 8-bit image can represent.
"""

_WINDOW = 7  # the default of structural_similarity
_MIN_SIDE = 3  # a window of one pixel has no variance


def _psnr(outputs: Array, targets: Array, boundary: float) -> Array:
    """Return each image's ``10 log10(peak^2 / mean squared error)`` in dB, float64 (samples,)."""
    error = squared_error(outputs, targets["values"], boundary) / np.square(targets["peak"])
    min_error = 10 ** (-MAX_PSNR_DB / 10)
    psnr: Array = -10 * np.log10(np.maximum(error, min_error))
    return psnr


def _ssim(outputs: Array, targets: Array, boundary: float) -> Array:  # noqa: ARG001
    """Return each image's structural similarity, averaged over windows, float64 (samples,)."""
    from skimage.metrics import structural_similarity

    side = min(outputs.shape[1:3])
    return np.array(
        [
            structural_similarity(
                target["values"].astype(np.float64),
                output.astype(np.float64),
                data_range=target["peak"],
                channel_axis=-1 if output.ndim == 3 else None,  # noqa: PLR2004 (with channels)
                win_size=min(_WINDOW, side - (side + 1) % 2),
            )
            for output, target in zip(outputs, targets, strict=True)
        ]
    )


def _ssim_targets(dataset: Dataset, output: TensorSpec) -> RecordArray:
    """Return the target images.

    Raises :class:`MissingToolError` if scikit-image is not installed, and :class:`ConfigError` if
    the images are smaller than the smallest window.
    """
    SCIKIT_IMAGE.require()
    targets = target_images("ssim", dataset, output)
    if min(targets[:1]["values"].shape[1:3]) < _MIN_SIDE:
        raise ConfigError(
            f"{dataset.source}: metric 'ssim' needs images of at least {_MIN_SIDE}x{_MIN_SIDE}"
            f" pixels; the model outputs {output}; choose the metric 'psnr'"
        )
    return targets


GENERATION = (
    Metric(
        name="psnr",
        title="PSNR",
        family=Family.GENERATION,
        unit=Unit.DECIBELS,
        is_more_better=True,
        wanted=partial(target_images, "psnr"),
        condense=_psnr,
        value=weighted_mean,
        loss=Loss.MEAN_SQUARED_ERROR,
    ),
    Metric(
        name="ssim",
        title="SSIM",
        family=Family.GENERATION,
        unit=Unit.FRACTION,
        is_more_better=True,
        wanted=_ssim_targets,
        condense=_ssim,
        value=weighted_mean,
        loss=Loss.MEAN_SQUARED_ERROR,
    ),
)
