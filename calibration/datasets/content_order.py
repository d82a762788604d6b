"""An order of samples that depends on their content and a seed, not on the order they came in.

So no figure of a calibration depends on whether a dataset is sorted by class, or shuffled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edgepack.storage.arrays import Arrays, blocks

_ORDER_BYTES = 8


def sample_digests(inputs: Arrays, *, size: int, key: bytes = b"") -> Iterator[bytes]:
    """Yield a hash of each sample, over all its inputs, of ``size`` bytes."""
    for _, read in blocks(*inputs.values()):
        for sample in zip(*read, strict=True):
            digest = hashlib.blake2b(digest_size=size, key=key)
            for row in sample:
                digest.update(row.tobytes())
            yield digest.digest()


def content_order(inputs: Arrays, seed: int) -> NDArray[np.int64]:
    """Return the rows of all samples, (samples,), in a random order that their content decides.

    >>> x = np.arange(6.0)
    >>> shuffled = x[[3, 0, 5, 1, 4, 2]]
    >>> bool((x[content_order({"x": x}, 1)] == shuffled[content_order({"x": shuffled}, 1)]).all())
    True
    """
    digests = sample_digests(inputs, size=_ORDER_BYTES, key=str(seed).encode())
    numbers = np.fromiter((int.from_bytes(each, "big") for each in digests), np.uint64)
    return np.argsort(numbers, kind="stable").astype(np.int64)
