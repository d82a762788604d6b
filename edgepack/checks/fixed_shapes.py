"""Check of shapes on microcontrollers, whose memory is planned once."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.checks.locations import Place, listed, places
from edgepack.core.findings import Finding
from edgepack.devices.target import Target
from edgepack.tflite.graph import Model, Tensor

_SHAPING = {
    **dict.fromkeys(("BROADCAST_TO", "EXPAND_DIMS", "PAD", "PADV2", "TRANSPOSE"), (1,)),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), (1,)),
    **dict.fromkeys(("FILL", "SPLIT"), (0,)),
    "SPLIT_V": (1, 2),
    "STRIDED_SLICE": (1, 2, 3),
}
"""By operator, the inputs that give its output its shape: TFLM refuses all but constants.

Run, each by itself. It takes others as the file says: RESHAPE, SLICE, MEAN, TRANSPOSE_CONV.
"""


def shapes_are_fixed(model: Model, target: Target) -> Iterator[Finding]:
    """On microcontrollers every shape is known before the model runs, but for a batch of 1."""
    for tensor in model.main.input_tensors:
        if places_open := _open(tensor):
            yield Finding(
                message=f"the input {tensor.name} leaves {places_open} open, which the interpreter"
                f" takes for 1, as in the file's {list(tensor.shape)}",
                cure="convert the model with a fixed input shape",
                layer=tensor.name,
            )
    computed: dict[str, list[Place]] = {}
    for place in places(model):
        shaping = (place.use.input(i) for i in _SHAPING.get(place.operator, ()))
        if any(tensor and not tensor.is_constant for tensor in shaping):
            computed.setdefault(place.operator, []).append(place)
    for name, where in computed.items():
        yield Finding(
            message=f"the shape that {name} gives is computed while the model runs",
            cure="convert the model with a fixed batch of 1, as edgepack export does",
            operator=name,
            layer=listed(place.layer for place in where),
        )


def _open(tensor: Tensor) -> str:
    """Name the dimensions that are open, not the batch if the file has it as 1."""
    found = [
        str(place)
        for place, (size, signed) in enumerate(zip(tensor.shape, tensor.signature, strict=False))
        if signed < 0 and (place > 0 or size != 1)
    ]
    kind = "dimension" if len(found) == 1 else "dimensions"
    return f"{kind} {' and '.join(found)}" if found else ""
