"""Write .tflite files that join two outputs into one, and move what they joined."""

from __future__ import annotations

import numpy as np
from tiny import Tiny, Value

from edgepack.tflite.output_parts import OutputLayout, output_layouts
from edgepack.tflite.parser import read_tflite

BOXES, SCORES = Value((1, 8, 4), "float32"), Value((1, 8, 3), "float32")

Move = tuple[str, tuple[int, ...], list[int]]
"""An operator behind the one that joins: its name, its constant, and the shape of its output."""


def moved(*moves: Move, operator: str = "CONCATENATION", axis: int = 2) -> bytes:
    """Write a model that joins boxes (8, 4) and scores (8, 3), and moves what it joined.

    PACK joins boxes and scores of (8, 4).
    """
    tiny = Tiny()
    x, kind = tiny.tensor("x", BOXES), BOXES if operator == "PACK" else SCORES
    narrow = tiny.tensor("narrow", kind)
    boxes, scores = tiny.tensor("m/a/Relu", BOXES), tiny.tensor("m/b/Sigmoid", kind)
    tiny.operator("RELU", [x], [boxes])
    tiny.operator("LOGISTIC", [x if kind is BOXES else narrow], [scores])
    shape = list(np.insert((1, 8, 4), axis, 2)) if operator == "PACK" else [1, 8, 7]
    y = tiny.tensor("m/join/concat", Value(shape))
    options = {"valuesCount": 2} if operator == "PACK" else {}
    table = "PackOptions" if operator == "PACK" else "ConcatenationOptions"
    tiny.operator(operator, [boxes, scores], [y], table=table, axis=axis, **options)
    for number, (name, constant, shape) in enumerate(moves):
        dtype = "float32" if name == "MUL" else "int32"
        how = tiny.tensor(f"how{number}", Value((len(constant),), dtype, values=list(constant)))
        before, y = y, tiny.tensor(f"moved{number}", Value(shape))
        tiny.operator(name, [before, how], [y])
    return tiny.to_bytes([x] if kind is BOXES else [x, narrow], [y])


TO_ROWS: Move = ("TRANSPOSE", (0, 2, 1), [1, 7, 8])
TO_GRID: Move = ("RESHAPE", (1, 2, 4, 7), [1, 2, 4, 7])
TO_FLAT: Move = ("RESHAPE", (1, 56), [1, 56])
REVERSED: Move = ("REVERSE_V2", (2,), [1, 8, 7])


def layout_in(model: bytes) -> OutputLayout:
    (layout,) = output_layouts(read_tflite(model).main)
    return layout
