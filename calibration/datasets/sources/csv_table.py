"""CSV files with a header row, then a row of numbers for each sample."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.datasets.sources.source import (
    Context,
    Fields,
    SampleBlock,
    Survey,
    read_errors,
    rows_between,
)
from edgepack.core.errors import DatasetError
from edgepack.core.signature import TensorSpec
from edgepack.core.wording import counted

NOT_UTF_8 = "not UTF-8; save it with that encoding"

_BLOCK_CELLS = 1 << 16
_MAX_LISTED = 8


class CsvTable:
    """A source of numeric columns.

    The label column is the one named in the project file, or else one named after an output, or
    ``y``. All other columns, in order, are the values of the model's single input, reshaped to its
    shape if their number matches.
    """

    cure = "a CSV is one input: save an .npz with np.savez(file, {arguments})"
    total: int | None = None
    classes: tuple[str, ...] = ()
    kind = "numbers"

    def __init__(self, path: Path, context: Context) -> None:
        self.name = str(path)
        self._path = path
        self._input = context.signature.inputs[0]
        with read_errors(self.name):
            header = [name.strip() for name in next(self._rows(), [])]
        self._check(header, context.project_file.label)
        outputs = [output.name for output in context.signature.outputs]
        label = context.project_file.label
        names = [label] if label else [*outputs, "y"]
        self._label = next((header.index(name) for name in names if name in header), None)
        self._header = header
        if self._label is None and len(context.signature.inputs) == 1:
            self._check_width(context.signature.inputs[0])

    def _check(self, header: list[str], label: str | None) -> None:
        if not header or all(_is_number(name) for name in header):
            raise DatasetError(f"{self.name}: the first row must name the columns")
        if len(header) == 1 and any(sign in header[0] for sign in ";\t"):
            raise DatasetError(f"{self.name}: separate the columns by commas")
        if label is not None and label not in header:
            raise DatasetError(
                f"{self.name}: no column {label!r} for the labels; its columns are"
                f" {', '.join(header)}"
            )

    def _check_width(self, spec: TensorSpec) -> None:
        """Raise :class:`DatasetError` for one column too many, which most likely has the labels."""
        if None not in spec.shape and len(self._header) - 1 == _size(spec.shape):
            more = ", ..." if len(self._header) > _MAX_LISTED else ""
            raise DatasetError(
                f"{self.name}: has {len(self._header)} columns, but the model's input"
                f" {spec.name!r} takes {_size(spec.shape)}; name the label column with"
                ' label = "..." under [data] in a project file (--config); the columns are'
                f" {', '.join(self._header[:_MAX_LISTED])}{more}"
            )

    def names(self) -> Sequence[str]:  # noqa: D102 (of the protocol)
        return ("x",) if self._label is None else ("x", "y")

    def sample(self, row: int) -> str:  # noqa: D102
        return f"row {row + 1} after the header"

    def survey(self, fields: Fields) -> Survey:  # noqa: ARG002, D102
        with read_errors(self.name):
            if self._label is None:
                return Survey(count=sum(1 for _ in islice(self._rows(), 1, None)), labels=None)
            numbers = [self._numbers(part, start)[:, self._label] for start, part in self._parts()]
        labels = np.concatenate(numbers) if numbers else np.empty(0)
        return Survey(count=len(labels), labels=labels)

    def blocks(self, fields: Fields, chosen: NDArray[np.int64] | None) -> Iterator[SampleBlock]:  # noqa: D102
        inputs = [index for index in range(len(self._header)) if index != self._label]
        with read_errors(self.name):
            for start, part in self._parts():
                rows = rows_between(start, start + len(part), chosen)
                if not rows:
                    continue
                numbers = self._numbers(part, start)[np.subtract(rows, start)]
                block = SampleBlock(rows=rows, values={"x": self._samples(numbers[:, inputs])})
                if fields.labels and self._label is not None:
                    block.values["y"] = numbers[:, self._label]
                yield block

    def _samples(self, numbers: NDArray[Any]) -> NDArray[Any]:
        shape = self._input.shape
        if None not in shape and _size(shape) == numbers.shape[1]:
            numbers = numbers.reshape(-1, *(size or 0 for size in shape))
        is_whole = np.dtype(self._input.dtype).kind in "iu" and np.array_equal(
            numbers, np.trunc(numbers)
        )
        return numbers.astype(np.int64) if is_whole else numbers

    def _rows(self) -> Iterator[list[str]]:
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                yield from (row for row in csv.reader(file) if row)
        except UnicodeDecodeError as error:
            raise DatasetError(f"{self.name}: {NOT_UTF_8}") from error

    def _parts(self) -> Iterator[tuple[int, list[list[str]]]]:
        rows, start = islice(self._rows(), 1, None), 0
        count = max(1, _BLOCK_CELLS // len(self._header))
        while part := list(islice(rows, count)):
            for index, row in enumerate(part, start):
                if len(row) != len(self._header):
                    raise DatasetError(
                        f"{self.name}: {self.sample(index)} has"
                        f" {counted(len(row), 'column')}, but the header"
                        f" has {len(self._header)}"
                    )
            yield start, part
            start += len(part)

    def _numbers(self, part: list[list[str]], start: int) -> NDArray[np.float64]:
        try:
            return np.array(part, np.float64)
        except ValueError:
            pass
        row, column = next(
            (row, column)
            for row, cells in enumerate(part)
            for column, cell in enumerate(cells)
            if not _is_number(cell)
        )
        raise DatasetError(
            f"{self.name}: column {self._header[column]!r} is not a number in"
            f" {self.sample(start + row)}: {part[row][column]!r}; remove the column, or convert it"
            " to numbers"
        )


def _size(shape: tuple[int | None, ...]) -> int:
    return math.prod(size or 0 for size in shape)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
