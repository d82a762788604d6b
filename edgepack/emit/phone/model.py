"""What is written of a model for phones: all that the emitters of its files take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from edgepack.emit.firmware import End
from edgepack.emit.phone.names import class_name, end_names, file_stem
from edgepack.errors import ModelError, RecipeError
from edgepack.preprocessing import Audio, Image, Preprocessing
from edgepack.types import Model, Tensor

QUANTIZED = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}
"""What quantized values may be, by the type of their tensor."""

_PLAIN = ("float32", "bool", "int8", "uint8", "int16", "int32", "int64")
_IMAGE_RANK = 3
_COLORS_OF_CHANNELS = {1: "gray", 3: "rgb"}
_CHANNELS = {"gray": 1, "rgb": 3, "bgr": 3}


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


def ends(kind: str, titles: Sequence[str], tensors: Sequence[Tensor]) -> tuple[End, ...]:
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
    """Raise :class:`RecipeError` if preprocessing does not give what an input takes."""
    wanted = end.tensor.sample_shape
    if described == Preprocessing():
        return
    if end.tensor.dtype in ("bool", "int64"):
        raise RecipeError(
            f"input {end.title!r} is {end.tensor.dtype}: real values cannot become that; leave it"
            " out of the recipe"
        )
    given = prepared_shape(described, wanted)
    if given != wanted and not (described.audio and (*given, 1) == wanted):
        raise RecipeError(
            f"the preprocessing of input {end.title!r} gives {_sizes(given)}, the model takes"
            f" {_sizes(wanted)}; describe that of this model"
        )
    for name, values in (("mean", described.mean), ("std", described.std)):
        if len(values) not in (1, *given[-1:]):
            raise RecipeError(
                f"{name} of input {end.title!r} has {len(values)} numbers, a sample"
                f" {given[-1] if given else 1} channels; give one number, or one for each"
            )


def prepared_shape(described: Preprocessing, wanted: tuple[int, ...]) -> tuple[int, ...]:
    """Tell the shape that preprocessing gives; what it leaves open is as the input wants it."""
    if described.image:
        return _image_shape(described.image, wanted)
    if described.audio:
        return _audio_shape(described.audio, wanted)
    return wanted


def _image_shape(image: Image, wanted: tuple[int, ...]) -> tuple[int, ...]:
    if len(wanted) != _IMAGE_RANK or wanted[-1] not in _COLORS_OF_CHANNELS:
        raise RecipeError(
            f"the recipe describes an image, the model takes {_sizes(wanted)}; describe values"
        )
    size = image.crop or image.resize or wanted[:2]
    if image.crop and image.resize and not _holds(image.resize, image.crop):
        raise RecipeError(
            f"an image of {_sizes(image.resize)} holds no crop of {_sizes(image.crop)}"
        )
    return (*size, _CHANNELS[image.colors] if image.colors else wanted[-1])


def _holds(size: tuple[int, int], part: tuple[int, int]) -> bool:
    return part[0] <= size[0] and part[1] <= size[1]


def _audio_shape(audio: Audio, wanted: tuple[int, ...]) -> tuple[int, ...]:
    if audio.features is None:
        return (audio.clip_samples or prod(wanted),)
    width = audio.coefficients if audio.features == "mfcc" else audio.mel_bins
    if audio.clip_samples is None:
        return (*wanted[:1], width)
    length, step = audio.frame_length or 0, audio.frame_step or 1
    if audio.clip_samples < length:
        raise RecipeError(
            f"clip_samples {audio.clip_samples}: shorter than a frame of {length} samples"
        )
    return ((audio.clip_samples - length) // step + 1, width)


def _sizes(shape: Sequence[int]) -> str:
    """Write a shape.

    >>> _sizes((96, 96, 3))
    '96 x 96 x 3'
    """
    return " x ".join(map(str, shape)) or "one number"
