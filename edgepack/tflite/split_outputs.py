"""Rewrite a float .tflite file so that each part of a joined output is an output of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgepack.tflite.output_parts import Region, output_layouts, whole
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.rewrite import Rewrite


@dataclass(frozen=True, kw_only=True)
class OutputSlice:
    """An output of a model whose outputs were split.

    ``region`` is the part of the output of index ``source`` in the model before that it holds.
    """

    name: str
    source: int
    region: Region

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return tuple(end - first for first, end in self.region)

    @property
    def index(self) -> tuple[slice, ...]:
        """What selects the region in an array (samples, ...)."""
        return (slice(None), *(slice(first, end) for first, end in self.region))


@dataclass(frozen=True, kw_only=True)
class SplitOutputs:
    """A model with split outputs: the file, and the outputs that it has, in order.

    ``obstacles`` are the reasons, by name, why outputs were not split.
    """

    tflite: bytes
    outputs: tuple[OutputSlice, ...]
    obstacles: dict[str, str]


def split_outputs(data: bytes, names: Sequence[str]) -> SplitOutputs:
    """Make the inputs of each CONCATENATION that writes an output of a float model its outputs.

    ``names`` are those of the outputs, in order. The parts of ``name`` are ``name_0``, ``name_1``
    and so on, in the order of the CONCATENATION, and so are their tensors; underscores follow if
    the file has such a name already. Outputs that no CONCATENATION writes stay, and so
    do those that cannot be split (:attr:`~edgepack.tflite.output_parts.OutputLayout.obstacle`).
    Raises :class:`~edgepack.core.errors.ModelError` for a damaged file.
    """
    layouts = output_layouts(read_tflite(data).main)
    rewrite = Rewrite(data)
    taken = {*names, *(tensor.name.decode() for tensor in rewrite.graph.tensors)}
    tensors: list[int] = []
    outputs: list[OutputSlice] = []
    joins: set[int] = set()
    for source, (name, layout) in enumerate(zip(names, layouts, strict=True)):
        if layout.obstacle:
            tensors.append(rewrite.graph.outputs[source])
            outputs.append(OutputSlice(name=name, source=source, region=whole(layout.shape)))
            continue
        joins.update(layout.joins)
        for number, part in enumerate(layout.parts):
            own = _unused(f"{name}_{number}", taken)
            rewrite.graph.tensors[part.tensor].name = own.encode()
            tensors.append(part.tensor)
            outputs.append(OutputSlice(name=own, source=source, region=part.region))
    if joins:
        rewrite.set_outputs(tensors)
        operators = enumerate(rewrite.graph.operators)
        rewrite.graph.operators = [each for place, each in operators if place not in joins]
        rewrite.drop_unused()
    return SplitOutputs(
        tflite=rewrite.to_bytes() if joins else data,
        outputs=tuple(outputs),
        obstacles={
            name: layout.obstacle
            for name, layout in zip(names, layouts, strict=True)
            if layout.obstacle
        },
    )


def _unused(name: str, taken: set[str]) -> str:
    """Return a name that is not taken, and take it."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name
