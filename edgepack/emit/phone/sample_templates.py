"""What fills the templates of functions that prepare images and sound."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgepack.calibration.datasets.audio_features import BREAK_HZ, HIGH_Q, hann_period
from edgepack.calibration.datasets.preprocess import GRAY
from edgepack.config.preprocessing import Audio, Image
from edgepack.emit.c.firmware_model import End
from edgepack.emit.phone.app_source_text import double, fill
from edgepack.emit.preprocessing_fit import wave_samples
from edgepack.emit.tflm.preprocess_h.spectrum import has_fft

Normalized = Callable[[str, str], str]
"""Writes what becomes of a value, by the expression of its place, which tells its channel."""

Templates = Mapping[str, str]


def image_values(
    image: Image, end: End, normalized: Normalized, templates: Templates
) -> dict[str, str]:
    """Fill the template ``image``."""

    def span(first: str, end: str) -> str:
        return fill(templates["range"], first=first, end=end)

    height, width = image.crop or image.resize or end.tensor.sample_shape[:2]
    sides = {"height": str(height), "width": str(width)}
    name = end.name[0].upper() + end.name[1:]
    if image.resize:
        starts = [(image.resize[0] - height) // 2, (image.resize[1] - width) // 2]
        rows = span(str(starts[0]), str(starts[0] + height))
        columns = span(str(starts[1]), str(starts[1] + width))
        given = {"height": str(image.resize[0]), "width": str(image.resize[1])}
        required, pixel = "", fill(templates["scaled_call"], Name=name)
        scaled = fill(templates["scaled"], Name=name, **given)
    else:
        required = fill(templates["cropped" if image.crop else "sized"], **sides)
        rows = span("top", f"top + {height}") if image.crop else span("0", str(height))
        columns = span("left", f"left + {width}") if image.crop else span("0", str(width))
        pixel, scaled = templates["byte"], ""
    return {
        "required": required,
        "rows": rows,
        "columns": columns,
        "pixel": _pixel(image, pixel, normalized, templates),
        "scaled": scaled.rstrip("\n"),
    }


def _pixel(image: Image, value: str, normalized: Normalized, templates: Templates) -> str:
    """Write how the channels of a pixel are computed of its red, green and blue."""
    if image.colors == "gray":
        words = {"normalized": normalized("value", "0")}
        for channel, (color, weight) in enumerate(zip(("red", "green", "blue"), GRAY, strict=True)):
            words |= {color: fill(value, channel=str(channel)), f"{color}_part": double(weight)}
        return fill(templates["gray"], **words)
    return fill(
        templates["colored"],
        value=fill(value, channel="2 - channel" if image.colors == "bgr" else "channel"),
        normalized=normalized("value", "channel"),
    )


def audio_values(
    audio: Audio, end: End, normalized: Normalized, templates: Templates
) -> tuple[str, dict[str, str]]:
    """Choose the template ``wave`` or ``features``, and fill it."""
    clip = _clip(audio, end, templates)
    if audio.features is None:
        place = templates["place"]
        normal = normalized(templates["clip_element"], place)
        return "wave", {"clip": clip, "normalized": normal}
    is_mfcc = audio.features == "mfcc"
    frames, width = end.tensor.sample_shape[:2]
    store = fill(
        templates["mfccs" if is_mfcc else "logs"],
        width=str(width),
        normalized=normalized("value", "k"),
        **({"mels": str(audio.mel_bins)} if is_mfcc else {}),
    )
    name = end.name[0].upper() + end.name[1:]
    return "features", {
        "clip": clip,
        "frames": str(frames),
        "width": str(width),
        "store": store,
        "magnitudes": fill(templates["fft" if has_fft(audio) else "dft"], Name=name).rstrip("\n"),
        **_numbers(audio),
    }


def _clip(audio: Audio, end: End, templates: Templates) -> str:
    """Write how a wave gets its length, or what lengths it may have."""
    samples = wave_samples(audio, end.tensor.sample_shape)
    if audio.clip_samples:
        return fill(templates["clipped"], samples=str(samples))
    more = audio.frame_step or 1  # another frame
    return fill(templates["unclipped"], least=str(samples), end=str(samples + more))


def _numbers(audio: Audio) -> dict[str, str]:
    """Write the numbers of features: lengths in samples, places on the mel scale in Hz."""
    length, bins = audio.frame_length or 0, audio.fft_size // 2
    return {
        "fft": str(audio.fft_size),
        "length": str(length),
        "step": str(audio.frame_step),
        "period": double(hann_period(length)),
        "mels": str(audio.mel_bins),
        "edges": double(audio.mel_bins + 1),
        "offset": double(audio.log_offset),
        "bottom": double(audio.lower_hz),
        "top": double(audio.top_hz),
        "high_q": double(HIGH_Q),
        "break_hz": double(BREAK_HZ),
        "bins": str(bins + 1),
        "hertz": double(audio.sample_rate / 2 / max(bins, 1)),
    }
