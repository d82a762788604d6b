"""What preprocessing gives, by shapes alone: whether that is what an input takes."""

from __future__ import annotations

from edgepack.config.preprocessing import Audio, Image, Preprocessing
from edgepack.core.errors import ConfigError
from edgepack.emit.c.firmware_model import End

_IMAGE_RANK = 3
_CHANNELS = {"gray": 1, "rgb": 3, "bgr": 3}


def require_fit(end: End, described: Preprocessing) -> None:
    """Raise :class:`ConfigError` if preprocessing does not give what an input takes.

    As with samples for calibration, features need not have a last axis of one channel.
    """
    wanted = end.tensor.sample_shape
    try:
        given = _prepared_shape(described, wanted)
        if given != wanted and not (described.audio and (*given, 1) == wanted):
            raise ConfigError(
                f"preprocessing gives shape {list(given)} and the model takes {list(wanted)};"
                f" change {_keys(described)} in the project file"
            )
        _require_channels(described, given)
    except ConfigError as error:
        raise ConfigError(f"input {end.title!r}: {error}") from None


def wave_samples(audio: Audio, shape: tuple[int, ...]) -> int:
    """Count the samples of sound that become a shape: as described, or as few as it takes."""
    if audio.clip_samples is not None:
        return audio.clip_samples
    if audio.features is None:
        return shape[0]
    return (shape[0] - 1) * (audio.frame_step or 0) + (audio.frame_length or 0)


def _prepared_shape(described: Preprocessing, wanted: tuple[int, ...]) -> tuple[int, ...]:
    """Tell the shape that preprocessing gives; what it leaves open is as the input wants it."""
    if described.image:
        return _image_shape(described.image, wanted)
    if described.audio:
        return _audio_shape(described.audio, wanted)
    return wanted


def _image_shape(image: Image, wanted: tuple[int, ...]) -> tuple[int, ...]:
    if len(wanted) != _IMAGE_RANK:
        raise ConfigError(
            f"the recipe describes an image and the model takes shape {list(wanted)}; describe no"
            " resize, crop or colors"
        )
    if image.crop and image.resize and any(map(int.__gt__, image.crop, image.resize)):
        (height, width), crop = image.resize, image.crop
        raise ConfigError(
            f"an image of {height} x {width} pixels holds no crop of {crop[0]} x {crop[1]}"
        )
    size = image.crop or image.resize or wanted[:2]
    return (*size, _CHANNELS[image.colors] if image.colors else wanted[-1])


def _audio_shape(audio: Audio, wanted: tuple[int, ...]) -> tuple[int, ...]:
    if not wanted:
        raise ConfigError("the recipe describes sound and the model takes one number, no sound")
    samples = wave_samples(audio, wanted)
    if audio.features is None:
        return (samples,)
    length, step = audio.frame_length or 0, audio.frame_step or 1
    if samples < length:
        raise ConfigError(f"clip_samples {samples}: shorter than a frame of {length} samples")
    width = audio.coefficients if audio.features == "mfcc" else audio.mel_bins
    return ((samples - length) // step + 1, width)


def _require_channels(described: Preprocessing, given: tuple[int, ...]) -> None:
    for name, values in (("mean", described.mean), ("std", described.std)):
        if len(values) not in (1, *given[-1:]):
            raise ConfigError(
                f"{name} has {len(values)} numbers, a sample {given[-1] if given else 1} channels"
                " in its last axis; give one number, or one for each"
            )


def _keys(described: Preprocessing) -> str:
    """Name the keys that decide on the shape."""
    if described.image:
        return "resize, crop or colors"
    if described.audio and described.audio.features:
        return "clip_samples, frame_step, mel_bins or coefficients"
    return "clip_samples"
