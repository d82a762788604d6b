"""Kotlin templates of functions that preprocess images and audio."""

from __future__ import annotations

_RGB_OF = """\
/** Returns red, green and blue of each pixel: the image format that `run` expects. */
fun rgbOf(bitmap: Bitmap): ByteArray {
    val pixels = IntArray(bitmap.width * bitmap.height)
    bitmap.getPixels(pixels, 0, bitmap.width, 0, 0, bitmap.width, bitmap.height)
    return ByteArray(3 * pixels.size) { (pixels[it / 3] shr (16 - 8 * (it % 3))).toByte() }
}

private fun byteOf(rgb: ByteArray, pixel: Int, channel: Int): Float =
    (rgb[3 * pixel + channel].toInt() and 0xff).toFloat()
"""

_IMAGE = """\
/*
 * Preprocessing of the image:
@steps@
 */
fun preprocess@Name@(rgb: ByteArray, width: Int, height: Int): FloatArray {
    require(min(width, height) > 0 && rgb.size == 3 * width * height) {
        "an RGB image of $width x $height has ${3 * width * height} bytes, not ${rgb.size}"
    }
    @required@
    val values = FloatArray(@size@)
    var place = 0
    for (row in @rows@) {
        for (column in @columns@) {
            @pixel@
        }
    }
    return values
}

@scaled@
"""

_SIZED = """\
require(width == @width@ && height == @height@) {
    "expected @width@ x @height@, got $width x $height"
}"""

_CROPPED = """\
require(width >= @width@ && height >= @height@) {
    "expected at least @width@ x @height@, got $width x $height"
}
val top = (height - @height@) / 2
val left = (width - @width@) / 2"""

_COLORED = """\
for (channel in 0 until 3) {
    val value = @value@
    values[place] = @normalized@
    place += 1
}"""

_GRAY = """\
val red = @red@
val green = @green@
val blue = @blue@
val value = @red_part@f * red + @green_part@f * green + @blue_part@f * blue
values[place] = @normalized@
place += 1"""

_SCALED = """\
/** One channel of a pixel, after resizing the image to height @height@ and width @width@. */
private fun scaled@Name@(
    rgb: ByteArray, width: Int, height: Int, row: Int, column: Int, channel: Int
): Float {
    val y = (row + 0.5f) * (height / @height@.0).toFloat() - 0.5f
    val x = (column + 0.5f) * (width / @width@.0).toFloat() - 0.5f
    val top = max(floor(y).toInt(), 0)
    val bottom = min(ceil(y).toInt(), height - 1)
    val left = max(floor(x).toInt(), 0)
    val right = min(ceil(x).toInt(), width - 1)
    fun at(row: Int, column: Int) = byteOf(rgb, row * width + column, channel)
    val along = x - floor(x)
    val upper = at(top, left) + (at(top, right) - at(top, left)) * along
    val lower = at(bottom, left) + (at(bottom, right) - at(bottom, left)) * along
    return upper + (lower - upper) * (y - floor(y))
}
"""

_WAVE = """\
/*
 * Preprocessing of the audio:
@steps@
 */
fun preprocess@Name@(wave: FloatArray): FloatArray {
    @clip@
    return FloatArray(@size@) { @normalized@ }
}
"""

_UNCLIPPED = """\
require(wave.size in @least@ until @end@) { "expected @least@ samples, got ${wave.size}" }
val clip = wave"""

_FEATURES = """\
/*
 * Features computed from the audio:
@steps@
 */
fun preprocess@Name@(wave: FloatArray): FloatArray {
    @clip@
    val values = FloatArray(@size@)
    for (frame in 0 until @frames@) {
        val windowed = DoubleArray(@fft@)
        for (i in 0 until @length@) {
            windowed[i] = clip[frame * @step@ + i] * (0.5 - 0.5 * cos(2 * PI * i / @period@))
        }
        val spectrum = magnitudes@Name@(windowed)
        val logs = FloatArray(@mels@) { bin ->
            var sum = 0.0
            for (i in spectrum.indices) sum += spectrum[i] * triangles@Name@[bin][i]
            ln(sum + @offset@).toFloat()
        }
        @store@
    }
    return values
}

/** Weights of FFT bins, @hertz@ Hz apart, in @mels@ triangular mel filters. */
private val triangles@Name@ = Array(@mels@) { bin ->
    fun mel(hertz: Double) = @high_q@ * ln1p(hertz / @break_hz@)
    val step = (mel(@top@) - mel(@bottom@)) / @edges@
    val lower = mel(@bottom@) + bin * step
    DoubleArray(@bins@) { i ->
        val place = (mel(i * @hertz@) - lower) / step
        if (i == 0) 0.0 else max(0.0, min(place, 2 - place))
    }
}

@magnitudes@
"""

_LOGS = """\
for (k in logs.indices) {
    val value = logs[k]
    values[frame * @width@ + k] = @normalized@
}"""

_MFCCS = """\
for (k in 0 until @width@) {
    var sum = 0.0
    for (n in logs.indices) {
        sum += logs[n] * cos(PI * k * (n + 0.5) / @mels@) * sqrt(2.0 / @mels@)
    }
    val value = sum.toFloat()
    values[frame * @width@ + k] = @normalized@
}"""

_FFT = """\
/** Magnitude spectrum up to the Nyquist frequency, by an in-place radix-2 FFT. */
private fun magnitudes@Name@(real: DoubleArray): DoubleArray {
    val imaginary = DoubleArray(real.size)
    var turned = 0  // i with its bits reversed
    for (i in 1 until real.size) {
        var bit = real.size shr 1
        while ((turned and bit) != 0) {
            turned = turned xor bit
            bit = bit shr 1
        }
        turned = turned xor bit
        if (i < turned) real[i] = real[turned].also { real[turned] = real[i] }
    }
    var half = 1
    while (half < real.size) {
        for (k in 0 until half) {
            val c = cos(PI * k / half)
            val s = sin(PI * k / half)
            for (i in k until real.size step 2 * half) {
                val j = i + half
                val r = real[j] * c + imaginary[j] * s
                val m = imaginary[j] * c - real[j] * s
                real[j] = real[i] - r
                imaginary[j] = imaginary[i] - m
                real[i] += r
                imaginary[i] += m
            }
        }
        half *= 2
    }
    return DoubleArray(real.size / 2 + 1) { hypot(real[it], imaginary[it]) }
}
"""

_DFT = """\
/** Magnitude spectrum up to the Nyquist frequency, by a DFT (length not a power of two). */
private fun magnitudes@Name@(wave: DoubleArray): DoubleArray {
    val cosines = DoubleArray(wave.size) { cos(2 * PI * it / wave.size) }
    val sines = DoubleArray(wave.size) { sin(2 * PI * it / wave.size) }
    return DoubleArray(wave.size / 2 + 1) { bin ->
        var real = 0.0
        var imaginary = 0.0
        var turn = 0
        for (value in wave) {
            real += value * cosines[turn]
            imaginary += value * sines[turn]
            turn = (turn + bin) % wave.size
        }
        hypot(real, imaginary)
    }
}
"""

PREPROCESSING = {
    "rgb_of": _RGB_OF,
    "image": _IMAGE,
    "sized": _SIZED,
    "cropped": _CROPPED,
    "colored": _COLORED,
    "gray": _GRAY,
    "byte": "byteOf(rgb, row * width + column, @channel@)",
    "scaled_call": "scaled@Name@(rgb, width, height, row, column, @channel@)",
    "scaled": _SCALED,
    "wave": _WAVE,
    "clipped": "val clip = wave.copyOf(@samples@)",
    "unclipped": _UNCLIPPED,
    "clip_element": "clip[it]",
    "features": _FEATURES,
    "logs": _LOGS,
    "mfccs": _MFCCS,
    "fft": _FFT,
    "dft": _DFT,
}
