"""Kotlin and Swift identifiers for models, inputs and outputs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from edgepack.tflite.converter_names import NAMELESS, without_output_number

SIDE_SUFFIXES = ("Width", "Height")
"""Suffixes of an image input's name: the parameters for the size of the image."""

_MAX_LENGTH = 60
"""Most characters of a class name: its file's name, with suffix, must stay below 255 bytes."""

_USED_NAMES = """
    Any AnyObject Array AssetManager AutoCloseable Bitmap Bool Boolean BooleanArray Bundle Byte
    ByteArray ByteBuffer ByteOrder CGColorSpaceCreateDeviceRGB CGContext CGImage
    CGImageAlphaInfo CGRect Char Class Closeable Data Double DoubleArray Enum Error Failure
    FileChannel Float FloatArray Int Int16 Int32 Int64 Int8 IntArray Interpreter List Long
    LongArray Map Model Never Nothing Number Object OpaquePointer Optional Outputs PI Pair
    Protocol Self Short ShortArray String Throws Type UInt8 Unit UnsafeMutableRawBufferPointer
    Void
    """
"""Names that the emitted code or one of the languages uses for something else."""


def class_name(name: str) -> str:
    """Turn any text into a class name in ASCII.

    Names that the languages or the emitted code use for something else get the suffix ``Model``.

    >>> class_name("my-model v2"), class_name("3d"), class_name("class"), class_name("é")
    ('MyModelV2', 'Model3d', 'ClassModel', 'Model1')
    """
    words = "".join(map(_capitalized, _ascii_words(name)))[:_MAX_LENGTH]
    identifier = words if words[:1].isalpha() else f"Model{words or 1}"
    return f"{identifier}Model" if identifier in _USED_NAMES.split() else identifier


def file_stem(name: str) -> str:
    """Turn any text into a file name without suffix; unsafe characters become underscores.

    >>> file_stem("my-model v2"), file_stem("../a;b"), file_stem("")
    ('my-model v2', '_a_b', 'model')
    """
    safe = re.sub(r"[^\w. -]+", "_", name).strip(". ")
    return safe[:_MAX_LENGTH].rstrip(". ") or "model"


def io_names(kind: str, titles: Sequence[str]) -> list[str]:
    """Name the inputs or outputs of a model: ``kind``, followed by the title if there are several.

    >>> io_names("input", ["x"]), io_names("input", ["left:0", "right", "left"])
    (['input'], ['inputLeft', 'inputRight', 'inputLeft2'])
    """
    if len(titles) == 1:
        return [kind]
    return _numbered(kind + _io_word(title, index) for index, title in enumerate(titles))


def _io_word(title: str, index: int) -> str:
    """Return the title's ASCII letters and digits as part of an identifier; the index if none."""
    plain = "" if title == NAMELESS else without_output_number(title)
    return "".join(map(_capitalized, _ascii_words(plain)))[:_MAX_LENGTH] or str(index)


def _ascii_words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z0-9]+", text)


def _capitalized(word: str) -> str:
    return word[0].upper() + word[1:]


def _numbered(names: Iterable[str]) -> list[str]:
    """Number names that repeat, or that equal another name with a side's suffix.

    >>> _numbered(["a", "a", "aWidth"])
    ['a', 'a2', 'aWidth2']
    """
    distinct: list[str] = []
    for name in names:
        candidate, number = name, 1
        while any(_collides(candidate, other) for other in distinct):
            number += 1
            candidate = f"{name}{number}"
        distinct.append(candidate)
    return distinct


def _collides(first: str, second: str) -> bool:
    """Whether two names are equal, or one is the other with a suffix of :data:`SIDE_SUFFIXES`."""
    return any(first + side == second or second + side == first for side in ("", *SIDE_SUFFIXES))
