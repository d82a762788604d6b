"""Images: bytes of pixels in, resized, cropped, recoloured and quantized, one pixel at a time."""

from __future__ import annotations

from dataclasses import replace
from textwrap import indent

import numpy as np

from edgepack.calibration.datasets.preprocess import GRAY, preprocess
from edgepack.config.preprocessing import Image
from edgepack.emit.c.source_text import c_float
from edgepack.emit.tflm.preprocess_h.entry import Array, PreprocessedInput, c_about, c_table
from edgepack.quantization.affine import quantize

_BYTES = 256
_COLORS = 3

_MACROS = """\
/* The image that the model takes, and how many bytes a pixel of what is given has. */
#define ${INPUT}_HEIGHT $height
#define ${INPUT}_WIDTH $width
#define ${INPUT}_CHANNELS $channels
#define ${INPUT}_PIXEL_BYTES $pixel_bytes

"""

_RESIZED = """\
/* What is given is resized to this size, of which the centre is taken. */
#define ${INPUT}_RESIZED_HEIGHT $height
#define ${INPUT}_RESIZED_WIDTH $width

"""

_BETWEEN = """\
/* Where a pixel of the resized image lies: between two given ones, so far from the first. */
typedef struct {
    size_t first;
    size_t second;
    float distance;
} ${input}_place;

/* Pixels are points at half-pixel centres; `given` of them in a line become `wanted`. */
static inline ${input}_place ${input}_find(size_t index, size_t given, size_t wanted)
{
    const float ratio = (float)given / (float)wanted;
    const float centre = ${kws}_round_product(((float)index + 0.5f) * ratio) - 0.5f;
    ${input}_place place = {0, 0, 0.0f};
    if (centre > 0.0f) {
        place.first = (size_t)centre;
        place.second = place.first + 1 < given ? place.first + 1 : given - 1;
        place.distance = centre - (float)place.first;
    }
    return place;
}

static inline float ${input}_between(float first, float second, float distance)
{
    return first + ${kws}_round_product((second - first) * distance);
}

/* A byte of the pixel between four: top left, top right, bottom left and bottom right. */
static inline float ${input}_mix(
    const uint8_t *const *corners, size_t byte, float down, float along)
{
    const float top = ${input}_between(corners[0][byte], corners[1][byte], along);
    const float bottom = ${input}_between(corners[2][byte], corners[3][byte], along);
    return ${input}_between(top, bottom, down);
}

"""

_LUMA = """\
/* Gray, by the luma of ITU-R BT.601. */
static inline float ${input}_gray(float red, float green, float blue)
{
    const float red_and_green =
        ${kws}_round_product($red * red) + ${kws}_round_product($green * green);
    return red_and_green + ${kws}_round_product($blue * blue);
}

"""

_EACH_BYTE = """\
$about
static inline void ${kws}_preprocess_${end}(const uint8_t *pixels, $type *input)
{
    for (size_t i = 0; i < ${INPUT}_ELEMENTS; i++) {
        input[i] = $stored;
    }
}
"""

_PLAIN = """\
$about
static inline void ${kws}_preprocess_${end}(const uint8_t *pixels, $type *input)
{
    const $type *const end = input + ${INPUT}_ELEMENTS;
    for (const uint8_t *pixel = pixels; input < end; pixel += ${INPUT}_PIXEL_BYTES) {
$stores
    }
}
"""

_CROP = """\
$about
static inline void ${kws}_preprocess_${end}(
    const uint8_t *pixels, size_t height, size_t width, $type *input)
{
    const size_t top = (height - ${INPUT}_HEIGHT) / 2;
    const size_t left = (width - ${INPUT}_WIDTH) / 2;
    for (size_t row = top; row < top + ${INPUT}_HEIGHT; row++) {
        const uint8_t *pixel = pixels + (row * width + left) * ${INPUT}_PIXEL_BYTES;
        for (size_t i = 0; i < ${INPUT}_WIDTH; i++, pixel += ${INPUT}_PIXEL_BYTES) {
$stores
        }
    }
}
"""

_RESIZE = """\
$about
static inline void ${kws}_preprocess_${end}(
    const uint8_t *pixels, size_t height, size_t width, $type *input)
{
    const size_t line = width * ${INPUT}_PIXEL_BYTES;
    const size_t top = (${INPUT}_RESIZED_HEIGHT - ${INPUT}_HEIGHT) / 2;
    const size_t left = (${INPUT}_RESIZED_WIDTH - ${INPUT}_WIDTH) / 2;
    for (size_t row = top; row < top + ${INPUT}_HEIGHT; row++) {
        const ${input}_place down =
            ${input}_find(row, height, ${INPUT}_RESIZED_HEIGHT);
        const uint8_t *upper = pixels + down.first * line;
        const uint8_t *lower = pixels + down.second * line;
        for (size_t column = left; column < left + ${INPUT}_WIDTH; column++) {
            const ${input}_place along =
                ${input}_find(column, width, ${INPUT}_RESIZED_WIDTH);
            const size_t first = along.first * ${INPUT}_PIXEL_BYTES;
            const size_t second = along.second * ${INPUT}_PIXEL_BYTES;
            const uint8_t *const corners[] = {
                upper + first, upper + second, lower + first, lower + second
            };
$stores
        }
    }
}
"""

_CHANNELS = """\
for (size_t channel = 0; channel < ${INPUT}_CHANNELS; channel++) {
$store
}"""


def image_text(entry: PreprocessedInput, image: Image) -> str:
    """Write the function of an input that takes images; pixels are uint8, red first.

    It is integer-only where each value depends on one byte alone. Without ``colors`` a pixel has
    as many bytes as the input has channels, with them three.
    """
    shape = entry.tensor.sample_shape
    pixel_bytes = shape[-1] if image.colors is None else _COLORS
    macros = entry.fill(_MACROS, **_sizes(shape), pixel_bytes=pixel_bytes)
    is_real = image.resize or image.colors == "gray" or "float" in entry.tensor.dtype
    return macros + (_of_reals(entry, image) if is_real else _of_bytes(entry, image))


def _sizes(shape: tuple[int, ...]) -> dict[str, int]:
    return dict(zip(("height", "width", "channels"), shape, strict=False))


def _of_bytes(entry: PreprocessedInput, image: Image) -> str:
    """Write what maps each byte to a value, by a sum or a table, computed in Python."""
    tables = _byte_tables(entry)
    name = entry.fill("${input}_of_byte")
    constants, is_alike = "", bool((tables == tables[0]).all())
    if not is_alike:
        constants = c_table(name, entry.type, map(str, tables.ravel()), _BYTES)
        stored = f"{name}[channel][%s]"
    elif (tables[0] - np.arange(_BYTES) == tables[0, 0]).all():
        stored = entry.fill(f"($type){_sum(int(tables[0, 0]))}")
    else:
        constants = c_table(name, entry.type, map(str, tables[0]))
        stored = f"{name}[%s]"
    if constants:
        constants = (
            f"/* What becomes of each byte{'' if is_alike else ', by channel'}. */\n{constants}"
        )
    if is_alike and image.crop is None and image.colors != "bgr":
        about = _about(entry, image)
        return constants + entry.fill(_EACH_BYTE, about=about, stored=stored % "pixels[i]")
    byte = f"pixel[{_byte(entry, image)}]"
    return constants + _function(entry, image, f"*input++ = {stored % byte};")


def _byte_tables(entry: PreprocessedInput) -> Array:
    """Compute what becomes of each byte in each channel, shape (channels, 256)."""
    channels = entry.tensor.sample_shape[-1]
    given = np.repeat(np.arange(_BYTES, dtype=np.uint8)[:, np.newaxis], channels, axis=1)
    real = preprocess(replace(entry.described, image=None), given)
    if not entry.is_whole:
        return quantize(real, entry.tensor).T.astype(np.int64)
    limits = np.iinfo(entry.tensor.dtype)
    return np.clip(np.rint(real.astype(np.float32)), limits.min, limits.max).T.astype(np.int64)


def _sum(offset: int) -> str:
    return f"(%s {'+' if offset > 0 else '-'} {abs(offset)})" if offset else "%s"


def _of_reals(entry: PreprocessedInput, image: Image) -> str:
    """Write what computes each value in float."""
    helpers, read = "", "(float)pixel[%s]"
    if image.resize:
        helpers = entry.fill(_RESIZED, **_sizes(image.resize)) + entry.fill(_BETWEEN)
        read = entry.fill("${input}_mix(corners, %s, down.distance, along.distance)")
    if image.colors == "gray":
        red, green, blue = map(c_float, GRAY)
        helpers += entry.fill(_LUMA, red=red, green=green, blue=blue)
        lines = [f"const float {c} = {read % i};" for i, c in enumerate(("red", "green", "blue"))]
        real = entry.fill("${input}_gray(red, green, blue)")
    else:
        lines, real = [f"const float x = {read % _byte(entry, image)};"], "x"
    lines.append(f"*input++ = {entry.stored(entry.value(real, 'channel'))};")
    helpers += entry.value_function() + entry.stored_function()
    return helpers + _function(entry, image, "\n".join(lines))


def _byte(entry: PreprocessedInput, image: Image) -> str:
    """Write which byte of a pixel belongs to the channel that is computed."""
    if entry.tensor.sample_shape[-1] == 1:
        return "0"
    return "2 - channel" if image.colors == "bgr" else "channel"


def _function(entry: PreprocessedInput, image: Image, store: str) -> str:
    """Write the function that goes through the pixels."""
    has_channels = entry.tensor.sample_shape[-1] > 1
    stores = entry.fill(_CHANNELS, store=indent(store, "    ")) if has_channels else store
    about = _about(entry, image)
    if image.resize is None:
        template, depth = (_PLAIN, 2) if image.crop is None else (_CROP, 3)
        return entry.fill(template, stores=indent(stores, "    " * depth), about=about)
    return entry.fill(_RESIZE, stores=indent(stores, "    " * 3), about=about)


def _about(entry: PreprocessedInput, image: Image) -> str:
    """Say what is given and what becomes of it."""
    height, width, channels = entry.tensor.sample_shape
    size, rows = f"{height} x {width}", f"{height} rows of {width} pixels"
    if image.resize:
        rows = "`height` rows of `width` pixels, of any size"
    elif image.crop:
        rows = f"`height` rows of `width` pixels, {size} at least"
    count = channels if image.colors is None else _COLORS
    order = {1: "a byte", _COLORS: "red, green, blue"}.get(count, f"{count} bytes")
    steps = []
    if image.resize:
        steps.append(f"resized to {image.resize[0]} x {image.resize[1]} (bilinear)")
    if image.crop:
        steps.append(f"cropped to the {size} at the centre")
    if image.colors == "gray":
        steps.append("turned gray")
    if image.colors == "bgr":
        steps.append("put in the order blue, green, red")
    done = f"; they are {', '.join(steps)}" if steps else ""
    return c_about(f"pixels: {rows}, the top row first, each {order}{done}.")
