"""Samples on their way to disk: checked, preprocessed and cast to a model's input, by blocks."""

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
from edgepack.core.signature import TensorSpec, fits
from edgepack.storage.array_writer import NpyWriter

_NUMBER_KINDS = "fiu"
_COLORS_OF_CHANNELS = {1: "gray", 3: "rgb"}

Array = NDArray[Any]


class ColumnWriter:
    """An array of a source, such as labels, that is checked and written.

    Raises :class:`DatasetError` for samples that are no numbers, not finite, or of different
    shapes.
    """

    def __init__(self, source: SampleSource, name: str, spool: NpyWriter) -> None:
        self.path = spool.path
        self._source = source
        self._name = name
        self._spool = spool
        self._first: tuple[int, tuple[int, ...]] | None = None
        self._after = ""
        self._not_finite = 0
        self._where_not_finite = ""

    @property
    def where(self) -> str:
        """The array, for messages."""
        return f"{self._source.name}: {self._name!r}"

    def add(self, rows: Sequence[int], values: Array | list[Array]) -> None:
        """Write samples; once one is not finite, such are only counted."""
        if isinstance(values, list):
            pairs = zip(rows, values, strict=True)
            parts = [self._prepared(value[np.newaxis], row) for row, value in pairs]
        else:
            parts = [self._prepared(values, rows[0])]
        for row, part in zip(rows, parts, strict=False):  # an array is one part
            self._check_equal(row, part.shape[1:])
        made = self._fitted(np.concatenate(parts))
        self._count_not_finite(rows, made)
        if not self._not_finite:
            self._write(rows[0], made)

    def end(self) -> None:
        """Raise what only the whole shows."""
        if self._not_finite:
            raise DatasetError(
                f"{self.where} is {self._where_not_finite}{self._after}, one of"
                f" {self._not_finite} values that are not finite; remove or repair those samples"
                f"{', or describe smaller numbers' if self._after else ''}"
            )
        if not self._spool.rows:
            raise DatasetError(f"{self.where} is empty; give some samples")

    def _prepared(self, array: Array, row: int) -> Array:  # noqa: ARG002 (for inputs)
        self._check_numbers(array)
        return array

    def _fitted(self, array: Array) -> Array:
        return array

    def _check_numbers(self, array: Array) -> None:
        if array.dtype.kind not in _NUMBER_KINDS:
            raise DatasetError(
                f"{self.where} has dtype {array.dtype}; give numbers (float or integer)"
            )
        if array.size == 0:
            raise DatasetError(
                f"{self.where} is empty, shape {self._shape(array)}; give some samples"
            )

    def _check_equal(self, row: int, shape: tuple[int, ...]) -> None:
        self._first = self._first or (row, shape)
        first, wanted = self._first
        if shape != wanted:
            raise DatasetError(
                f"{self._source.name}: {self._source.sample(first)} is {_sized(wanted)},"
                f" {self._source.sample(row)} {_sized(shape)}; {self._cure_of_shapes()}"
            )

    def _cure_of_shapes(self) -> str:
        if self._source.kind == "images":
            return "say resize = [height, width] under [preprocessing] in the project file"
        if self._source.kind == "sounds":
            return "say clip_samples under [preprocessing] in the project file"
        return "give all samples one shape"

    def _count_not_finite(self, rows: Sequence[int], array: Array) -> None:
        if array.dtype.kind != "f" or (finite := np.isfinite(array)).all():
            return
        if not self._not_finite:
            place = tuple(int(index) for index in np.argwhere(~finite)[0])
            where = [rows[place[0]], *place[1:]]
            sample = self._source.sample(rows[place[0]])
            file = f" of {sample}" if self._source.kind in ("images", "sounds") else ""
            self._where_not_finite = f"{array[place]} at {where}{file}"
        self._not_finite += int((~finite).sum())

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
    """An array of a model's input, which is preprocessed.

    Raises :class:`DatasetError`, besides, for another shape than the input's, and for values that
    its dtype cannot hold (real numbers are rounded to it).
    """

    def __init__(
        self,
        source: SampleSource,
        name: str,
        spool: NpyWriter,
        spec: TensorSpec,
        described: Preprocessing,
    ) -> None:
        super().__init__(source, name, spool)
        self._spec = spec
        self._after = " after preprocessing" if described != Preprocessing() else ""
        self._described = _with_colors(described, spec) if source.kind == "images" else described

    def _prepared(self, array: Array, row: int) -> Array:
        self._check_numbers(array)
        if (rank := self._described.rank) is not None and array.ndim != rank + 1:
            wanted = "height, width, channels" if rank > 1 else "time"
            raise DatasetError(
                f"{self.where} has shape {self._shape(array)}; the project file describes samples"
                f" of shape ({wanted})"
            )
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is told
                return preprocess(self._described, array)
        except DatasetError as error:
            raise DatasetError(
                f"{self._source.name}: {self._source.sample(row)}: {error}"
            ) from error
        except MemoryError as error:
            raise DatasetError(
                f"{self.where}: there is too little memory for the preprocessing; describe smaller"
                " sizes in the project file"
            ) from error

    def _fitted(self, array: Array) -> Array:
        wanted = self._spec.shape
        if self._described.audio and array.shape[1:] == wanted[:-1] and wanted[-1] == 1:
            array = array[..., np.newaxis]
        if not fits(array.shape[1:], wanted):
            raise DatasetError(
                f"{self.where} has shape {self._shape(array)}{self._after}; the model's input"
                f" {self._spec.name!r} takes {self._spec}; {self._cure(array.shape[1:])}"
            )
        return self._cast(array)

    def _cure(self, shape: tuple[int, ...]) -> str:
        wanted, name = self._spec.shape, self._name
        if self._source.kind == "images" and len(wanted) == len(shape):
            return f"say {self._image_key(shape)} under [preprocessing] in the project file"
        if self._source.kind == "sounds":
            return f"say {self._audio_key(shape)} under [preprocessing] in the project file"
        if shape == wanted[:-1] and wanted[-1] == 1:
            return f"add the last axis with {name}[..., np.newaxis]"
        if wanted and shape == (wanted[-1], *wanted[:-1]):
            return f"move the channels last with np.moveaxis({name}, 1, -1)"
        return "give one sample in each row"

    def _image_key(self, shape: tuple[int, ...]) -> str:
        """Say which key of the project file gives images the input's shape."""
        wanted = self._spec.shape
        colors = _COLORS_OF_CHANNELS.get(wanted[-1] or 0)
        if colors and all(
            want in (None, got) for want, got in zip(wanted[:2], shape, strict=False)
        ):
            return f'colors = "{colors}"'
        return f"resize = {[side or 'any' for side in wanted[:2]]}"

    def _audio_key(self, shape: tuple[int, ...]) -> str:
        """Say which keys of the project file give sound the input's shape."""
        wanted, audio = self._spec.shape, self._described.audio
        if audio is None or audio.features is None or len(wanted) < len(shape):
            return "clip_samples and features"
        if wanted[0] in (None, shape[0]):
            bins = "coefficients" if audio.features == "mfcc" else "mel_bins"
            return f"{bins} = {wanted[1]}"
        return "clip_samples and frame_step"

    def _cast(self, array: Array) -> Array:
        wanted = np.dtype(self._spec.dtype)
        if wanted.kind in "iu" and self._described != Preprocessing():
            array = np.rint(array)
        refused = (
            f"{self.where} has dtype {array.dtype};"
            f" the model's input {self._spec.name!r} takes {wanted}"
        )
        if wanted.kind in "iu" and not self._fits(array, wanted):
            raise DatasetError(f"{refused}; give integers in its range")
        if wanted.kind == "f" and array.dtype == np.int8:
            raise DatasetError(
                f"{refused}, and int8 looks like quantized data; turn it back into real values"
                f" with ({self._name} - zero_point) * scale"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            cast = np.ascontiguousarray(array, dtype=wanted)
        if wanted.kind == "f" and not (np.isfinite(cast) | ~np.isfinite(array)).all():
            raise DatasetError(f"{refused}, which cannot hold the largest values; rescale them")
        return cast

    def _fits(self, array: Array, wanted: np.dtype[Any]) -> bool:
        if array.dtype.kind == "f" and self._described == Preprocessing():
            return False
        bounds = np.iinfo(wanted)
        return bool(array.min() >= bounds.min and array.max() <= bounds.max)


def _with_colors(described: Preprocessing, spec: TensorSpec) -> Preprocessing:
    """Add the colours that an input takes to a description that leaves them open."""
    image = described.image or Image()
    channels = spec.shape[-1] if spec.shape else None
    colors = image.colors or _COLORS_OF_CHANNELS.get(channels or 0)
    return replace(described, image=replace(image, colors=colors))


def _sized(shape: tuple[int, ...]) -> str:
    """Write the shape of a sample.

    >>> _sized((480, 640, 3)), _sized(())
    ('of shape (480, 640, 3)', 'one number')
    """
    return f"of shape {shape}" if shape else "one number"
