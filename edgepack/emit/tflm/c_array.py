"""A model as a C array: a header and a source file, valid C99 and C++11."""

from __future__ import annotations

import re

_BYTES_PER_LINE = 12

_HEADER = """\
#ifndef {guard}
#define {guard}

#include <stddef.h>

#ifdef __cplusplus
extern "C" {{
#endif

/* A TensorFlow Lite model, aligned to 16 bytes as the interpreter requires. */
extern const unsigned char {symbol}[{length}];
extern const size_t {symbol}_len;

#ifdef __cplusplus
}}
#endif

#endif /* {guard} */
"""

_SOURCE = """\
#include "{header}"

#if defined(__cplusplus)
#define EDGEPACK_ALIGN_16 alignas(16)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define EDGEPACK_ALIGN_16 _Alignas(16)
#elif defined(__GNUC__)
#define EDGEPACK_ALIGN_16 __attribute__((aligned(16)))
#elif defined(_MSC_VER)
#define EDGEPACK_ALIGN_16 __declspec(align(16))
#elif defined(__ICCARM__)
#define EDGEPACK_ALIGN_16 _Pragma("data_alignment=16")
#else
#error "Unknown compiler: add its way of aligning an array to 16 bytes here."
#endif

const size_t {symbol}_len = {length}u;

EDGEPACK_ALIGN_16 const unsigned char {symbol}[{length}] = {{
{rows}
}};
"""


def array_header(symbol: str, data: bytes) -> str:
    """Write the header that declares array ``symbol`` and its length in bytes, ``SYMBOL_len``."""
    return _HEADER.format(guard=f"{symbol.upper()}_H", symbol=symbol, length=len(data))


def array_source(symbol: str, data: bytes, header: str) -> str:
    """Write the source file that defines the array ``symbol``, aligned to 16 bytes, and its length.

    ``header`` is the file name of :func:`array_header`'s text, which the source includes.

    >>> print(array_source("tiny_model", bytes([28, 0]), "model.h").splitlines()[-2])
        0x1c, 0x00
    """
    # Format all bytes at once, then cut lines of a fixed width: ten times as fast as byte by byte.
    text = "0x" + data.hex(",").replace(",", ", 0x")
    width = len("0x00, ") * _BYTES_PER_LINE
    rows = (f"    {text[start : start + width].rstrip()}" for start in range(0, len(text), width))
    return _SOURCE.format(header=header, symbol=symbol, length=len(data), rows="\n".join(rows))


_ARRAY = re.compile(r"unsigned char \w+\[(\d{1,10})\] = \{([0-9a-fx,\s]*)\};")


def read_c_array(source: str) -> bytes | None:
    """Parse the bytes of the array in text that :func:`array_source` wrote; None if there is none.

    None also if a value is not one byte in hexadecimal, or their count is not the array's length.

    >>> list(read_c_array(array_source("tiny_model", bytes([28, 0]), "model.h")))
    [28, 0]
    """
    if (match := _ARRAY.search(source)) is None:
        return None
    length, rows = match.groups()
    try:
        data = bytes.fromhex(rows.replace("0x", " ").replace(",", " "))
    except ValueError:
        return None
    # Without this check, 0x1c1c, and 28 in place of 0x28, would pass for bytes.
    is_complete = len(data) == int(length) == rows.count(",") + 1 == rows.count("0x")
    return data if is_complete else None
