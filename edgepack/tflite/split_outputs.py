"""Rewrite a float .tflite file so that each part of a joined output is an output of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgepack.tflite.output_parts import output_layouts
from edgepack.tflite.output_pieces import OutputPiece, Region, whole
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.rewrite import Rewrite, dtype


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
    """Make what a CONCATENATION or PACK joins to an output of a float model outputs of their own.

    ``names`` are those of the outputs, in order. The parts of ``name`` are ``name_0``, ``name_1``
    and so on, in the order in which the output begins with them, and so are their tensors;
    underscores follow if the file has such a name already. What moves the output moves its parts.
    Outputs that are not joined stay, and so do those that cannot be split
    (:attr:`~edgepack.tflite.output_pieces.Pieces.obstacle`).
    Raises :class:`~edgepack.core.errors.ModelError` for a damaged file.
    """
    layouts = output_layouts(read_tflite(data).main)
    rewrite = Rewrite(data)
    taken = {*names, *(tensor.name.decode() for tensor in rewrite.graph.tensors)}
    tensors: list[int] = []
    outputs: list[OutputSlice] = []
    replaced: set[int] = set()
    added: list[Any] = []
    for source, (name, layout) in enumerate(zip(names, layouts, strict=True)):
        if layout.pieces.obstacle:
            tensors.append(rewrite.graph.outputs[source])
            outputs.append(OutputSlice(name=name, source=source, region=whole(layout.shape)))
            continue
        replaced.update(layout.pieces.operators)
        for number, piece in enumerate(layout.pieces.pieces):
            own = _unused(f"{name}_{number}", taken)
            part = OutputSlice(name=own, source=source, region=piece.region)
            move = _move(rewrite, piece, part)
            if move is None:
                rewrite.graph.tensors[piece.tensor].name = own.encode()
            else:
                added.append(move)
            tensors.append(move.outputs[0] if move else piece.tensor)
            outputs.append(part)
    if replaced:
        rewrite.set_outputs(tensors)
        operators = enumerate(rewrite.graph.operators)
        kept = [each for place, each in operators if place not in replaced]
        rewrite.graph.operators = kept + added
        rewrite.drop_unused()
    return SplitOutputs(
        tflite=rewrite.to_bytes() if replaced else data,
        outputs=tuple(outputs),
        obstacles={
            name: layout.pieces.obstacle
            for name, layout in zip(names, layouts, strict=True)
            if layout.pieces.obstacle
        },
    )


def _move(rewrite: Rewrite, piece: OutputPiece, part: OutputSlice) -> Any:
    """Return the operator that gives a piece the shape of its part; None if it has this shape."""
    shape = (1, *part.shape)
    tensor = rewrite.graph.tensors[piece.tensor]
    if piece.permutation is None and tuple(tensor.shape) == shape:
        return None
    output = rewrite.add_tensor(part.name, shape, dtype(tensor))
    name = "RESHAPE" if piece.permutation is None else "TRANSPOSE"
    how = np.array(piece.permutation or shape, np.int32)
    constant = rewrite.add_tensor(f"{part.name}/{name.lower()}", how.shape, "int32", values=how)
    move = rewrite.operator(name, 1, [piece.tensor, constant], [output])
    options = f"{name.capitalize()}Options"
    move.builtinOptionsType = getattr(schema.BuiltinOptions, options)
    move.builtinOptions = getattr(schema, f"{options}T")()
    return move


def _unused(name: str, taken: set[str]) -> str:
    """Return a name that is not taken, and take it."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name
