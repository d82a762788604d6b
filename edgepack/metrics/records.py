"""Arrays joined as the fields of records, one record per sample, read by blocks of samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgepack.metrics.metric import Array
from edgepack.storage.arrays import read_slice


def record_array(fields: Mapping[str, Array]) -> Array:
    """Copy arrays (samples, ...) into one structured array of records (samples,).

    >>> record_array({"label": np.array([0, 1]), "values": np.eye(2)})["values"][1]
    array([0., 1.])
    """
    length = len(next(iter(fields.values())))
    records = np.empty(
        length, [(name, array.dtype, array.shape[1:]) for name, array in fields.items()]
    )
    for name, array in fields.items():
        records[name] = array
    return records


class RecordArray:
    """Arrays (samples, ...) by field name; only the samples of a slice are copied."""

    def __init__(self, fields: Mapping[str, Array]) -> None:
        self.fields = dict(fields)

    def __len__(self) -> int:
        return len(next(iter(self.fields.values())))

    def __getitem__(self, rows: slice) -> Array:
        """Return the records of some samples, a structured array (samples,)."""
        return record_array({name: read_slice(array, rows) for name, array in self.fields.items()})
