"""A model as a C array: a header and a source file, valid C99 and C++11."""

from __future__ import annotations

_BYTES_A_LINE = 12

_HEADER = """\
#ifndef {guard}
#define {guard}

#include <stddef.h>

#ifdef __cplusplus
extern "C" {{
#endif

/* A TensorFlow Lite model, aligned to 16 bytes as the interpreter needs it. */
extern const unsigned char {symbol}[{length}];
extern const size_t {symbol}_len;

#ifdef __cplusplus
}}
#endif

#endif /* {guard} */
"""

_SOURCE = """\
#include "{symbol}.h"

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
#error "This compiler needs its own way of aligning an array to 16 bytes here."
#endif

const size_t {symbol}_len = {length}u;

EDGEPACK_ALIGN_16 const unsigned char {symbol}[{length}] = {{
{rows}
}};
"""


def c_header(symbol: str, data: bytes) -> str:
    """Declare ``symbol``, an array of the bytes of ``data``, and its length ``symbol_len``."""
    return _HEADER.format(guard=f"{symbol.upper()}_H", symbol=symbol, length=len(data))


def c_source(symbol: str, data: bytes) -> str:
    """Define what :func:`c_header` declares; the header's file is ``symbol.h``.

    >>> print(c_source("tiny_model", bytes([28, 0])).splitlines()[-2])
        0x1c, 0x00
    """
    rows = ",\n".join(
        "    " + ", ".join(f"0x{byte:02x}" for byte in data[start : start + _BYTES_A_LINE])
        for start in range(0, len(data), _BYTES_A_LINE)
    )
    return _SOURCE.format(symbol=symbol, length=len(data), rows=rows)
