"""Check that shapes are fixed on microcontrollers, where memory is planned once."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.checks.locations import Place, listed, places
from edgepack.core.findings import Finding
from edgepack.devices.target import Target
from edgepack.tflite.graph import Model, Tensor

_SHAPE_INPUTS = {
    **dict.fromkeys(("BROADCAST_TO", "EXPAND_DIMS", "PAD", "PADV2", "TRANSPOSE"), (1,)),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), (1,)),
    **dict.fromkeys(("FILL", "SPLIT"), (0,)),
    "SPLIT_V": (1, 2),
    "STRIDED_SLICE": (1, 2, 3),
}
"""By operator, the inputs that determine the shape of its output; TFLM requires constants.

Measured, one operator at a time. For other operators TFLM uses the shape in the file: RESHAPE,
SLICE, MEAN, TRANSPOSE_CONV.
"""


def shapes_are_fixed(model: Model, target: Target) -> Iterator[Finding]:
    """On microcontrollers every shape is known before the model runs, except a batch of 1."""
    for tensor in model.main.input_tensors:
        if dynamic := _dynamic_dimensions(tensor):
            yield Finding(
                message=f"the input {tensor.name} has dynamic sizes in {dynamic}, which the"
                f" interpreter treats as 1, as in the file's {list(tensor.shape)}",
                cure="convert the model with a fixed input shape",
                layer=tensor.name,
            )
    computed: dict[str, list[Place]] = {}
    for place in places(model):
        shape_inputs = (place.call.input(i) for i in _SHAPE_INPUTS.get(place.operator, ()))
        if any(tensor and not tensor.is_constant for tensor in shape_inputs):
            computed.setdefault(place.operator, []).append(place)
    for name, where in computed.items():
        yield Finding(
            message=f"the output shape of {name} is computed while the model runs",
            cure="convert the model with a fixed batch of 1, as edgepack export does",
            operator=name,
            layer=listed(place.layer for place in where),
        )


def _dynamic_dimensions(tensor: Tensor) -> str:
    """Return the dynamic dimensions as text, without the batch if it is 1 in the file."""
    dynamic = [
        str(axis)
        for axis, (size, signed) in enumerate(zip(tensor.shape, tensor.signature, strict=False))
        if signed < 0 and (axis > 0 or size != 1)
    ]
    kind = "dimension" if len(dynamic) == 1 else "dimensions"
    return f"{kind} {' and '.join(dynamic)}" if dynamic else ""
