"""Labels of a whole output, for a model whose outputs are the parts of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from edgepack.core.errors import DatasetError
from edgepack.core.signature import Signature, TensorSpec
from edgepack.core.split_names import joined_along, outputs_in_parts


@dataclass(frozen=True, kw_only=True)
class LabelPart:
    """The labels of one part: from ``first`` up to ``end`` along an ``axis`` of a sample."""

    axis: int
    first: int
    end: int

    @property
    def index(self) -> tuple[slice, ...]:
        """What selects the part in an array (samples, ...)."""
        return (*[slice(None)] * (self.axis + 1), slice(self.first, self.end))


def split_labels(
    source: str,
    fields: Mapping[str, str],
    shapes: Mapping[str, tuple[int, ...]],
    signature: Signature,
) -> dict[str, LabelPart]:
    """Say which part of an array belongs to each of the outputs that share it.

    ``fields`` are the names of the arrays by output, and ``shapes`` those of their samples. Raises
    :class:`DatasetError` for an array that is not what the outputs join to.
    """
    parts: dict[str, LabelPart] = {}
    for sharing in outputs_in_parts(signature.outputs).values():
        field = fields.get(sharing[0].name)
        if field is None or any(fields.get(each.name) != field for each in sharing):
            continue
        shape = shapes[field]
        axis = joined_along(sharing, shape)
        if axis is None:
            raise DatasetError(_refusal(source, field, shape, sharing))
        first = 0
        for each in sharing:
            end = first + (each.shape[axis] or 0)
            parts[each.name] = LabelPart(axis=axis, first=first, end=end)
            first = end
    return parts


def split_notes(
    source: str, fields: Mapping[str, str], parts: Mapping[str, LabelPart]
) -> Iterator[str]:
    """Yield how each array that several outputs share is split."""
    for field in dict.fromkeys(fields[name] for name in parts):
        sharing = {name: part for name, part in parts.items() if fields[name] == field}
        axis = next(iter(sharing.values())).axis + 1
        places = ", ".join(f"{_span(part)} to {name}" for name, part in sharing.items())
        yield (
            f"{source}: {field!r} has the shape that the model's outputs join to, and is split like"
            f" them along its axis {axis}: {places}"
        )


def _span(part: LabelPart) -> str:
    last = part.end - 1
    return str(part.first) if part.first == last else f"{part.first} to {last}"


def _refusal(source: str, field: str, shape: tuple[int, ...], parts: Sequence[TensorSpec]) -> str:
    outputs = " and ".join(f"{each.name} of {list(each.shape)}" for each in parts)
    arguments = ", ".join(f"{each.name}=..." for each in parts)
    return (
        f"{source}: {field!r} has shape {list(shape)} for each sample, but the model's outputs are"
        f" the parts of one, {outputs}, and do not join to that: save labels of the shape of each"
        f" part ({arguments}), or leave them out"
    )
