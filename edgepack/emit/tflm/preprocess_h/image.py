"""C code for image inputs: resize, crop, convert colors and quantize, one pixel at a time."""

from __future__ import annotations

from dataclasses import replace
from textwrap import indent

import numpy as np

from edgepack.calibration.datasets.preprocess import GRAY, preprocess
from edgepack.config.preprocessing import Image
from edgepack.emit.c.source_text import c_float
from edgepack.emit.tflm.preprocess_h.entry import Array, PreprocessedInput, c_table, comment_block
from edgepack.quantization.affine import quantize

_BYTE_VALUES = 256
_RGB_CHANNELS = 3

_MACROS = """\
/* Size of the model's input image, and bytes per pixel of the source image. */
#define ${INPUT}_HEIGHT $height
#define ${INPUT}_WIDTH $width
#define ${INPUT}_CHANNELS $channels
#define ${INPUT}_PIXEL_BYTES $pixel_bytes

"""

_RESIZED = """\
/* The source image is resized to this size, then center-cropped. */
#define ${INPUT}_RESIZED_HEIGHT $height
#define ${INPUT}_RESIZED_WIDTH $width

"""

_BETWEEN = """\
/* The two source pixels to interpolate between, and the distance from the first. */
typedef struct {
    size_t first;
    size_t second;
    float distance;
} ${input}_place;

/* Finds the source of a pixel when `given` pixels are resized to `wanted` (half-pixel centers). */
static inline ${input}_place ${input}_find(size_t index, size_t given, size_t wanted)
{
    const float ratio = (float)given / (float)wanted;
    const float center = ${model}_round_product(((float)index + 0.5f) * ratio) - 0.5f;
    ${input}_place place = {0, 0, 0.0f};
    if (center > 0.0f) {
        place.first = (size_t)center;
        place.second = place.first + 1 < given ? place.first + 1 : given - 1;
        place.distance = center - (float)place.first;
    }
    return place;
}

static inline float ${input}_between(float first, float second, float distance)
{
    return first + ${model}_round_product((second - first) * distance);
}

/* Interpolates a byte between four pixels: top left, top right, bottom left, bottom right. */
static inline float ${input}_mix(
    const uint8_t *const *corners, size_t byte, float down, float along)
{
    const float top = ${input}_between(corners[0][byte], corners[1][byte], along);
    const float bottom = ${input}_between(corners[2][byte], corners[3][byte], along);
    return ${input}_between(top, bottom, down);
}

"""

_LUMA = """\
/* Converts to grayscale: luma according to ITU-R BT.601. */
static inline float ${input}_gray(float red, float green, float blue)
{
    const float red_and_green =
        ${model}_round_product($red * red) + ${model}_round_product($green * green);
    return red_and_green + ${model}_round_product($blue * blue);
}

"""

_EACH_BYTE = """\
$about
static inline void ${model}_preprocess_${io}(const uint8_t *pixels, $type *input)
{
    for (size_t i = 0; i < ${INPUT}_ELEMENTS; i++) {
        input[i] = $value;
    }
}
"""

_PLAIN = """\
$about
static inline void ${model}_preprocess_${io}(const uint8_t *pixels, $type *input)
{
    const $type *const end = input + ${INPUT}_ELEMENTS;
    for (const uint8_t *pixel = pixels; input < end; pixel += ${INPUT}_PIXEL_BYTES) {
$stores
    }
}
"""

_CROP = """\
$about
static inline void ${model}_preprocess_${io}(
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
static inline void ${model}_preprocess_${io}(
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
    """Write the function that preprocesses an image input; pixels are uint8, red first.

    It is integer-only if each value depends on a single byte. Without ``colors`` a pixel has as
    many bytes as the input has channels, with ``colors`` three.
    """
    shape = entry.tensor.sample_shape
    pixel_bytes = shape[-1] if image.colors is None else _RGB_CHANNELS
    macros = entry.render(_MACROS, **_sizes(shape), pixel_bytes=pixel_bytes)
    needs_floats = image.resize or image.colors == "gray" or "float" in entry.tensor.dtype
    return macros + (_in_floats(entry, image) if needs_floats else _by_byte(entry, image))


def _sizes(shape: tuple[int, ...]) -> dict[str, int]:
    return dict(zip(("height", "width", "channels"), shape, strict=False))


def _by_byte(entry: PreprocessedInput, image: Image) -> str:
    """Write code that maps each byte to a value: by an addition, or by a table computed here."""
    tables = _byte_tables(entry)
    name = entry.render("${input}_of_byte")
    constants, is_shared = "", bool((tables == tables[0]).all())
    if not is_shared:
        constants = c_table(name, entry.type, map(str, tables.ravel()), _BYTE_VALUES)
        value = f"{name}[channel][%s]"
    elif (tables[0] - np.arange(_BYTE_VALUES) == tables[0, 0]).all():
        value = entry.render(f"($type){_plus(int(tables[0, 0]))}")
    else:
        constants = c_table(name, entry.type, map(str, tables[0]))
        value = f"{name}[%s]"
    if constants:
        per_channel = "" if is_shared else ", per channel"
        constants = f"/* The input value for each byte{per_channel}. */\n{constants}"
    if is_shared and image.crop is None and image.colors != "bgr":
        about = _comment(entry, image)
        return constants + entry.render(_EACH_BYTE, about=about, value=value % "pixels[i]")
    byte = f"pixel[{_byte_index(entry, image)}]"
    return constants + _function(entry, image, f"*input++ = {value % byte};")


def _byte_tables(entry: PreprocessedInput) -> Array:
    """Compute the input value of each byte in each channel: int64, shape (channels, 256)."""
    channels = entry.tensor.sample_shape[-1]
    pixels = np.repeat(np.arange(_BYTE_VALUES, dtype=np.uint8)[:, np.newaxis], channels, axis=1)
    real = preprocess(replace(entry.preprocessing, image=None), pixels)
    if not entry.is_plain_integer:
        return quantize(real, entry.tensor).T.astype(np.int64)
    limits = np.iinfo(entry.tensor.dtype)
    return np.clip(np.rint(real.astype(np.float32)), limits.min, limits.max).T.astype(np.int64)


def _plus(offset: int) -> str:
    """Write the addition of an offset to a placeholder ``%s``."""
    return f"(%s {'+' if offset > 0 else '-'} {abs(offset)})" if offset else "%s"


def _in_floats(entry: PreprocessedInput, image: Image) -> str:
    """Write code that computes each value in float."""
    helpers, read = "", "(float)pixel[%s]"
    if image.resize:
        helpers = entry.render(_RESIZED, **_sizes(image.resize)) + entry.render(_BETWEEN)
        read = entry.render("${input}_mix(corners, %s, down.distance, along.distance)")
    if image.colors == "gray":
        red, green, blue = map(c_float, GRAY)
        helpers += entry.render(_LUMA, red=red, green=green, blue=blue)
        lines = [f"const float {c} = {read % i};" for i, c in enumerate(("red", "green", "blue"))]
        real = entry.render("${input}_gray(red, green, blue)")
    else:
        lines, real = [f"const float x = {read % _byte_index(entry, image)};"], "x"
    lines.append(f"*input++ = {entry.convert_call(entry.normalize_call(real, 'channel'))};")
    helpers += entry.normalize_function() + entry.round_function()
    return helpers + _function(entry, image, "\n".join(lines))


def _byte_index(entry: PreprocessedInput, image: Image) -> str:
    """Write the index, within a pixel, of the byte that the current channel is computed from."""
    if entry.tensor.sample_shape[-1] == 1:
        return "0"
    return "2 - channel" if image.colors == "bgr" else "channel"


def _function(entry: PreprocessedInput, image: Image, store: str) -> str:
    """Write the function that loops over the pixels and runs ``store`` for each value."""
    has_channels = entry.tensor.sample_shape[-1] > 1
    stores = entry.render(_CHANNELS, store=indent(store, "    ")) if has_channels else store
    about = _comment(entry, image)
    if image.resize is None:
        template, depth = (_PLAIN, 2) if image.crop is None else (_CROP, 3)
        return entry.render(template, stores=indent(stores, "    " * depth), about=about)
    return entry.render(_RESIZE, stores=indent(stores, "    " * 3), about=about)


def _comment(entry: PreprocessedInput, image: Image) -> str:
    """Write the comment that describes the function's arguments and steps."""
    height, width, channels = entry.tensor.sample_shape
    size, rows = f"{height} x {width}", f"{height} rows of {width} pixels"
    if image.resize:
        rows = "`height` rows of `width` pixels, of any size"
    elif image.crop:
        rows = f"`height` rows of `width` pixels, at least {size}"
    count = channels if image.colors is None else _RGB_CHANNELS
    order = {1: "one byte", _RGB_CHANNELS: "red, green, blue"}.get(count, f"{count} bytes")
    steps = []
    if image.resize:
        steps.append(f"resized to {image.resize[0]} x {image.resize[1]} (bilinear)")
    if image.crop:
        steps.append(f"center-cropped to {size}")
    if image.colors == "gray":
        steps.append("converted to grayscale")
    if image.colors == "bgr":
        steps.append("reordered to blue, green, red")
    steps_text = f" They are {', then '.join(steps)}." if steps else ""
    return comment_block(f"pixels: {rows}, top row first, each pixel {order}.{steps_text}")
