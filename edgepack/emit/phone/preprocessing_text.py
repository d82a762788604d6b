"""Describe preprocessing in words, for metadata and comments."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.calibration.datasets.preprocess import GRAY
from edgepack.config.preprocessing import Audio, Image, Preprocessing

_COLORS = {
    "gray": "converted to grayscale ({} R + {} G + {} B)".format(*GRAY),
    "bgr": "reordered to blue, green, red",
}


def describe_preprocessing(preprocessing: Preprocessing) -> list[str]:
    """Describe the steps of preprocessing in order; empty if there are none.

    >>> describe_preprocessing(Preprocessing(image=Image(resize=(96, 96)), scale=0.5))
    ['resized to 96 x 96 (bilinear, half-pixel centers, not antialiased)', 'x * 0.5']
    """
    steps: list[str] = []
    if preprocessing.image:
        steps += _image(preprocessing.image)
    if preprocessing.audio:
        steps += _audio(preprocessing.audio)
    return [*steps, *_values(preprocessing)]


def _image(image: Image) -> Iterator[str]:
    if image.resize:
        height, width = image.resize
        yield f"resized to {height} x {width} (bilinear, half-pixel centers, not antialiased)"
    if image.crop:
        yield f"center-cropped to {image.crop[0]} x {image.crop[1]}"
    if image.colors in _COLORS:
        yield _COLORS[image.colors]


def _audio(audio: Audio) -> Iterator[str]:
    yield f"audio at {audio.sample_rate} Hz, from -1 to 1"
    if audio.clip_samples:
        yield f"truncated or zero-padded to {audio.clip_samples} samples"
    if audio.features is None:
        return
    yield (
        f"frames of {audio.frame_length} samples every {audio.frame_step}, Hann window,"
        f" FFT of {audio.fft_size}"
    )
    yield (
        f"{audio.mel_bins} mel bins of magnitudes, {audio.lower_hz:g} to {audio.top_hz:g} Hz,"
        f" log(x + {audio.log_offset:g})"
    )
    if audio.features == "mfcc":
        yield f"the first {audio.coefficients} coefficients of their DCT"


def _values(preprocessing: Preprocessing) -> Iterator[str]:
    """Write the formula of the values, without the operations that change nothing."""
    if not preprocessing.changes_values:
        return
    text = "x" if preprocessing.scale == 1 else f"x * {preprocessing.scale:g}"
    text += f" + {preprocessing.offset:g}" if preprocessing.offset else ""
    text += f" - {_list(preprocessing.mean)}" if any(preprocessing.mean) else ""
    text = text.replace("+ -", "- ").replace("- -", "+ ")
    if any(value != 1 for value in preprocessing.std):
        text = f"({text}) / {_list(preprocessing.std)}"
    yield text


def _list(values: tuple[float, ...]) -> str:
    return f"{values[0]:g}" if len(values) == 1 else f"[{', '.join(f'{v:g}' for v in values)}]"
