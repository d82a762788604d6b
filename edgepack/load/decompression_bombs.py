"""Check that what a file claims to hold is plausible for its size."""

from __future__ import annotations

from pathlib import Path

from edgepack.core.errors import ModelError

_MIB = 1 << 20
_MAX_RATIO = 100
"""Deflate compresses pruned weights about tenfold; its maximum is 1032."""

_ALWAYS_ALLOWED_BYTES = 16 * _MIB


def require_plausible_size(path: Path, claimed: int, size: int) -> None:
    """Raise :class:`ModelError` if a file of ``size`` bytes claims to hold far more bytes.

    The limit for ``claimed`` is 16 MiB or 100 times ``size``, whichever is greater.
    """
    if claimed > max(_ALWAYS_ALLOWED_BYTES, _MAX_RATIO * size):
        raise ModelError(
            f"{path}: claims to hold {claimed / _MIB:,.0f} MiB in a file of"
            f" {size / _MIB:,.1f} MiB, which is more than {_MAX_RATIO} times its size; save the"
            " model again with Keras, which does not compress"
        )
