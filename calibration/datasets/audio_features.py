"""Log-mel spectrograms and MFCCs, computed with the formulas of ``tf.signal``."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.config.preprocessing import Audio
from edgepack.core.errors import DatasetError

BREAK_HZ = 700.0
HIGH_Q = 1127.0
"""Constants of the HTK mel scale: mel = 1127 ln(1 + f / 700), f in Hz."""

Array = NDArray[Any]


def extract_features(audio: Audio, waves: Array) -> Array:
    """Compute features (..., frames, mel bins or coefficients) of waves (..., time), float32.

    Returns the waves unchanged if ``audio`` specifies no features. Raises :class:`DatasetError`
    for waves shorter than a frame.
    """
    if audio.features is None:
        return waves
    mel = log_mel(audio, waves)
    return mel if audio.features == "log-mel" else mel @ dct_matrix(audio).astype(np.float32)


def log_mel(audio: Audio, waves: Array) -> Array:
    """Compute the log-mel spectrogram of waves (..., time): (..., frames, mel bins), float32.

    Raises :class:`DatasetError` for waves shorter than a frame.
    """
    length, step = audio.frame_length or 0, audio.frame_step or 0
    if waves.shape[-1] < length:
        raise DatasetError(
            f"a clip of {waves.shape[-1]} samples is shorter than a frame of {length}; set"
            " clip_samples, which pads with zeros"
        )
    frames = np.lib.stride_tricks.sliding_window_view(waves, length, axis=-1)[..., ::step, :]
    spectrum = np.abs(np.fft.rfft(frames * hann_window(length), audio.fft_size))
    mel = spectrum @ mel_matrix(audio)
    return np.asarray(np.log(mel + audio.log_offset), np.float32)


@cache
def hann_window(length: int) -> Array:
    """Compute the window of ``tf.signal.hann_window``, shape (length,), float64."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / hann_period(length)))


def hann_period(length: int) -> int:
    """Return the period of the Hann window in samples; only even lengths are periodic."""
    return length if length % 2 == 0 else max(length - 1, 1)


@cache
def mel_matrix(audio: Audio) -> Array:
    """Compute the mel filter bank of ``tf.signal.linear_to_mel_weight_matrix``.

    The shape is (FFT bins, mel bins), float64. The first FFT bin, the DC component, has weight 0.
    """
    bins = _mel(np.linspace(0, audio.sample_rate / 2, audio.fft_size // 2 + 1)[1:])[:, np.newaxis]
    edges = np.linspace(_mel(audio.lower_hz), _mel(audio.top_hz), audio.mel_bins + 2)
    lower, center, upper = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - lower) / (center - lower), (upper - bins) / (upper - center)
    triangles = np.maximum(0, np.minimum(rising, falling))
    return np.asarray(np.pad(triangles, ((1, 0), (0, 0))))


@cache
def dct_matrix(audio: Audio) -> Array:
    """Compute the DCT-II matrix of ``tf.signal.mfccs_from_log_mel_spectrograms``.

    The shape is (mel bins, coefficients), float64, scaled by sqrt(2 / mel bins).
    """
    n, k = np.arange(audio.mel_bins)[:, np.newaxis], np.arange(audio.coefficients)
    cosines = np.cos(np.pi * k * (n + 0.5) / audio.mel_bins)
    return np.asarray(cosines * np.sqrt(2 / audio.mel_bins))


def _mel(hertz: Any) -> Any:
    return HIGH_Q * np.log1p(np.asarray(hertz) / BREAK_HZ)
