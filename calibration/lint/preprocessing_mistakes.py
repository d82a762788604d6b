"""Common preprocessing mistakes and how to undo them: hypotheses to try on the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.storage.arrays import Arrays

_BYTE, _HALF = 255.0, 128.0
# ImageNet statistics of keras/src/applications/imagenet_utils.py, modes "caffe" and "torch".
_BGR_MEAN = (103.939, 116.779, 123.68)
_RGB_MEAN = (0.485, 0.456, 0.406)
_RGB_DEVIATION = (0.229, 0.224, 0.225)

Values = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A possible mistake in the preprocessing of an input, of shape (samples, ...).

    ``fits`` returns whether the values could be the result of the mistake, ``undo`` returns the
    values as they should be. ``cure`` is the advice, with ``{name}`` for the input's name and
    ``{peak}`` for its largest value.
    """

    fits: Callable[[Values], bool]
    undo: Callable[[Values], Values]
    cure: str


def _in_unit(x: Values) -> bool:
    return bool(x.min() >= 0 and x.max() <= 1)


def _in_signed_unit(x: Values) -> bool:
    return bool(-1 <= x.min() < 0 and x.max() <= 1)


def _in_byte(x: Values) -> bool:
    return bool(x.min() >= 0 and 1 < x.max() <= _BYTE)


def _in_signed_byte(x: Values) -> bool:
    return bool(-_HALF <= x.min() < -1 and x.max() < _HALF)


def _is_small(x: Values) -> bool:
    return bool(np.abs(x).max() <= 1)


def _is_large(x: Values) -> bool:
    return not _is_small(x)


def _has_a_peak(x: Values) -> bool:
    return _in_byte(x) and bool(x.max() < _BYTE)


def _is_rgb(x: Values) -> bool:
    return len(x.shape[1:]) > 1 and x.shape[-1] == len(_RGB_MEAN)


def _is_rgb_in_byte(x: Values) -> bool:
    return _is_rgb(x) and _in_byte(x)


def _standardize(x: Values) -> Values:
    axes = tuple(range(x.ndim - 1))
    deviation = x.std(axis=axes)
    standard: Values = (x - x.mean(axis=axes)) / np.where(deviation > 0, deviation, 1)
    return standard


MISTAKES = (
    # The simplest first.
    Mistake(fits=_is_small, undo=lambda x: x * _BYTE, cure="multiply {name} by 255"),
    Mistake(fits=_is_large, undo=lambda x: x / _BYTE, cure="divide {name} by 255"),
    Mistake(
        fits=_has_a_peak,
        undo=lambda x: x / x.max(),
        cure="divide {name} by its largest value, {peak:g}",
    ),
    Mistake(
        fits=_in_byte,
        undo=lambda x: x / (_BYTE / 2) - 1,
        cure="scale {name} from 0..255 to -1..1, with x / 127.5 - 1",
    ),
    Mistake(
        fits=_in_signed_unit,
        undo=lambda x: (x + 1) * (_BYTE / 2),
        cure="scale {name} from -1..1 to 0..255, with (x + 1) * 127.5",
    ),
    Mistake(
        fits=_in_unit,
        undo=lambda x: x * 2 - 1,
        cure="scale {name} from 0..1 to -1..1, with x * 2 - 1",
    ),
    Mistake(
        fits=_in_signed_unit,
        undo=lambda x: (x + 1) / 2,
        cure="scale {name} from -1..1 to 0..1, with (x + 1) / 2",
    ),
    Mistake(fits=_in_byte, undo=lambda x: x - _HALF, cure="subtract 128 from {name}"),
    Mistake(fits=_in_signed_byte, undo=lambda x: x + _HALF, cure="add 128 to {name}"),
    Mistake(
        fits=_is_rgb,
        undo=lambda x: x[..., ::-1],
        cure="reverse the channels of {name}: RGB and BGR are confused",
    ),
    Mistake(
        fits=_is_rgb_in_byte,
        undo=lambda x: x[..., ::-1] - np.array(_BGR_MEAN),
        cure="prepare {name} as keras.applications does in its mode 'caffe': reverse the channels"
        " and subtract ImageNet's mean",
    ),
    Mistake(
        fits=_is_rgb_in_byte,
        undo=lambda x: (x / _BYTE - np.array(_RGB_MEAN)) / np.array(_RGB_DEVIATION),
        cure="prepare {name} as keras.applications does in its mode 'torch': divide by 255, then"
        " standardize with ImageNet's mean and standard deviation",
    ),
    Mistake(
        fits=lambda x: x.ndim > 1,
        undo=_standardize,
        cure="standardize {name}: subtract each channel's mean, divide by its standard deviation",
    ),
)


def undo_mistakes(inputs: Arrays) -> Iterator[tuple[str, Arrays]]:
    """Undo each mistake that fits a float input, one at a time; yields cures and all inputs.

    Swapped inputs of the same shape and dtype are such mistakes, too.
    """
    for name, array in inputs.items():
        if array.dtype.kind != "f":
            continue
        for mistake in MISTAKES:
            if mistake.fits(array):
                values = np.ascontiguousarray(mistake.undo(array), dtype=array.dtype)
                cure = mistake.cure.format(name=repr(name), peak=float(array.max()))
                yield cure, inputs | {name: values}
    for (one, first), (other, second) in combinations(inputs.items(), 2):
        if first.shape == second.shape and first.dtype == second.dtype:
            yield f"swap {one!r} and {other!r}", inputs | {one: second, other: first}
