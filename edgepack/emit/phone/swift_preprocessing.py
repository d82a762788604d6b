"""Swift templates of functions that preprocess images and audio."""

from __future__ import annotations

_RGB_OF = """\
/// Returns red, green and blue of each pixel: the image format that `run` expects.
public static func rgb(of image: CGImage) throws -> [UInt8] {
    let (width, height) = (image.width, image.height)
    var pixels = [UInt8](repeating: 0, count: 4 * width * height)
    try pixels.withUnsafeMutableBytes { (bytes: UnsafeMutableRawBufferPointer) -> Void in
        let context = CGContext(
            data: bytes.baseAddress, width: width, height: height, bitsPerComponent: 8,
            bytesPerRow: 4 * width, space: CGColorSpaceCreateDeviceRGB(),
            bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
        guard let canvas = context else { throw Failure.wrongSize }
        canvas.draw(image, in: CGRect(x: 0, y: 0, width: width, height: height))
    }
    return (0..<3 * width * height).map { pixels[$0 / 3 * 4 + $0 % 3] }
}
"""

_IMAGE = """\
/*
 * Preprocessing of the image:
@steps@
 */
public static func preprocess@Name@(
    _ rgb: [UInt8], _ width: Int, _ height: Int
) throws -> [Float] {
    guard min(width, height) > 0 && rgb.count == 3 * width * height else {
        throw Failure.wrongSize
    }
    @required@
    var values = [Float]()
    values.reserveCapacity(@size@)
    for row in @rows@ {
        for column in @columns@ {
            @pixel@
        }
    }
    return values
}

@scaled@
"""

_SIZED = "guard width == @width@ && height == @height@ else { throw Failure.wrongSize }"

_CROPPED = """\
guard width >= @width@ && height >= @height@ else { throw Failure.wrongSize }
let top = (height - @height@) / 2
let left = (width - @width@) / 2"""

_COLORED = """\
for channel in 0..<3 {
    let value: Float = @value@
    values.append(@normalized@)
}"""

_GRAY = """\
let red: Float = @red@
let green: Float = @green@
let blue: Float = @blue@
let value: Float = @red_part@ * red + @green_part@ * green + @blue_part@ * blue
values.append(@normalized@)"""

_SCALED = """\
/// One channel of a pixel, after resizing the image to height @height@ and width @width@.
private static func scaled@Name@(
    _ rgb: [UInt8], _ width: Int, _ height: Int, _ row: Int, _ column: Int, _ channel: Int
) -> Float {
    let y: Float = (Float(row) + 0.5) * Float(Double(height) / @height@) - 0.5
    let x: Float = (Float(column) + 0.5) * Float(Double(width) / @width@) - 0.5
    let top = max(Int(y.rounded(.down)), 0)
    let bottom = min(Int(y.rounded(.up)), height - 1)
    let left = max(Int(x.rounded(.down)), 0)
    let right = min(Int(x.rounded(.up)), width - 1)
    func at(_ row: Int, _ column: Int) -> Float {
        return Float(rgb[3 * (row * width + column) + channel])
    }
    let along = x - x.rounded(.down)
    let upper = at(top, left) + (at(top, right) - at(top, left)) * along
    let lower = at(bottom, left) + (at(bottom, right) - at(bottom, left)) * along
    return upper + (lower - upper) * (y - y.rounded(.down))
}
"""

_WAVE = """\
/*
 * Preprocessing of the audio:
@steps@
 */
public static func preprocess@Name@(_ wave: [Float]) throws -> [Float] {
    @clip@
    return clip.indices.map { @normalized@ }
}
"""

_CLIPPED = """\
let missing = max(0, @samples@ - wave.count)
let clip = Array(wave.prefix(@samples@)) + [Float](repeating: 0, count: missing)"""

_UNCLIPPED = """\
guard (@least@..<@end@).contains(wave.count) else { throw Failure.wrongSize }
let clip = wave"""

_FEATURES = """\
/*
 * Features computed from the audio:
@steps@
 */
public static func preprocess@Name@(_ wave: [Float]) throws -> [Float] {
    @clip@
    var values = [Float]()
    values.reserveCapacity(@size@)
    for frame in 0..<@frames@ {
        var windowed = [Double](repeating: 0, count: @fft@)
        for i in 0..<@length@ {
            let turn: Double = 2 * Double.pi * Double(i) / @period@
            let hann: Double = 0.5 - 0.5 * cos(turn)
            windowed[i] = Double(clip[frame * @step@ + i]) * hann
        }
        let spectrum = magnitudes@Name@(windowed)
        let logs: [Float] = triangles@Name@.map { triangle in
            var sum = 0.0
            for i in spectrum.indices { sum += spectrum[i] * triangle[i] }
            return Float(log(sum + @offset@))
        }
        @store@
    }
    return values
}

/// Weights of FFT bins, @hertz@ Hz apart, in @mels@ triangular mel filters.
private static let triangles@Name@: [[Double]] = {
    func mel(_ hertz: Double) -> Double { return @high_q@ * log1p(hertz / @break_hz@) }
    let step = (mel(@top@) - mel(@bottom@)) / @edges@
    return (0..<@mels@).map { bin in
        let lower = mel(@bottom@) + Double(bin) * step
        return (0..<@bins@).map { i in
            let place = (mel(Double(i) * @hertz@) - lower) / step
            return i == 0 ? 0 : max(0, min(place, 2 - place))
        }
    }
}()

@magnitudes@
"""

_LOGS = """\
for k in logs.indices {
    let value = logs[k]
    values.append(@normalized@)
}"""

_MFCCS = """\
let norm: Double = (2.0 / @mels@.0).squareRoot()
for k in 0..<@width@ {
    var sum = 0.0
    for n in logs.indices {
        let angle: Double = Double.pi * Double(k) * (Double(n) + 0.5) / @mels@
        sum += Double(logs[n]) * cos(angle) * norm
    }
    let value = Float(sum)
    values.append(@normalized@)
}"""

_FFT = """\
/// Magnitude spectrum up to the Nyquist frequency, by a radix-2 FFT.
private static func magnitudes@Name@(_ wave: [Double]) -> [Double] {
    var real = wave
    var imaginary = [Double](repeating: 0, count: real.count)
    var turned = 0  // i with its bits reversed
    for i in 1..<real.count {
        var bit = real.count / 2
        while turned & bit != 0 {
            turned ^= bit
            bit /= 2
        }
        turned ^= bit
        if i < turned { real.swapAt(i, turned) }
    }
    var half = 1
    while half < real.count {
        for k in 0..<half {
            let angle = Double.pi * Double(k) / Double(half)
            let (c, s) = (cos(angle), sin(angle))
            for i in stride(from: k, to: real.count, by: 2 * half) {
                let j = i + half
                let r = real[j] * c + imaginary[j] * s
                let m = imaginary[j] * c - real[j] * s
                real[j] = real[i] - r
                imaginary[j] = imaginary[i] - m
                real[i] += r
                imaginary[i] += m
            }
        }
        half *= 2
    }
    return (0...real.count / 2).map { hypot(real[$0], imaginary[$0]) }
}
"""

_DFT = """\
/// Magnitude spectrum up to the Nyquist frequency, by a DFT (length not a power of two).
private static func magnitudes@Name@(_ wave: [Double]) -> [Double] {
    let angles: [Double] = wave.indices.map { 2 * Double.pi * Double($0) / Double(wave.count) }
    let cosines: [Double] = angles.map { cos($0) }
    let sines: [Double] = angles.map { sin($0) }
    return (0...wave.count / 2).map { bin in
        var (real, imaginary, turn) = (0.0, 0.0, 0)
        for value in wave {
            real += value * cosines[turn]
            imaginary += value * sines[turn]
            turn = (turn + bin) % wave.count
        }
        return hypot(real, imaginary)
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
    "byte": "Float(rgb[3 * (row * width + column) + @channel@])",
    "scaled_call": "scaled@Name@(rgb, width, height, row, column, @channel@)",
    "scaled": _SCALED,
    "wave": _WAVE,
    "clipped": _CLIPPED,
    "unclipped": _UNCLIPPED,
    "clip_element": "clip[$0]",
    "features": _FEATURES,
    "logs": _LOGS,
    "mfccs": _MFCCS,
    "fft": _FFT,
    "dft": _DFT,
}
