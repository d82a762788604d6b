"""C code for a frame's magnitude spectrum: an FFT for powers of two, a DFT for other lengths."""

from __future__ import annotations

import numpy as np

from edgepack.calibration.datasets.audio_features import hann_window
from edgepack.config.preprocessing import Audio
from edgepack.emit.tflm.preprocess_h.entry import (
    PreprocessedInput,
    c_table,
    comment_block,
    float_literals,
    sinusoid_literals,
)

_WINDOWED = """\
/* Multiplies a frame by the Hann window, which is symmetric: the table holds half of it. */
static inline void ${input}_windowed(const int16_t *samples, float *frame)
{
    const size_t period = $period;
    for (size_t i = 0; i < ${INPUT}_FRAME_LENGTH; i++) {
        const size_t place = i <= period / 2 ? i : period - i;
        frame[i] = (float)samples[i] / 32768.0f * ${input}_window[place];
    }
}

"""

_FFT = """\
/* In-place FFT of FFT_LENGTH / 2 complex numbers, real and imaginary parts interleaved. */
static inline void ${input}_fft(float *x)
{
    const size_t length = ${INPUT}_FFT_LENGTH / 2;
    for (size_t i = 1, reversed = 0; i < length; i++) { /* bit-reversal permutation */
        size_t bit = length / 2;
        for (; reversed & bit; bit /= 2) {
            reversed ^= bit;
        }
        reversed |= bit;
        if (i < reversed) {
            const float real = x[2 * i];
            const float imaginary = x[2 * i + 1];
            x[2 * i] = x[2 * reversed];
            x[2 * i + 1] = x[2 * reversed + 1];
            x[2 * reversed] = real;
            x[2 * reversed + 1] = imaginary;
        }
    }
    for (size_t half = 1; half < length; half *= 2) { /* transforms of length 2, 4, 8 ... */
        for (size_t k = 0; k < half; k++) {
            const size_t angle = k * (length / half);
            const float sine = ${input}_sine[angle];
            const float cosine = ${input}_sine[angle + ${INPUT}_FFT_LENGTH / 4];
            for (size_t i = k; i < length; i += 2 * half) {
                float *const a = x + 2 * i;
                float *const b = a + 2 * half;
                const float real = b[0] * cosine + b[1] * sine;
                const float imaginary = b[1] * cosine - b[0] * sine;
                b[0] = a[0] - real;
                b[1] = a[1] - imaginary;
                a[0] += real;
                a[1] += imaginary;
            }
        }
    }
}

/*
 * Magnitudes of a frame's spectrum, except for the first bin, which no feature needs. The frame's
 * even and odd samples serve as real and imaginary parts, which halves the length of the FFT; bins
 * k and length - k are separated afterwards.
 */
static inline void ${input}_magnitudes(const int16_t *samples, float *x)
{
    const size_t length = ${INPUT}_FFT_LENGTH / 2;
    ${input}_windowed(samples, x);
    for (size_t i = ${INPUT}_FRAME_LENGTH; i < ${INPUT}_FFT_LENGTH; i++) {
        x[i] = 0.0f;
    }
    ${input}_fft(x);
    for (size_t k = 1; k <= length / 2; k++) {
        float *const a = x + 2 * k;
        float *const b = x + 2 * (length - k);
        const float sine = ${input}_sine[k];
        const float cosine = ${input}_sine[k + ${INPUT}_FFT_LENGTH / 4];
        const float even_real = 0.5f * (a[0] + b[0]);
        const float even_imaginary = 0.5f * (a[1] - b[1]);
        const float odd_real = 0.5f * (a[1] + b[1]);
        const float odd_imaginary = 0.5f * (b[0] - a[0]);
        const float real = odd_real * cosine + odd_imaginary * sine;
        const float imaginary = odd_imaginary * cosine - odd_real * sine;
        a[0] = ${input}_magnitude(even_real + real, even_imaginary + imaginary);
        b[0] = ${input}_magnitude(even_real - real, even_imaginary - imaginary);
    }
    for (size_t k = 1; k < length; k++) {
        x[k] = x[2 * k];
    }
}

"""

_DFT = """\
$about
static inline void ${input}_magnitudes(const int16_t *samples, float *x)
{
    float *const frame = x + ${INPUT}_BINS;
    ${input}_windowed(samples, frame);
    for (size_t k = 1; k < ${INPUT}_BINS; k++) {
        float real = 0.0f;
        float imaginary = 0.0f;
        size_t angle = 0;
        for (size_t i = 0; i < ${INPUT}_FRAME_LENGTH; i++) {
            real += frame[i] * ${input}_cosine[angle];
            imaginary += frame[i] * ${input}_sine[angle];
            angle += k;
            if (angle >= ${INPUT}_FFT_LENGTH) {
                angle -= ${INPUT}_FFT_LENGTH;
            }
        }
        x[k] = ${input}_magnitude(real, imaginary);
    }
}

"""

_SINE = """\
/* Three quarters of a sine period, in flash, since a call of sinf takes about 100 cycles. */
"""

_MAGNITUDE = """\
static inline float ${input}_magnitude(float real, float imaginary)
{
    return sqrtf(real * real + imaginary * imaginary);
}

"""
_SINUSOIDS = (("cosine", np.cos), ("sine", np.sin))
_SMALLEST_FFT = 4


def uses_fft(audio: Audio) -> bool:
    """Whether an FFT computes the spectrum, rather than a DFT."""
    size = audio.fft_size
    return size >= _SMALLEST_FFT and size & (size - 1) == 0


def bin_count(audio: Audio) -> int:
    """Return how many FFT bins the mel filters may need: those below half the sample rate."""
    return (audio.fft_size + 1) // 2


def spectrum_text(entry: PreprocessedInput, audio: Audio) -> str:
    """Write the function that computes a frame's magnitudes, and its tables."""
    angles = 2 * np.pi * np.arange(audio.fft_size) / audio.fft_size
    tables = {name: sinusoid_literals(function(angles)) for name, function in _SINUSOIDS}
    common = entry.render(_MAGNITUDE) + _windowed(entry, audio.frame_length or 0)
    if uses_fft(audio):
        quarters = tables["sine"][: audio.fft_size * 3 // 4]
        sine = c_table(entry.render("${input}_sine"), "float", quarters)
        return common + _SINE + sine + entry.render(_FFT)
    full_tables = (
        c_table(entry.render(f"${{input}}_{name}"), "float", tables[name]) for name in tables
    )
    return common + "".join(full_tables) + entry.render(_DFT, about=_dft_comment(audio))


def _windowed(entry: PreprocessedInput, length: int) -> str:
    """Write the function that windows a frame of ``length`` samples, and half of the window.

    ``hann_window`` has an even period.
    """
    is_odd = length % 2 == 1 and length > 1
    half = float_literals(hann_window(length)[: (length - is_odd) // 2 + 1])
    period = entry.render("${INPUT}_FRAME_LENGTH - 1" if is_odd else "${INPUT}_FRAME_LENGTH")
    table = c_table(entry.render("${input}_window"), "float", half)
    return table + entry.render(_WINDOWED, period=period)


def _dft_comment(audio: Audio) -> str:
    """Write the comment that states the cost of a length that is not a power of two."""
    size, length = audio.fft_size, audio.frame_length or 0
    products = 2 * (bin_count(audio) - 1) * length
    power = 1 << (size - 1).bit_length()
    return comment_block(
        "Magnitudes of a frame's spectrum, except for the first bin, which no feature needs. Since"
        f" the length {size} is not a power of two, this is a DFT, which takes {products} float"
        f" multiplications per frame. A model trained with fft_length {power} in the project file"
        f" would use an FFT, which takes about {power * power.bit_length()}."
    )
