"""The outputs that are the parts of one: ``--split-outputs`` numbers them after it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgepack.core.signature import TensorSpec

_PART = re.compile(r"(?P<whole>.+)_(?P<number>\d+)_*")


def outputs_in_parts(outputs: Sequence[TensorSpec]) -> dict[str, tuple[TensorSpec, ...]]:
    """Return the outputs ``NAME_0``, ``NAME_1`` and so on, in this order, by ``NAME``.

    >>> specs = [TensorSpec(name=name, shape=(2,), dtype="float32") for name in ("b", "a_1", "a_0")]
    >>> [part.name for part in outputs_in_parts(specs)["a"]]
    ['a_0', 'a_1']
    """
    found: dict[str, dict[int, TensorSpec]] = {}
    for each in outputs:
        if match := _PART.fullmatch(each.name):
            found.setdefault(match["whole"], {})[int(match["number"])] = each
    return {
        whole: tuple(parts[number] for number in sorted(parts))
        for whole, parts in found.items()
        if len(parts) > 1 and sorted(parts) == list(range(len(parts)))
    }


def joined_along(parts: Sequence[TensorSpec], shape: Sequence[int | None]) -> int | None:
    """Return the axis along which parts have to be joined to get a shape of a sample; or None.

    >>> parts = [TensorSpec(name="", shape=(8, width), dtype="float32") for width in (4, 1)]
    >>> joined_along(parts, (8, 5)), joined_along(parts, (16, 5)), joined_along(parts, (5, 8))
    (1, None, None)
    """
    for axis, size in enumerate(shape):
        sizes = [part.shape[axis] if len(part.shape) == len(shape) else None for part in parts]
        others = {part.shape[:axis] + part.shape[axis + 1 :] for part in parts}
        if (
            None not in (size, *sizes)
            and sum(filter(None, sizes)) == size
            and others == {(*shape[:axis], *shape[axis + 1 :])}
        ):
            return axis
    return None
