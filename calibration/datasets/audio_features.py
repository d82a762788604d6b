"""Log-mel spectrograms and MFCCs, by the formulas of ``tf.signal``."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.config.preprocessing import Audio
from edgepack.core.errors import DatasetError

BREAK_HZ = 700.0
HIGH_Q = 1127.0
"""The mel scale of HTK: mel = 1127 ln(1 + f / 700)."""

Array = NDArray[Any]


def features(audio: Audio, waves: Array) -> Array:
    """Turn waves (..., time) into (..., frames, mel bins or coefficients), float32.

    Raises :class:`DatasetError` for waves shorter than a frame.
    """
    if audio.features is None:
        return waves
    mel = log_mel(audio, waves)
    return mel if audio.features == "log-mel" else mel @ dct_matrix(audio).astype(np.float32)


def log_mel(audio: Audio, waves: Array) -> Array:
    """Compute the logarithm of the mel spectrogram, shape (..., frames, mel bins), float32."""
    length, step = audio.frame_length or 0, audio.frame_step or 0
    if waves.shape[-1] < length:
        raise DatasetError(
            f"{waves.shape[-1]} samples of sound are shorter than a frame of {length}; give"
            " clip_samples, which fills up with zeros"
        )
    frames = np.lib.stride_tricks.sliding_window_view(waves, length, axis=-1)[..., ::step, :]
    spectrum = np.abs(np.fft.rfft(frames * hann_window(length), audio.fft_size))
    mel = spectrum @ mel_matrix(audio)
    return np.asarray(np.log(mel + audio.log_offset), np.float32)


@cache
def hann_window(length: int) -> Array:
    """Compute the window of ``tf.signal.hann_window``."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / hann_period(length)))


def hann_period(length: int) -> int:
    """Find after how many samples the window repeats: it is periodic for even lengths only."""
    return length if length % 2 == 0 else max(length - 1, 1)


@cache
def mel_matrix(audio: Audio) -> Array:
    """Compute the triangles of ``tf.signal.linear_to_mel_weight_matrix``.

    Shape (FFT bins, mel bins), float64. The constant part of the spectrum, the first bin, is left
    out.
    """
    bins = _mel(np.linspace(0, audio.sample_rate / 2, audio.fft_size // 2 + 1)[1:])[:, np.newaxis]
    edges = np.linspace(_mel(audio.lower_hz), _mel(audio.top_hz), audio.mel_bins + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - lower) / (centre - lower), (upper - bins) / (upper - centre)
    triangles = np.maximum(0, np.minimum(rising, falling))
    return np.asarray(np.pad(triangles, ((1, 0), (0, 0))))


@cache
def dct_matrix(audio: Audio) -> Array:
    """Compute the DCT-II of ``tf.signal.mfccs_from_log_mel_spectrograms``.

    Shape (mel bins, coefficients), float64, each scaled by sqrt(2 / mel bins).
    """
    n, k = np.arange(audio.mel_bins)[:, np.newaxis], np.arange(audio.coefficients)
    cosines = np.cos(np.pi * k * (n + 0.5) / audio.mel_bins)
    return np.asarray(cosines * np.sqrt(2 / audio.mel_bins))


def _mel(hertz: Any) -> Any:
    return HIGH_Q * np.log1p(np.asarray(hertz) / BREAK_HZ)
