"""What is written of a model for phones: all that the emitters of its files take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from edgepack.config.preprocessing import Preprocessing
from edgepack.core.errors import ConfigError, ModelError
from edgepack.emit.c.firmware_model import End
from edgepack.emit.phone.app_identifiers import class_name, end_names, file_stem
from edgepack.emit.preprocessing_fit import require_fit
from edgepack.tflite.graph import Model, Tensor

QUANTIZED = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}
"""What quantized values may be, by the type of their tensor."""

_PLAIN = ("float32", "bool", "int8", "uint8", "int16", "int32", "int64")
_COLORS_OF_CHANNELS = {1: "gray", 3: "rgb"}


@dataclass(frozen=True, kw_only=True, eq=False)
class PhoneModel:
    """A model as an app takes it.

    ``name`` is what people call it. ``data`` are the bytes of the .tflite file, ``model`` is what
    they say.
    ``inputs`` and ``outputs`` are in the file's order. ``preprocessing`` is by the title of the
    input. ``labels`` are those of the values along the last axis of the output ``labelled``.
    """

    name: str
    data: bytes
    model: Model
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    preprocessing: Mapping[str, Preprocessing] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    labelled: int = 0
    description: str = ""

    @property
    def file(self) -> str:
        """The name of its .tflite file."""
        return f"{file_stem(self.name)}.tflite"

    @property
    def class_name(self) -> str:
        """What its class is called, and the files of code."""
        return class_name(self.name)

    def described(self, end: End) -> Preprocessing:
        """Find the preprocessing of an input; the colours of an image are always told."""
        found = self.preprocessing.get(end.title, Preprocessing())
        if found.image is None:
            return found
        colors = found.image.colors or _COLORS_OF_CHANNELS[end.tensor.sample_shape[-1]]
        return replace(found, image=replace(found.image, colors=colors))

    def is_real(self, end: End) -> bool:
        """Whether the app gives, or takes, real values: of others the integers as they are."""
        return is_quantized(end.tensor) or end.tensor.dtype == "float32"


def is_quantized(tensor: Tensor) -> bool:
    """Whether integers of a tensor stand for real values."""
    return tensor.quant is not None


def model_ends(kind: str, titles: Sequence[str], tensors: Sequence[Tensor]) -> tuple[End, ...]:
    """Name the inputs or outputs of a model, for apps.

    Raises :class:`ModelError` if there are none, and for a type that the code does not write.
    """
    if not tensors:
        raise ModelError(f"the model has no {kind}: an app has nothing to do with it")
    names = end_names(kind, titles)
    for title, tensor in zip(titles, tensors, strict=True):
        _require_type(kind, title, tensor)
    return tuple(
        End(name=name, title=title, tensor=tensor)
        for name, title, tensor in zip(names, titles, tensors, strict=True)
    )


def _require_type(kind: str, title: str, tensor: Tensor) -> None:
    known = tuple(QUANTIZED) if is_quantized(tensor) else _PLAIN
    if tensor.dtype not in known:
        raise ModelError(
            f"{kind} {title!r} is {tensor.dtype}, which apps on phones cannot be written for;"
            f" give {', '.join(known)}"
        )
    if -1 in tensor.signature[1:] or not prod(tensor.shape):
        raise ModelError(
            f"{kind} {title!r} has no size of its own, {list(tensor.signature or tensor.shape)};"
            " convert the model with fixed shapes"
        )


def require_prepared(end: End, described: Preprocessing) -> None:
    """Raise :class:`ConfigError` if preprocessing does not give what an input takes."""
    wanted = end.tensor.sample_shape
    if described == Preprocessing():
        return
    if end.tensor.dtype in ("bool", "int64"):
        raise ConfigError(
            f"input {end.title!r}: is {end.tensor.dtype}, which real values cannot become; leave it"
            " out of the recipe"
        )
    if described.image and wanted[-1:] not in [(count,) for count in _COLORS_OF_CHANNELS]:
        raise ConfigError(
            f"input {end.title!r}: the recipe describes an image and the model takes shape"
            f" {list(wanted)}; describe no resize, crop or colors"
        )
    require_fit(end, described)
