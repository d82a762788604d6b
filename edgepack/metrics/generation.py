"""Metrics of models that give pictures, against the wanted ones."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec

import numpy as np

from edgepack.core.errors import ConfigError, MissingToolError
from edgepack.core.signature import TensorSpec
from edgepack.metrics.ground_truth import pictures
from edgepack.metrics.metric import Array, Family, Loss, Metric, Unit, weighted_mean
from edgepack.metrics.records import RecordArray
from edgepack.metrics.regression import squared_error
from edgepack.storage.dataset import Dataset

MOST_DECIBELS = 100.0
"""What a picture without any error is given, whose ratio is infinite: a mean needs a number.

An error of a hundred-thousandth of the peak, less than any picture of 8 bits can show.
"""

_WINDOW = 7  # structural_similarity's own
_LEAST_SIDE = 3  # a window of one pixel has no variance


def _signal_to_noise(outputs: Array, wanted: Array, boundary: float) -> Array:
    """Give each picture's ``10 log10(peak^2 / mean squared error)`` in dB, float64 (samples,)."""
    error = squared_error(outputs, wanted["values"], boundary) / np.square(wanted["peak"])
    least = 10 ** (-MOST_DECIBELS / 10)
    ratio: Array = -10 * np.log10(np.maximum(error, least))
    return ratio


def _similarity(outputs: Array, wanted: Array, boundary: float) -> Array:  # noqa: ARG001
    """Give each picture's structural similarity, mean over its windows, float64 (samples,)."""
    from skimage.metrics import structural_similarity

    side = min(outputs.shape[1:3])
    return np.array(
        [
            structural_similarity(
                each["values"].astype(np.float64),
                output.astype(np.float64),
                data_range=each["peak"],
                channel_axis=-1 if output.ndim == 3 else None,  # noqa: PLR2004 (with channels)
                win_size=min(_WINDOW, side - (side + 1) % 2),
            )
            for output, each in zip(outputs, wanted, strict=True)
        ]
    )


def _pictures_to_see(dataset: Dataset, output: TensorSpec) -> RecordArray:
    """Give the wanted pictures; raises :class:`MissingToolError` without scikit-image."""
    if find_spec("skimage") is None:
        raise MissingToolError(
            "metric 'ssim' needs scikit-image: pip install 'edgepack[generators]'"
        )
    found = pictures("ssim", dataset, output)
    if min(found[:1]["values"].shape[1:3]) < _LEAST_SIDE:
        raise ConfigError(
            f"{dataset.source}: metric 'ssim' needs pictures of {_LEAST_SIDE} pixels a side at"
            f" least; the model gives {output}; choose the metric 'psnr'"
        )
    return found


GENERATION = (
    Metric(
        name="psnr",
        title="PSNR",
        family=Family.GENERATION,
        unit=Unit.DECIBELS,
        is_more_better=True,
        wanted=partial(pictures, "psnr"),
        condense=_signal_to_noise,
        value=weighted_mean,
        loss=Loss.MEAN_SQUARED_ERROR,
    ),
    Metric(
        name="ssim",
        title="SSIM",
        family=Family.GENERATION,
        unit=Unit.FRACTION,
        is_more_better=True,
        wanted=_pictures_to_see,
        condense=_similarity,
        value=weighted_mean,
        loss=Loss.MEAN_SQUARED_ERROR,
    ),
)
