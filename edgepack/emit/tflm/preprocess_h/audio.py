"""C code for audio inputs: from 16-bit PCM to a waveform, a log-mel spectrogram or MFCCs."""

from __future__ import annotations

import numpy as np

from edgepack.calibration.datasets.audio_features import dct_matrix, mel_matrix
from edgepack.config.preprocessing import Audio
from edgepack.emit.c.source_text import c_float
from edgepack.emit.preprocessing_fit import waveform_length
from edgepack.emit.tflm.preprocess_h.entry import (
    PreprocessedInput,
    c_table,
    comment_block,
    float_literals,
    sinusoid_literals,
)
from edgepack.emit.tflm.preprocess_h.spectrum import bin_count, spectrum_text, uses_fft

_MACROS = """\
/* Number of samples, and their sample rate in Hz. */
#define ${INPUT}_SAMPLES $samples
#define ${INPUT}_SAMPLE_RATE $rate

"""

_WAVE = """\
$about
static inline void ${model}_preprocess_${io}(const int16_t *samples, $type *input)
{
    for (size_t i = 0; i < ${INPUT}_SAMPLES; i++) {
        const float wave = (float)samples[i] / 32768.0f;
        input[i] = $stored;
    }
}
"""

_SIZES = """\
/* Lengths in samples; workspace size in floats, for a frame, its spectrum and its mel bins. */
#define ${INPUT}_FRAMES $frames
#define ${INPUT}_FRAME_LENGTH $frame_length
#define ${INPUT}_FRAME_STEP $frame_step
#define ${INPUT}_FFT_LENGTH $fft_length
${bins}#define ${INPUT}_MEL_BINS $mel_bins
${last}#define ${INPUT}_WORKSPACE ($spectrum + ${INPUT}_MEL_BINS)

"""

_FFT_WORKSPACE = "${INPUT}_FFT_LENGTH"
_DFT_WORKSPACE = "${INPUT}_BINS + ${INPUT}_FRAME_LENGTH"

_LOG_MEL = """\
/* The logarithm of the weighted sum of magnitudes under each triangular mel filter. */
static inline void ${input}_log_mel(const float *magnitudes, float *mel)
{
    const float *weight = ${input}_mel_weights;
    for (size_t i = 0; i < ${INPUT}_MEL_BINS; i++) {
        const float *magnitude = magnitudes + ${input}_mel_first[i];
        float sum = 0.0f;
        for (size_t count = ${input}_mel_count[i]; count > 0; count--) {
            sum += *magnitude++ * *weight++;
        }
        mel[i] = logf(sum + $log_offset);
    }
}

"""

_MFCC = """\
/* One MFCC: a coefficient of the discrete cosine transform of the log-mel bins. */
static inline float ${input}_mfcc(const float *mel, size_t coefficient)
{
    float sum = 0.0f;
    for (size_t i = 0; i < ${INPUT}_MEL_BINS; i++) {
        sum += mel[i] * ${input}_cosines[coefficient][i];
    }
    return sum;
}

"""

_FEATURES = """\
$about
static inline void ${model}_preprocess_${io}(
    const int16_t *samples, $type *input, float *workspace)
{
    float *const mel = workspace + ${INPUT}_WORKSPACE - ${INPUT}_MEL_BINS;
    for (size_t frame = 0; frame < ${INPUT}_FRAMES; frame++) {
        ${input}_magnitudes(samples + frame * ${INPUT}_FRAME_STEP, workspace);
        ${input}_log_mel(workspace, mel);
        for (size_t i = 0; i < ${INPUT}_$count; i++) {
            *input++ = $stored;
        }
    }
}
"""


def audio_text(entry: PreprocessedInput, audio: Audio) -> str:
    """Write the function that preprocesses an audio input: 16-bit PCM, one channel."""
    samples = waveform_length(audio, entry.tensor.sample_shape)
    macros = entry.render(_MACROS, samples=samples, rate=audio.sample_rate)
    helpers = entry.normalize_function() + entry.round_function()
    return macros + (_features if audio.features else _wave)(entry, audio, helpers)


def _wave(entry: PreprocessedInput, audio: Audio, helpers: str) -> str:
    about = comment_block(
        f"samples: {entry.render('${INPUT}_SAMPLES')} samples of 16-bit mono PCM at"
        f" {audio.sample_rate} Hz; pad a shorter clip with zeros at its end."
    )
    stored = entry.convert_call(entry.normalize_call("wave", "i"))
    return helpers + entry.render(_WAVE, about=about, stored=stored)


def _features(entry: PreprocessedInput, audio: Audio, helpers: str) -> str:
    frames, count = entry.tensor.sample_shape[:2]
    is_mfcc = audio.features == "mfcc"
    features = f"{frames} frames of {count} {'MFCCs' if is_mfcc else 'mel bins'}"
    about = comment_block(
        f"samples: {entry.render('${INPUT}_SAMPLES')} samples of 16-bit mono PCM at"
        f" {audio.sample_rate} Hz; pad a shorter clip with zeros at its end. The model input is"
        f" {features}. workspace: scratch buffer of {entry.render('${INPUT}_WORKSPACE')} floats,"
        " unused after the call. Sums are computed in float here and in double in edgepack, so a"
        " value about halfway between two quantization steps may be rounded differently."
    )
    real = entry.render("${input}_mfcc(mel, i)") if is_mfcc else "mel[i]"
    sizes = entry.render(
        _SIZES,
        frames=frames,
        frame_length=audio.frame_length,
        frame_step=audio.frame_step,
        fft_length=audio.fft_size,
        bins=""
        if uses_fft(audio)
        else entry.render("#define ${INPUT}_BINS ") + f"{bin_count(audio)}\n",
        mel_bins=audio.mel_bins,
        last=entry.render("#define ${INPUT}_COEFFICIENTS ") + f"{count}\n" if is_mfcc else "",
        spectrum=entry.render(_FFT_WORKSPACE if uses_fft(audio) else _DFT_WORKSPACE),
    )
    return "".join(
        (
            sizes,
            spectrum_text(entry, audio),
            _mel_tables(entry, audio),
            entry.render(_LOG_MEL, log_offset=c_float(audio.log_offset)),
            _mfcc_function(entry, audio) if is_mfcc else "",
            helpers,
            entry.render(
                _FEATURES,
                about=about,
                count="COEFFICIENTS" if is_mfcc else "MEL_BINS",
                stored=entry.convert_call(entry.normalize_call(real, "i")),
            ),
        )
    )


def _mel_tables(entry: PreprocessedInput, audio: Audio) -> str:
    """Write the triangular mel filters: first bin, bin count and weights of each."""
    triangles = mel_matrix(audio).T
    nonzero_bins = [np.flatnonzero(triangle) for triangle in triangles]
    weights = [triangle[bins] for triangle, bins in zip(triangles, nonzero_bins, strict=True)]
    columns = {
        "first": [str(bins[0]) if len(bins) else "0" for bins in nonzero_bins],
        "count": [str(len(bins)) for bins in nonzero_bins],
    }
    tables = [
        c_table(entry.render(f"${{input}}_mel_{name}"), "uint16_t", column)
        for name, column in columns.items()
    ]
    # C has no empty arrays: write a single 0 if no triangle has a bin.
    all_weights = float_literals(np.concatenate(weights)) or ["0.0f"]
    tables.append(c_table(entry.render("${input}_mel_weights"), "float", all_weights))
    about = "Triangular mel filters: the first FFT bin, the number of bins and the weights of each."
    return f"{comment_block(about)}\n{''.join(tables)}"


def _mfcc_function(entry: PreprocessedInput, audio: Audio) -> str:
    cosines = sinusoid_literals(dct_matrix(audio).T.ravel())
    table = c_table(entry.render("${input}_cosines"), "float", cosines, audio.mel_bins)
    return table + entry.render(_MFCC)
