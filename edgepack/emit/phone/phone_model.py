"""A model as the emitters for phone apps read it: tensors, preprocessing and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from edgepack.config.preprocessing import Preprocessing
from edgepack.core.errors import ConfigError, ModelError
from edgepack.emit.c.io_tensor import IOTensor
from edgepack.emit.phone.app_identifiers import class_name, file_stem, io_names
from edgepack.emit.preprocessing_fit import require_matching_shape
from edgepack.tflite.graph import Model, Tensor

QUANTIZED = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}
"""Lowest and highest quantized value by dtype."""

_PLAIN = ("float32", "bool", "int8", "uint8", "int16", "int32", "int64")
_COLORS_OF_CHANNELS = {1: "gray", 3: "rgb"}


@dataclass(frozen=True, kw_only=True, eq=False)
class PhoneModel:
    """A model and what a phone app needs to know about it.

    ``name`` is any text. ``data`` holds the bytes of the .tflite file and ``model`` what was parsed
    from them; ``inputs`` and ``outputs`` are in the file's order. ``preprocessing`` is keyed by the
    input's title. ``labels`` name the values along the last axis of the output whose index is
    ``labelled``. ``description`` goes into the metadata.
    """

    name: str
    data: bytes
    model: Model
    inputs: tuple[IOTensor, ...]
    outputs: tuple[IOTensor, ...]
    preprocessing: Mapping[str, Preprocessing] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    labelled: int = 0
    description: str = ""

    @property
    def file(self) -> str:
        """The name of the .tflite file that is written."""
        return f"{file_stem(self.name)}.tflite"

    @property
    def class_name(self) -> str:
        """The name of the class and, without suffix, of its source files."""
        return class_name(self.name)

    def preprocessing_of(self, io: IOTensor) -> Preprocessing:
        """Return the preprocessing of an input; an image's ``colors`` are always set."""
        preprocessing = self.preprocessing.get(io.title, Preprocessing())
        if preprocessing.image is None:
            return preprocessing
        colors = preprocessing.image.colors or _COLORS_OF_CHANNELS[io.tensor.sample_shape[-1]]
        return replace(preprocessing, image=replace(preprocessing.image, colors=colors))

    def is_real(self, io: IOTensor) -> bool:
        """Whether the app handles an input or output as float32 values, not as plain integers."""
        return is_quantized(io.tensor) or io.tensor.dtype == "float32"


def is_quantized(tensor: Tensor) -> bool:
    """Whether a tensor's integers represent real values."""
    return tensor.quant is not None


def app_io_tensors(
    kind: str, titles: Sequence[str], tensors: Sequence[Tensor]
) -> tuple[IOTensor, ...]:
    """Name the inputs or outputs of a model for an app; ``kind`` is ``input`` or ``output``.

    Raises :class:`ModelError` if there are none, for a dtype that the emitted code does not
    support, and for a tensor without a fixed shape.
    """
    if not tensors:
        raise ModelError(f"the model has no {kind}: an app cannot use it")
    names = io_names(kind, titles)
    for title, tensor in zip(titles, tensors, strict=True):
        _require_supported(kind, title, tensor)
    return tuple(
        IOTensor(name=name, title=title, tensor=tensor)
        for name, title, tensor in zip(names, titles, tensors, strict=True)
    )


def _require_supported(kind: str, title: str, tensor: Tensor) -> None:
    supported = tuple(QUANTIZED) if is_quantized(tensor) else _PLAIN
    if tensor.dtype not in supported:
        raise ModelError(
            f"{kind} {title!r} is {tensor.dtype}, which the code for phone apps does not support;"
            f" convert the model to {', '.join(supported)}"
        )
    if -1 in tensor.signature[1:] or not prod(tensor.shape):
        raise ModelError(
            f"{kind} {title!r} has no fixed shape: {list(tensor.signature or tensor.shape)};"
            " convert the model with fixed shapes"
        )


def require_preprocessing_fits(io: IOTensor, preprocessing: Preprocessing) -> None:
    """Raise :class:`ConfigError` unless preprocessing outputs what an input expects."""
    expected = io.tensor.sample_shape
    if preprocessing == Preprocessing():
        return
    if io.tensor.dtype in ("bool", "int64"):
        raise ConfigError(
            f"input {io.title!r}: is {io.tensor.dtype}, which preprocessing cannot output; remove"
            " it from the project file"
        )
    if preprocessing.image and expected[-1:] not in [(count,) for count in _COLORS_OF_CHANNELS]:
        raise ConfigError(
            f"input {io.title!r}: the project file describes an image, but the model expects shape"
            f" {list(expected)}; remove resize, crop and colors"
        )
    require_matching_shape(io, preprocessing)
