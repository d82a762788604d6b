"""Names of models, inputs and outputs as identifiers of Kotlin and Swift."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from edgepack.tflite.converter_names import NAMELESS, unnumbered

SIDES = ("Width", "Height")
"""What follows the name of an input that is an image, for what the app tells of it."""

_LONGEST = 60
"""A class is a file, and file systems take 255 bytes for its name and what follows it."""

_TAKEN = """
    Any AnyObject Array AssetManager AutoCloseable Bitmap Bool Boolean BooleanArray Bundle Byte
    ByteArray ByteBuffer ByteOrder CGColorSpaceCreateDeviceRGB CGContext CGImage
    CGImageAlphaInfo CGRect Char Class Closeable Data Double DoubleArray Enum Error Failure
    FileChannel Float FloatArray Int Int16 Int32 Int64 Int8 IntArray Interpreter List Long
    LongArray Map Model Never Nothing Number Object OpaquePointer Optional Outputs PI Pair
    Protocol Self Short ShortArray String Throws Type UInt8 Unit UnsafeMutableRawBufferPointer
    Void
    """
"""What the emitted code, or one of the languages, calls by these names."""


def class_name(name: str) -> str:
    """Make the name of a class of any text, in ASCII.

    A name that the languages, or the code itself, need for something else gets a word more.

    >>> class_name("my-model v2"), class_name("3d"), class_name("class"), class_name("é")
    ('MyModelV2', 'Model3d', 'ClassModel', 'Model1')
    """
    words = "".join(map(_capital, _words(name)))[:_LONGEST]
    made = words if words[:1].isalpha() else f"Model{words or 1}"
    return f"{made}Model" if made in _TAKEN.split() else made


def file_stem(name: str) -> str:
    """Make the name of a file of any text; what could be no part of one becomes underscores.

    >>> file_stem("my-model v2"), file_stem("../a;b"), file_stem("")
    ('my-model v2', '_a_b', 'model')
    """
    safe = re.sub(r"[^\w. -]+", "_", name).strip(". ")
    return safe[:_LONGEST].rstrip(". ") or "model"


def end_names(kind: str, titles: Sequence[str]) -> list[str]:
    """Name the inputs or outputs of a model: ``kind``, with a word of its own for each of several.

    >>> end_names("input", ["x"]), end_names("input", ["left:0", "right", "left"])
    (['input'], ['inputLeft', 'inputRight', 'inputLeft2'])
    """
    if len(titles) == 1:
        return [kind]
    return _distinct(kind + _word(title, place) for place, title in enumerate(titles))


def _word(title: str, place: int) -> str:
    plain = "" if title == NAMELESS else unnumbered(title)
    return "".join(map(_capital, _words(plain)))[:_LONGEST] or str(place)


def _words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z0-9]+", text)


def _capital(word: str) -> str:
    return word[0].upper() + word[1:]


def _distinct(names: Iterable[str]) -> list[str]:
    """Number what comes again, or what is called as a side of another is.

    >>> _distinct(["a", "a", "aWidth"])
    ['a', 'a2', 'aWidth2']
    """
    found: list[str] = []
    for name in names:
        tried, number = name, 1
        while any(_clash(tried, other) for other in found):
            number += 1
            tried = f"{name}{number}"
        found.append(tried)
    return found


def _clash(one: str, other: str) -> bool:
    return any(one + side == other or other + side == one for side in ("", *SIDES))
