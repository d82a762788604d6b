"""Check by shapes alone that a project file's preprocessing produces what a model input expects."""

from __future__ import annotations

from edgepack.config.preprocessing import Audio, Image, Preprocessing
from edgepack.core.errors import ConfigError
from edgepack.emit.c.io_tensor import IOTensor

_IMAGE_RANK = 3
_CHANNELS = {"gray": 1, "rgb": 3, "bgr": 3}


def require_matching_shape(io: IOTensor, preprocessing: Preprocessing) -> None:
    """Raise :class:`ConfigError` unless preprocessing outputs the shape that an input expects.

    Shapes are those of one sample, without the batch axis. Audio features may lack the input's
    last axis of one channel, as calibration samples may.
    """
    expected = io.tensor.sample_shape
    try:
        shape = _output_shape(preprocessing, expected)
        if shape != expected and not (preprocessing.audio and (*shape, 1) == expected):
            raise ConfigError(
                f"preprocessing outputs shape {list(shape)}, but the model expects"
                f" {list(expected)}; change {_shape_keys(preprocessing)} in the project file"
            )
        _require_channels(preprocessing, shape)
    except ConfigError as error:
        raise ConfigError(f"input {io.title!r}: {error}") from None


def waveform_length(audio: Audio, shape: tuple[int, ...]) -> int:
    """Return how many audio samples become an input of a sample shape.

    This is ``clip_samples`` if the project file sets it, otherwise the fewest that are enough.
    """
    if audio.clip_samples is not None:
        return audio.clip_samples
    if audio.features is None:
        return shape[0]
    return (shape[0] - 1) * (audio.frame_step or 0) + (audio.frame_length or 0)


def _output_shape(preprocessing: Preprocessing, expected: tuple[int, ...]) -> tuple[int, ...]:
    """Return the sample shape after preprocessing; what it leaves open is as the input expects."""
    if preprocessing.image:
        return _image_shape(preprocessing.image, expected)
    if preprocessing.audio:
        return _audio_shape(preprocessing.audio, expected)
    return expected


def _image_shape(image: Image, expected: tuple[int, ...]) -> tuple[int, ...]:
    """Return (height, width, channels)."""
    if len(expected) != _IMAGE_RANK:
        raise ConfigError(
            f"the project file describes an image, but the model expects shape {list(expected)};"
            " remove resize, crop and colors"
        )
    if image.crop and image.resize and any(map(int.__gt__, image.crop, image.resize)):
        (height, width), crop = image.resize, image.crop
        raise ConfigError(
            f"a crop of {crop[0]} x {crop[1]} does not fit into an image of {height} x {width}"
            " pixels"
        )
    size = image.crop or image.resize or expected[:2]
    return (*size, _CHANNELS[image.colors] if image.colors else expected[-1])


def _audio_shape(audio: Audio, expected: tuple[int, ...]) -> tuple[int, ...]:
    """Return (samples,) of a waveform, or (frames, features)."""
    if not expected:
        raise ConfigError("the project file describes audio, but the model expects a single number")
    samples = waveform_length(audio, expected)
    if audio.features is None:
        return (samples,)
    length, step = audio.frame_length or 0, audio.frame_step or 1
    if samples < length:
        raise ConfigError(f"clip_samples {samples} is shorter than one frame of {length} samples")
    width = audio.coefficients if audio.features == "mfcc" else audio.mel_bins
    return ((samples - length) // step + 1, width)


def _require_channels(preprocessing: Preprocessing, shape: tuple[int, ...]) -> None:
    for name, values in (("mean", preprocessing.mean), ("std", preprocessing.std)):
        if len(values) not in (1, *shape[-1:]):
            raise ConfigError(
                f"{name} has {len(values)} values, but samples have {shape[-1] if shape else 1}"
                " channels in their last axis; give one value, or one per channel"
            )


def _shape_keys(preprocessing: Preprocessing) -> str:
    """Name the keys of the project file that determine the shape."""
    if preprocessing.image:
        return "resize, crop or colors"
    if preprocessing.audio and preprocessing.audio.features:
        return "clip_samples, frame_step, mel_bins or coefficients"
    return "clip_samples"
