"""Writing samples to disk block by block: checked, preprocessed and cast to a model's input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.datasets.preprocess import preprocess
from edgepack.calibration.datasets.sources.source import SampleSource
from edgepack.config.preprocessing import Image, Preprocessing
from edgepack.core.errors import DatasetError
from edgepack.core.signature import TensorSpec, shape_fits
from edgepack.storage.array_writer import NpyWriter

_NUMBER_KINDS = "fiu"
_COLORS_OF_CHANNELS = {1: "gray", 3: "rgb"}

Array = NDArray[Any]


class ColumnWriter:
    """Checks one array of a source, such as the labels, and writes it to an .npy file.

    Raises :class:`DatasetError` for samples that are not numbers, not finite, or of different
    shapes.
    """

    def __init__(self, source: SampleSource, name: str, spool: NpyWriter) -> None:
        self.path = spool.path
        self._source = source
        self._name = name
        self._spool = spool
        self._first: tuple[int, tuple[int, ...]] | None = None
        self._after = ""
        self._non_finite_count = 0
        self._first_non_finite = ""

    @property
    def where(self) -> str:
        """The source and the array, for messages."""
        return f"{self._source.name}: {self._name!r}"

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of a sample; that of a single number if none was added."""
        return self._first[1] if self._first else ()

    def add(self, rows: Sequence[int], values: Array | list[Array]) -> None:
        """Write samples; after the first non-finite value, only count further ones.

        ``rows`` are the rows of the samples in the source; ``values`` is an array (samples, ...),
        or a list of samples whose shapes may differ.
        """
        if isinstance(values, list):
            pairs = zip(rows, values, strict=True)
            parts = [self._prepare(value[np.newaxis], row) for row, value in pairs]
        else:
            parts = [self._prepare(values, rows[0])]
        for row, part in zip(rows, parts, strict=False):  # an array is one part
            self._check_shape(row, part.shape[1:])
        block = self._fit(np.concatenate(parts))
        self._count_non_finite(rows, block)
        if not self._non_finite_count:
            self._write(rows[0], block)

    def end(self) -> None:
        """Raise :class:`DatasetError` for non-finite values, and for an array without samples."""
        if self._non_finite_count:
            count = self._non_finite_count
            among = "the only value that is" if count == 1 else f"one of {count:,} values that are"
            raise DatasetError(
                f"{self.where} is {self._first_non_finite}{self._after}, {among} not finite;"
                " remove or repair those"
                f" samples{', or configure a smaller scale or offset' if self._after else ''}"
            )
        if not self._spool.rows:
            raise DatasetError(f"{self.where} is empty; provide at least one sample")

    def _prepare(self, array: Array, row: int) -> Array:  # noqa: ARG002 (used by subclasses)
        self._check_numbers(array)
        return array

    def _fit(self, array: Array) -> Array:
        return array

    def _check_numbers(self, array: Array) -> None:
        if array.dtype.kind not in _NUMBER_KINDS:
            raise DatasetError(
                f"{self.where} has dtype {array.dtype}; provide {self._numbers(array)}"
            )
        if array.size == 0:
            raise DatasetError(
                f"{self.where} is empty, shape {self._shape(array)}; provide at least one sample"
            )

    def _numbers(self, array: Array) -> str:
        """Return which numbers to provide instead."""
        if array.dtype.kind == "b":
            return f"numbers: save {self._name}.astype('int64')"
        return "class numbers, from 0 in the order of the model's outputs, or target values"

    def _check_shape(self, row: int, shape: tuple[int, ...]) -> None:
        self._first = self._first or (row, shape)
        first_row, first_shape = self._first
        if shape != first_shape:
            raise DatasetError(
                f"{self._source.name}: {self._source.sample(first_row)}"
                f" {_shape_text(first_shape)}, but {self._source.sample(row)}"
                f" {_shape_text(shape)}; {self._shape_cure()}"
            )

    def _shape_cure(self) -> str:
        if self._source.kind == "images":
            return "set resize = [height, width] under [preprocessing] in the project file"
        if self._source.kind == "sounds":
            return "set clip_samples under [preprocessing] in the project file"
        return "make all samples the same shape"

    def _count_non_finite(self, rows: Sequence[int], array: Array) -> None:
        if array.dtype.kind != "f" or (finite := np.isfinite(array)).all():
            return
        if not self._non_finite_count:
            place = tuple(int(index) for index in np.argwhere(~finite)[0])
            indices = [rows[place[0]], *place[1:]]
            sample = self._source.sample(rows[place[0]])
            file = f" of {sample}" if self._source.kind in ("images", "sounds") else ""
            self._first_non_finite = f"{array[place]} at {indices}{file}"
        self._non_finite_count += int((~finite).sum())

    def _write(self, row: int, array: Array) -> None:
        try:
            self._spool.add(array)
        except TypeError as error:
            raise DatasetError(
                f"{self.where} changes its dtype at {self._source.sample(row)}: {error}"
            ) from error

    def _shape(self, array: Array) -> str:
        sizes = (self._source.total or "samples", *array.shape[1:])
        return f"({', '.join(map(str, sizes))}{',' if len(sizes) == 1 else ''})"


class InputColumnWriter(ColumnWriter):
    """Preprocesses the array of a model's input, checks it and writes it to an .npy file.

    Also raises :class:`DatasetError` for a shape other than the input's, and for values that the
    input's dtype cannot hold. Preprocessed values are rounded for an integer input.
    """

    def __init__(
        self,
        source: SampleSource,
        name: str,
        spool: NpyWriter,
        spec: TensorSpec,
        preprocessing: Preprocessing,
    ) -> None:
        super().__init__(source, name, spool)
        self._spec = spec
        self._after = " after preprocessing" if preprocessing != Preprocessing() else ""
        if source.kind == "images":
            preprocessing = _with_colors(preprocessing, spec)
        self._preprocessing = preprocessing

    def _prepare(self, array: Array, row: int) -> Array:
        self._check_numbers(array)
        if (rank := self._preprocessing.rank) is not None and array.ndim != rank + 1:
            axes = "height, width, channels" if rank > 1 else "time"
            raise DatasetError(
                f"{self.where} has shape {self._shape(array)}; the project file describes samples"
                f" of shape ({axes})"
            )
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # end() reports non-finite values
                return preprocess(self._preprocessing, array)
        except DatasetError as error:
            raise DatasetError(
                f"{self._source.name}: {self._source.sample(row)}: {error}"
            ) from error
        except MemoryError as error:
            raise DatasetError(
                f"{self.where}: not enough memory for the preprocessing; set smaller sizes in the"
                " project file"
            ) from error

    def _fit(self, array: Array) -> Array:
        expected = self._spec.shape
        if self._preprocessing.audio and array.shape[1:] == expected[:-1] and expected[-1] == 1:
            array = array[..., np.newaxis]
        if not shape_fits(array.shape[1:], expected):
            raise DatasetError(
                f"{self.where} has shape {self._shape(array)}{self._after}; the model's input"
                f" {self._spec.name!r} takes {self._spec}; {self._cure(array.shape[1:])}"
            )
        return self._cast(array)

    def _cure(self, shape: tuple[int, ...]) -> str:
        expected, name = self._spec.shape, self._name
        if self._source.kind == "images" and len(expected) == len(shape):
            return f"set {self._image_setting(shape)} under [preprocessing] in the project file"
        if self._source.kind == "sounds":
            return f"set {self._audio_setting(shape)} under [preprocessing] in the project file"
        if shape == expected[:-1] and expected[-1] == 1:
            return f"add the last axis with {name}[..., np.newaxis]"
        if expected and shape == (expected[-1], *expected[:-1]):
            return f"move the channels last with np.moveaxis({name}, 1, -1)"
        return "provide one sample per row"

    def _numbers(self, array: Array) -> str:  # noqa: ARG002 (used by labels)
        return "numbers (float or integer)"

    def _image_setting(self, shape: tuple[int, ...]) -> str:
        """Return the project file setting that converts images to the input's shape."""
        expected = self._spec.shape
        colors = _COLORS_OF_CHANNELS.get(expected[-1] or 0)
        if colors and all(
            side in (None, actual) for side, actual in zip(expected[:2], shape, strict=False)
        ):
            return f'colors = "{colors}"'
        sides = zip(expected[:2], shape, strict=False)
        return f"resize = {[side or actual for side, actual in sides]}"

    def _audio_setting(self, shape: tuple[int, ...]) -> str:
        """Return the project file setting that converts audio to the input's shape."""
        expected, audio = self._spec.shape, self._preprocessing.audio
        if audio is None or audio.features is None or len(expected) < len(shape):
            return "clip_samples and features"
        if expected[0] in (None, shape[0]):
            bins = "coefficients" if audio.features == "mfcc" else "mel_bins"
            return f"{bins} = {expected[1]}"
        return "clip_samples and frame_step"

    def _cast(self, array: Array) -> Array:
        dtype = np.dtype(self._spec.dtype)
        if dtype.kind in "iu" and self._preprocessing != Preprocessing():
            array = np.rint(array)
        mismatch = (
            f"{self.where} has dtype {array.dtype};"
            f" the model's input {self._spec.name!r} takes {dtype}"
        )
        if dtype.kind in "iu" and not self._is_in_range(array, dtype):
            raise DatasetError(f"{mismatch}; provide integers in its range")
        if dtype.kind == "f" and array.dtype == np.int8:
            raise DatasetError(
                f"{mismatch}, and int8 looks like quantized data; convert it back to real values"
                f" with ({self._name} - zero_point) * scale"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            cast = np.ascontiguousarray(array, dtype=dtype)
        if dtype.kind == "f" and not (np.isfinite(cast) | ~np.isfinite(array)).all():
            raise DatasetError(f"{mismatch}, which cannot hold the largest values; rescale them")
        return cast

    def _is_in_range(self, array: Array, dtype: np.dtype[Any]) -> bool:
        """Whether an integer dtype holds the values; floats must come from preprocessing."""
        if array.dtype.kind == "f" and self._preprocessing == Preprocessing():
            return False
        bounds = np.iinfo(dtype)
        return bool(array.min() >= bounds.min and array.max() <= bounds.max)


def _with_colors(preprocessing: Preprocessing, spec: TensorSpec) -> Preprocessing:
    """Set the colors that fit the input's channels, unless they are configured."""
    image = preprocessing.image or Image()
    channels = spec.shape[-1] if spec.shape else None
    colors = image.colors or _COLORS_OF_CHANNELS.get(channels or 0)
    return replace(preprocessing, image=replace(image, colors=colors))


def _shape_text(shape: tuple[int, ...]) -> str:
    """Return the shape of a sample as a predicate, for messages.

    >>> _shape_text((480, 640, 3)), _shape_text(())
    ('has shape (480, 640, 3)', 'is a single number')
    """
    return f"has shape {shape}" if shape else "is a single number"
