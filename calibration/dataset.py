"""Datasets: an .npz with an array for each of a model's inputs, and labels or values."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.arrays import Arrays
from edgepack.errors import DatasetError
from edgepack.types import Signature, TensorSpec

_NUMBER_KINDS = "fiu"


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Samples of a model: arrays of shape (samples, ...), cast to what its inputs take.

    ``inputs`` has an array for each input of the model, ``labels`` one for each output whose
    labels or values are known. ``source`` is the file, for messages.
    """

    source: Path
    inputs: Arrays
    labels: Arrays

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))


@dataclass(frozen=True, kw_only=True, eq=False)
class Archive:
    """The arrays of an .npz as they are. ``source`` is the file, for messages."""

    source: Path
    arrays: Arrays

    def dataset(self, signature: Signature) -> Dataset:
        """Find the arrays of a model's inputs and outputs, and cast them to the inputs.

        An array bears the name of its input or output; that of a lone input may be called ``x``,
        that of a lone output ``y``. Raises :class:`DatasetError` for an input whose array is
        absent, empty, no array of numbers, not finite or of another shape, or holds values that
        the input's dtype cannot hold (real numbers are rounded to it); and for arrays of
        different lengths.
        """
        inputs: Arrays = {}
        for spec in signature.inputs:
            name = self._name_of_input(spec, signature)
            array = self.arrays[name]
            _check_numbers(self.source, name, array)
            _check_shape(self.source, name, array, spec)
            inputs[spec.name] = _cast(self.source, name, array, spec)
        labels: Arrays = {}
        for output in signature.outputs:
            if (known := self._name_of_labels(output, inputs, signature)) is not None:
                _check_numbers(self.source, known, self.arrays[known])
                labels[output.name] = self.arrays[known]
        dataset = Dataset(source=self.source, inputs=inputs, labels=labels)
        for name, array in inputs.items():
            if len(array) != len(dataset):
                raise DatasetError(
                    f"{self.source}: {name!r} holds {len(array)} samples,"
                    f" {next(iter(inputs))!r} {len(dataset)}; give the same samples in all"
                )
        for name, array in labels.items():
            if array.ndim == 0 or len(array) != len(dataset):
                held = "one value" if array.ndim == 0 else f"{len(array)} values"
                named = name if name in self.arrays else "y"
                raise DatasetError(
                    f"{self.source}: {named!r} holds {held} for {len(dataset)} samples;"
                    " give one for each"
                )
        return dataset

    def _name_of_input(self, spec: TensorSpec, signature: Signature) -> str:
        if spec.name in self.arrays:
            return spec.name
        if len(signature.inputs) == 1:
            name, example = "x", "x=inputs, y=labels"
        else:
            name = spec.name
            example = ", ".join(f"{each.name}=..." for each in signature.inputs)
        if name not in self.arrays:
            held = ", ".join(sorted(self.arrays)) or "nothing"
            raise DatasetError(
                f"{self.source}: no array {name!r}; it holds {held};"
                f" save it with np.savez(file, {example})"
            )
        return name

    def _name_of_labels(
        self, output: TensorSpec, inputs: Arrays, signature: Signature
    ) -> str | None:
        if output.name in self.arrays and output.name not in inputs:
            return output.name
        if "y" not in self.arrays or "y" in inputs:
            return None
        if len(signature.outputs) > 1:
            names = ", ".join(each.name for each in signature.outputs)
            raise DatasetError(
                f"{self.source}: 'y' does not say of which output; the model's outputs are {names}:"
                " name the arrays after them"
            )
        return "y"


def load_npz(path: Path) -> Archive:
    """Read an .npz whole.

    Raises :class:`DatasetError` for a file that is missing, damaged or of another kind. Pickled
    objects are refused: unpickling runs code.
    """
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise DatasetError(
                    f"{path}: not an .npz file, or a damaged one;"
                    " save it with np.savez(file, x=inputs, y=labels)"
                )
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: np.asarray(archive[name]) for name in archive.files}
    except DatasetError:
        raise
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such dataset; check the path") from None
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:
        # A damaged file can break zipfile, zlib and numpy's parser in ways without a number.
        if "pickle" in str(error):
            raise DatasetError(
                f"{path}: holds pickled objects, which could run code on loading;"
                " save plain arrays of numbers, all samples of one shape"
            ) from error
        raise DatasetError(f"{path}: damaged: {error or type(error).__name__}") from error
    return Archive(source=path, arrays=arrays)


def _check_numbers(source: Path, name: str, array: NDArray[Any]) -> None:
    if array.dtype.kind not in _NUMBER_KINDS:
        raise DatasetError(
            f"{source}: {name!r} has dtype {array.dtype}; give numbers (float or integer)"
        )
    if array.size == 0:
        raise DatasetError(f"{source}: {name!r} is empty, shape {array.shape}; give some samples")
    finite = np.isfinite(array)
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise DatasetError(
            f"{source}: {name!r} is {array[where]} at {list(where)}, one of"
            f" {int((~finite).sum())} values that are not finite; remove or repair those samples"
        )


def _check_shape(source: Path, name: str, array: NDArray[Any], spec: TensorSpec) -> None:
    if array.ndim == 0:
        raise DatasetError(f"{source}: {name!r} is a single number; give shape {spec}")
    shape = array.shape[1:]
    wanted = spec.shape
    if len(shape) == len(wanted) and all(
        want in (None, got) for got, want in zip(shape, wanted, strict=True)
    ):
        return
    cure = "give one sample in each row"
    if shape == wanted[:-1] and wanted[-1] == 1:
        cure = f"add the last axis with {name}[..., np.newaxis]"
    elif wanted and shape == (wanted[-1], *wanted[:-1]):
        cure = f"move the channels last with np.moveaxis({name}, 1, -1)"
    raise DatasetError(
        f"{source}: {name!r} has shape {array.shape}; the model's input {spec.name!r}"
        f" takes {spec}; {cure}"
    )


def _cast(source: Path, name: str, array: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    wanted = np.dtype(spec.dtype)
    refused = (
        f"{source}: {name!r} has dtype {array.dtype};"
        f" the model's input {spec.name!r} takes {wanted}"
    )
    if wanted.kind in "iu" and (
        array.dtype.kind == "f" or not np.array_equal(array, array.astype(wanted))
    ):
        raise DatasetError(f"{refused}; give integers in its range")
    if wanted.kind == "f" and array.dtype == np.int8:
        raise DatasetError(
            f"{refused}, and int8 looks like quantized data;"
            f" turn it back into real values with ({name} - zero_point) * scale"
        )
    with np.errstate(over="ignore"):
        cast = np.ascontiguousarray(array, dtype=wanted)
    if not np.isfinite(cast).all():
        raise DatasetError(f"{refused}, which cannot hold the largest values; rescale them")
    return cast
