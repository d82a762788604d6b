"""Placeholder values for the templates of functions that preprocess images and audio."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgepack.calibration.datasets.audio_features import BREAK_HZ, HIGH_Q, hann_period
from edgepack.calibration.datasets.preprocess import GRAY
from edgepack.config.preprocessing import Audio, Image
from edgepack.emit.c.io_tensor import IOTensor
from edgepack.emit.phone.app_source_text import fill_template, float64_literal
from edgepack.emit.preprocessing_fit import waveform_length
from edgepack.emit.tflm.preprocess_h.spectrum import uses_fft

NormalizeExpression = Callable[[str, str], str]
"""Writes the expression that normalizes a value, given expressions of the value and its index."""

Templates = Mapping[str, str]


def image_fields(
    image: Image, io: IOTensor, normalize: NormalizeExpression, templates: Templates
) -> dict[str, str]:
    """Return the placeholder values of the template ``image``."""

    def span(first: str, end: str) -> str:
        return fill_template(templates["range"], first=first, end=end)

    height, width = image.crop or image.resize or io.tensor.sample_shape[:2]
    sides = {"height": str(height), "width": str(width)}
    name = io.name[0].upper() + io.name[1:]
    if image.resize:
        starts = [(image.resize[0] - height) // 2, (image.resize[1] - width) // 2]
        rows = span(str(starts[0]), str(starts[0] + height))
        columns = span(str(starts[1]), str(starts[1] + width))
        resized = {"height": str(image.resize[0]), "width": str(image.resize[1])}
        required, pixel = "", fill_template(templates["scaled_call"], Name=name)
        scaled = fill_template(templates["scaled"], Name=name, **resized)
    else:
        required = fill_template(templates["cropped" if image.crop else "sized"], **sides)
        rows = span("top", f"top + {height}") if image.crop else span("0", str(height))
        columns = span("left", f"left + {width}") if image.crop else span("0", str(width))
        pixel, scaled = templates["byte"], ""
    return {
        "required": required,
        "rows": rows,
        "columns": columns,
        "pixel": _pixel(image, pixel, normalize, templates),
        "scaled": scaled.rstrip("\n"),
    }


def _pixel(image: Image, value: str, normalize: NormalizeExpression, templates: Templates) -> str:
    """Write the code that computes the channels of a pixel from its red, green and blue."""
    if image.colors == "gray":
        fields = {"normalized": normalize("value", "0")}
        for channel, (color, weight) in enumerate(zip(("red", "green", "blue"), GRAY, strict=True)):
            fields |= {
                color: fill_template(value, channel=str(channel)),
                f"{color}_part": float64_literal(weight),
            }
        return fill_template(templates["gray"], **fields)
    return fill_template(
        templates["colored"],
        value=fill_template(value, channel="2 - channel" if image.colors == "bgr" else "channel"),
        normalized=normalize("value", "channel"),
    )


def audio_fields(
    audio: Audio, io: IOTensor, normalize: NormalizeExpression, templates: Templates
) -> tuple[str, dict[str, str]]:
    """Return the name of the template, ``wave`` or ``features``, and its placeholder values."""
    clip = _clip(audio, io, templates)
    if audio.features is None:
        normalized = normalize(templates["clip_element"], templates["element_index"])
        return "wave", {"clip": clip, "normalized": normalized}
    is_mfcc = audio.features == "mfcc"
    frames, width = io.tensor.sample_shape[:2]
    store = fill_template(
        templates["mfccs" if is_mfcc else "logs"],
        width=str(width),
        normalized=normalize("value", "k"),
        **({"mels": str(audio.mel_bins)} if is_mfcc else {}),
    )
    name = io.name[0].upper() + io.name[1:]
    return "features", {
        "clip": clip,
        "frames": str(frames),
        "width": str(width),
        "store": store,
        "magnitudes": fill_template(
            templates["fft" if uses_fft(audio) else "dft"], Name=name
        ).rstrip("\n"),
        **_feature_constants(audio),
    }


def _clip(audio: Audio, io: IOTensor, templates: Templates) -> str:
    """Write the code that cuts or pads a waveform, or that checks its length."""
    samples = waveform_length(audio, io.tensor.sample_shape)
    if audio.clip_samples:
        return fill_template(templates["clipped"], samples=str(samples))
    step = audio.frame_step or 1  # longer by this, the wave would have another frame
    return fill_template(templates["unclipped"], least=str(samples), end=str(samples + step))


def _feature_constants(audio: Audio) -> dict[str, str]:
    """Return the constants of audio features: lengths in samples, mel scale limits in Hz."""
    length, bins = audio.frame_length or 0, audio.fft_size // 2
    return {
        "fft": str(audio.fft_size),
        "length": str(length),
        "step": str(audio.frame_step),
        "period": float64_literal(hann_period(length)),
        "mels": str(audio.mel_bins),
        "edges": float64_literal(audio.mel_bins + 1),
        "offset": float64_literal(audio.log_offset),
        "bottom": float64_literal(audio.lower_hz),
        "top": float64_literal(audio.top_hz),
        "high_q": float64_literal(HIGH_Q),
        "break_hz": float64_literal(BREAK_HZ),
        "bins": str(bins + 1),
        "hertz": float64_literal(audio.sample_rate / 2 / max(bins, 1)),
    }
