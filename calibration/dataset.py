"""Datasets: an .npz with inputs in ``x`` and optionally labels or values in ``y``."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.errors import DatasetError
from edgepack.types import TensorSpec

_NUMBER_KINDS = "fiu"


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Inputs ``x`` of shape (samples, ...) and ``y`` of shape (samples, ...), or no ``y``.

    ``source`` is the file, for messages.
    """

    source: Path
    x: NDArray[Any]
    y: NDArray[Any] | None

    def __len__(self) -> int:
        return len(self.x)

    def conform(self, spec: TensorSpec) -> Dataset:
        """Cast ``x`` to the model's input.

        Raises :class:`DatasetError` if the shape differs, or the input's dtype cannot hold the
        values (real numbers are rounded to it).
        """
        _check_shape(self, spec)
        return replace(self, x=_cast(self, spec))


def load_npz(path: Path) -> Dataset:
    """Read a dataset whole.

    Raises :class:`DatasetError` for a file that is missing, damaged or of another kind, for an
    ``x`` that is absent, empty, no array of numbers or not finite, and for a ``y`` of another
    length. Pickled objects are refused: unpickling runs code.
    """
    arrays = _read(path)
    if "x" not in arrays:
        held = ", ".join(sorted(arrays)) or "nothing"
        raise DatasetError(
            f"{path}: no array 'x'; it holds {held};"
            " save it with np.savez(file, x=inputs, y=labels)"
        )
    x, y = arrays["x"], arrays.get("y")
    for name, array in (("x", x), ("y", y)):
        if array is not None:
            _check_numbers(path, name, array)
    if y is not None and (y.ndim == 0 or len(y) != len(x)):
        held = "one value" if y.ndim == 0 else f"{len(y)} values"
        raise DatasetError(f"{path}: 'y' holds {held} for {len(x)} samples; give one for each")
    return Dataset(source=path, x=x, y=y)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise DatasetError(
                    f"{path}: not an .npz file, or a damaged one;"
                    " save it with np.savez(file, x=inputs, y=labels)"
                )
        with np.load(path, allow_pickle=False) as archive:
            return {name: np.asarray(archive[name]) for name in archive.files}
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


def _check_numbers(path: Path, name: str, array: NDArray[Any]) -> None:
    if array.dtype.kind not in _NUMBER_KINDS:
        raise DatasetError(
            f"{path}: {name!r} has dtype {array.dtype}; give numbers (float or integer)"
        )
    if name == "x" and array.ndim == 0:
        raise DatasetError(f"{path}: 'x' is a single number; give shape (samples, ...)")
    if array.size == 0:
        raise DatasetError(f"{path}: {name!r} is empty, shape {array.shape}; give some samples")
    finite = np.isfinite(array)
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise DatasetError(
            f"{path}: {name!r} is {array[where]} at {list(where)}, one of"
            f" {int((~finite).sum())} values that are not finite; remove or repair those samples"
        )


def _check_shape(dataset: Dataset, spec: TensorSpec) -> None:
    shape = dataset.x.shape[1:]
    wanted = spec.shape
    if len(shape) == len(wanted) and all(
        want in (None, got) for got, want in zip(shape, wanted, strict=True)
    ):
        return
    cure = "give one sample in each row"
    if shape == wanted[:-1] and wanted[-1] == 1:
        cure = "add the last axis with x[..., np.newaxis]"
    elif wanted and shape == (wanted[-1], *wanted[:-1]):
        cure = "move the channels last with np.moveaxis(x, 1, -1)"
    raise DatasetError(
        f"{dataset.source}: 'x' has shape {dataset.x.shape}; the model's input {spec.name!r}"
        f" takes {spec}; {cure}"
    )


def _cast(dataset: Dataset, spec: TensorSpec) -> NDArray[Any]:
    x, wanted = dataset.x, np.dtype(spec.dtype)
    refused = (
        f"{dataset.source}: 'x' has dtype {x.dtype}; the model's input {spec.name!r} takes {wanted}"
    )
    if wanted.kind in "iu" and (x.dtype.kind == "f" or not np.array_equal(x, x.astype(wanted))):
        raise DatasetError(f"{refused}; give integers in its range")
    if wanted.kind == "f" and x.dtype == np.int8:
        raise DatasetError(
            f"{refused}, and int8 looks like quantized data;"
            " turn it back into real values with (x - zero_point) * scale"
        )
    with np.errstate(over="ignore"):
        cast = np.ascontiguousarray(x, dtype=wanted)
    if not np.isfinite(cast).all():
        raise DatasetError(f"{refused}, which cannot hold the largest values; rescale them")
    return cast
