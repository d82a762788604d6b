"""TFRecord files of ``tf.train.Example``, read with TensorFlow."""

from __future__ import annotations

import gzip
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.datasets.sources.images import decode_bytes, is_image
from edgepack.calibration.datasets.sources.source import (
    MAX_ROW_BYTES,
    Context,
    Fields,
    SampleBlock,
    Survey,
    read_errors,
)
from edgepack.core.errors import DatasetError
from edgepack.core.signature import TensorSpec

_GZIP = b"\x1f\x8b"
_HEADER_BYTES = 12  # the length of the data and its checksum
_FOOTER_BYTES = 4  # the checksum of the data
_BLOCK_RECORDS = 16


class TfRecords:
    """A source of features named after the inputs and outputs, or ``x`` and ``y``.

    The project file may name the label feature. Lists of numbers are reshaped to the input's
    shape; bytes are an encoded image, or the input's values as uint8. Raises
    :class:`DatasetError` for a file without records or with a truncated one, and for a missing
    label feature.
    """

    cure = "write a feature for each input: {arguments}"
    total: int | None = None
    classes: tuple[str, ...] = ()

    def __init__(self, path: Path, context: Context) -> None:
        self.name = str(path)
        self._path = path
        label = context.project_file.label
        self._specs = {spec.name: spec for spec in context.signature.inputs}
        if len(self._specs) == 1:
            self._specs["x"] = context.signature.inputs[0]
        _require_whole(path)
        first = next(self._features(), None)
        if first is None:
            raise DatasetError(f"{path}: contains no records; provide at least one sample")
        if label is not None and label not in first:
            raise DatasetError(
                f"{path}: no feature {label!r} for the labels; its features are"
                f" {', '.join(sorted(first))}"
            )
        self._names = sorted(first)
        encoded = (_bytes(first[name]) for name in self._specs if name in first)
        self.kind = "images" if any(is_image(data) for data in encoded) else "numbers"

    def names(self) -> Sequence[str]:  # noqa: D102 (of the protocol)
        return self._names

    def sample(self, row: int) -> str:  # noqa: D102
        return f"record {row}"

    def survey(self, fields: Fields) -> Survey:  # noqa: D102
        name = next(iter(fields.labels.values()), None)
        labels = [
            self._value(name, features, row) if name else np.empty(0)
            for row, features in enumerate(self._features())
        ]
        are_numbers = name is not None and all(label.size == 1 for label in labels)
        return Survey(
            count=len(labels),
            labels=np.array([label.item() for label in labels]) if are_numbers else None,
        )

    def blocks(self, fields: Fields, chosen: NDArray[np.int64] | None) -> Iterator[SampleBlock]:  # noqa: D102
        chosen_rows = None if chosen is None else set(chosen.tolist())
        rows: list[int] = []
        values: dict[str, list[NDArray[Any]]] = {name: [] for name in fields.names}
        for row, features in enumerate(self._features()):
            if chosen_rows is not None and row not in chosen_rows:
                continue
            rows.append(row)
            for name, samples in values.items():
                samples.append(self._value(name, features, row))
            if len(rows) == _BLOCK_RECORDS:
                yield SampleBlock(rows=rows, values=dict(values))
                rows, values = [], {name: [] for name in fields.names}
        if rows:
            yield SampleBlock(rows=rows, values=dict(values))

    def _features(self) -> Iterator[Any]:
        import tensorflow as tf

        with self._path.open("rb") as file:
            compression = "GZIP" if file.read(len(_GZIP)) == _GZIP else ""
        with read_errors(self.name):
            try:
                for record in tf.data.TFRecordDataset(str(self._path), compression):
                    yield tf.train.Example.FromString(record.numpy()).features.feature
            except tf.errors.DataLossError as error:
                raise _damaged(self.name) from error

    def _value(self, name: str, features: Any, row: int) -> NDArray[Any]:
        kind = features[name].WhichOneof("kind") if name in features else None
        if kind is None:
            raise DatasetError(
                f"{self.name}: {self.sample(row)} has no feature {name!r}, unlike other records"
            )
        spec = self._specs.get(name)
        if kind != "bytes_list":
            numbers = getattr(features[name], kind).value
            dtype = np.int64 if kind == "int64_list" else np.float32
            return _shaped(np.array(numbers, dtype), spec)
        data = _bytes(features[name])
        if is_image(data):
            with read_errors(f"{self.name}: {self.sample(row)}"):
                return decode_bytes(data)
        return _shaped(np.frombuffer(data, np.uint8), spec)


def _damaged(name: str) -> DatasetError:
    return DatasetError(f"{name}: damaged: a record is truncated or corrupt; write the file again")


def _require_whole(path: Path) -> None:
    """Raise :class:`DatasetError` for a truncated record header or a too large record.

    TensorFlow silently ignores a header that is truncated at the end of the file.
    """
    with path.open("rb") as raw:
        is_compressed = raw.read(len(_GZIP)) == _GZIP
    with read_errors(str(path)), gzip.open(path) if is_compressed else path.open("rb") as file:
        try:
            while header := file.read(_HEADER_BYTES):
                if len(header) < _HEADER_BYTES:
                    raise _damaged(str(path))
                length = int.from_bytes(header[:8], "little")
                if length > MAX_ROW_BYTES:
                    raise DatasetError(
                        f"{path}: a record takes {length >> 20:,} MiB, more than"
                        f" {MAX_ROW_BYTES >> 20} MiB; write one sample per record"
                    )
                file.seek(length + _FOOTER_BYTES, os.SEEK_CUR)
        except (EOFError, OverflowError) as error:
            raise _damaged(str(path)) from error


def _bytes(feature: Any) -> bytes:
    values = feature.bytes_list.value
    return values[0] if len(values) == 1 else b""


def _shaped(values: NDArray[Any], spec: TensorSpec | None) -> NDArray[Any]:
    """Reshape a flat list to an input's shape if it fits; a label of one number to a scalar."""
    if spec is None:
        return values.reshape(()) if values.size == 1 else values
    sizes = [size or 0 for size in spec.shape]
    return values.reshape(sizes) if math.prod(sizes) == values.size else values


def is_tfrecord(path: Path) -> bool:
    """Whether a file, gzip-compressed or not, begins with a record's length and its checksum."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
        if header.startswith(_GZIP):
            with gzip.open(path) as file:
                header = file.read(_HEADER_BYTES)
    except (OSError, EOFError, ValueError):
        return False
    crc = _crc32c(header[:8])
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return len(header) == _HEADER_BYTES and header[8:] == masked.to_bytes(4, "little")


def _crc32c(data: bytes) -> int:
    """Compute the CRC-32C (Castagnoli) checksum.

    >>> hex(_crc32c(b"123456789"))
    '0xe3069283'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
