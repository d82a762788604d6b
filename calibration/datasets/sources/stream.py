"""Samples from Python objects: arrays, iterables, a Keras Sequence, a tf.data.Dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.datasets.sources.columns import Columns, InMemoryArray
from edgepack.calibration.datasets.sources.source import Context, Fields, SampleBlock
from edgepack.core.errors import DatasetError
from edgepack.core.signature import Signature
from edgepack.core.user_code import user_code_errors

_CURE = "provide an array for each input: dict({arguments})"
_LABELLED_LENGTHS = (2, 3)  # (x, y) and (x, y, weights)


def open_object(value: Any, name: str, context: Context) -> Columns | Stream:
    """Open an array, a dict of arrays or (x, y) as columns, everything else as a stream.

    Raises :class:`DatasetError` for an object of another type, and for a stream without samples.
    """
    if hasattr(value, "__array__") or isinstance(value, (Mapping, tuple)):
        with user_code_errors(name, DatasetError):
            arrays = _name_arrays(value, name, context.signature)
        return Columns(name, {key: _opener(array) for key, array in arrays.items()}, _CURE)
    return Stream(value, name, context)


class Stream:
    """A source of elements that are samples or batches, depending on their number of dimensions.

    An element is x, (x, y) or (x, y, weights), as in Keras; weights are ignored. x and y are
    arrays, dicts of arrays by the names of the model's inputs and outputs, or lists of arrays in
    the model's order (as in a representative dataset of ``TFLiteConverter``). If a number of
    samples is requested, the first ones are read, because a stream may be endless.

    Raises :class:`DatasetError` for a stream that ends before the requested number of samples,
    and for an endless tf.data.Dataset of which all samples are requested.
    """

    cure = _CURE
    total: int | None = None
    classes: tuple[str, ...] = ()
    kind = "numbers"

    def __init__(self, value: Any, name: str, context: Context) -> None:
        self.name = name
        self._signature = context.signature
        self._requested = context.samples
        preprocessing = context.project_file.described(context.signature)
        self._ranks = {
            spec.name: preprocessing[spec.name].rank or len(spec.shape)
            for spec in context.signature.inputs
        }
        if self._requested is None and _is_endless(value):
            raise DatasetError(f"{name}: is endless; set the number of samples with --samples")
        self._elements = self._named_elements(value)
        first = next(self._elements, None)
        if first is None:
            raise DatasetError(f"{name}: yields no samples")
        self._names = tuple(first)
        self._elements = chain([first], self._elements)

    def names(self) -> Sequence[str]:  # noqa: D102 (of the protocol)
        return self._names

    def sample(self, row: int) -> str:  # noqa: D102
        return f"sample {row}"

    def survey(self, fields: Fields) -> None:  # noqa: ARG002, D102
        return None

    def blocks(self, fields: Fields, chosen: NDArray[np.int64] | None) -> Iterator[SampleBlock]:  # noqa: ARG002, D102
        row = 0
        for arrays in self._elements:
            values = self._batch(arrays, fields, row)
            count = len(next(iter(values.values())))
            if self._requested is not None and row + count >= self._requested:
                remaining = self._requested - row
                last = {name: array[:remaining] for name, array in values.items()}
                yield SampleBlock(rows=range(row, self._requested), values=dict(last))
                return
            if count:
                yield SampleBlock(rows=range(row, row + count), values=dict(values))
            row += count
        if self._requested is not None:
            raise DatasetError(
                f"{self.name}: ends after {row} samples, but {self._requested} were requested;"
                " provide more, or reduce --samples"
            )

    def _batch(
        self, arrays: dict[str, NDArray[Any]], fields: Fields, row: int
    ) -> dict[str, NDArray[Any]]:
        """Return an element as a batch; a single sample becomes a batch of one."""
        for name in fields.names:
            if name not in arrays:
                raise DatasetError(
                    f"{self.name}: {self.sample(row)} has no {name!r}, unlike the first sample"
                )
        spec, first = next(iter(fields.inputs.items()))
        values = {name: arrays[name] for name in fields.names}
        if values[first].ndim <= self._ranks[spec]:
            return {name: array[np.newaxis] for name, array in values.items()}
        for name, array in values.items():
            if array.shape[:1] != values[first].shape[:1]:
                raise DatasetError(
                    f"{self.name}: the batch that starts at {self.sample(row)} has"
                    f" {len(values[first])} rows of {first!r}, but {name!r} has shape"
                    f" {array.shape}"
                )
        return values

    def _named_elements(self, value: Any) -> Iterator[dict[str, NDArray[Any]]]:
        with user_code_errors(self.name, DatasetError):
            for element in _elements(value, self.name):
                yield _name_arrays(element, self.name, self._signature)


def _is_endless(value: Any) -> bool:
    cardinality = getattr(value, "cardinality", None)  # of tf.data: -1 is INFINITE_CARDINALITY
    return callable(cardinality) and int(cardinality()) == -1


def _opener(array: NDArray[Any]) -> Any:
    return lambda: InMemoryArray(array)


def _elements(value: Any, name: str) -> Iterator[Any]:
    """Iterate over an iterable, or over the batches of a Keras Sequence, which has a length."""
    if hasattr(value, "__getitem__") and hasattr(value, "__len__"):
        return (value[index] for index in range(len(value)))
    if hasattr(value, "__iter__") and not isinstance(value, (str, bytes)):
        return iter(value)
    raise DatasetError(
        f"{name}: data of type {type(value).__name__} are not supported; provide arrays, a dict of"
        " arrays, (x, y), a generator, a Keras Sequence or a tf.data.Dataset"
    )


def _name_arrays(element: Any, name: str, signature: Signature) -> dict[str, NDArray[Any]]:
    """Return the arrays of x, (x, y) or (x, y, weights) by name, without the weights."""
    x, y = element, None
    if isinstance(element, tuple):
        if len(element) not in (1, *_LABELLED_LENGTHS):
            raise DatasetError(
                f"{name}: yields a tuple of {len(element)} elements; provide x or (x, y)"
            )
        x, y = element[0], element[1] if len(element) in _LABELLED_LENGTHS else None
    values = _by_name(x, [spec.name for spec in signature.inputs], "x")
    if y is not None:
        values |= _by_name(y, [spec.name for spec in signature.outputs], "y")
    return {key: _array(value, name) for key, value in values.items()}


def _by_name(value: Any, names: list[str], default: str) -> dict[str, Any]:
    """Return values by name; a list is in the order of ``names``, a single one the default."""
    if isinstance(value, Mapping):
        return {str(name): array for name, array in value.items()}
    are_arrays = isinstance(value, (list, tuple)) and all(
        hasattr(each, "__array__") and np.ndim(each) for each in value
    )
    if are_arrays and len(value) == len(names):
        return dict(zip(names if len(names) > 1 else [default], value, strict=True))
    return {default: value}


def _array(value: Any, name: str) -> NDArray[Any]:
    """Return a value as an array; raises :class:`DatasetError` if values in it are masked."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    if any(map(np.ma.is_masked, parts)):
        raise DatasetError(
            f"{name}: has masked values, which a model would compute with; leave their samples"
            " out, or replace them by others with array.filled(value)"
        )
    return np.asarray(value)
