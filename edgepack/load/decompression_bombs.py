"""What a file claims to hold, held against its size."""

from __future__ import annotations

from pathlib import Path

from edgepack.core.errors import ModelError

_MIB = 1 << 20
_MOST_TIMES = 100
"""Pruned weights are deflated to a tenth or so; the most that deflate does is 1032 times."""

_ALWAYS_BYTES = 16 * _MIB


def require_in_proportion(path: Path, claimed: int, size: int) -> None:
    """Raise :class:`ModelError` if a file of ``size`` bytes claims to hold far more."""
    most = max(_ALWAYS_BYTES, _MOST_TIMES * size)
    if claimed > most:
        raise ModelError(
            f"{path}: claims to hold {claimed / _MIB:,.0f} MiB in a file of"
            f" {size / _MIB:,.1f} MiB, which is more than {_MOST_TIMES} times its size; save the"
            " model again with Keras, which does not compress"
        )
