"""C identifiers for models, inputs and outputs."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import permutations

from edgepack.core.errors import ConfigError
from edgepack.emit.c.io_tensor import IOTensor
from edgepack.tflite.converter_names import without_output_number
from edgepack.tflite.graph import Tensor
from edgepack.tflite.layer_names import number_duplicates

MAX_NAME = 48
"""Most characters of a model's C name: its longest symbols stay below 100."""

_MAX_IO_WORD = 24
_MAX_QUOTED = 60
_CURE = "choose another name with NAME=MODEL.tflite"

FIRST_WORDS = {
    *("arena", "dequantize", "input", "inputs", "labels", "model", "op", "operators", "output"),
    *("outputs", "passes", "preprocess", "quantize", "register", "round", "rounded", "test"),
    "vectors",
}
"""Every word that follows a model's name and ``_`` in its symbols and macros, up to the next ``_``.

Examples are ``KWS_ARENA_BYTES``, ``kws_op_resolver`` and ``KWS_TEST_VECTORS_H``. Emitted code uses
no other words, so that no symbol of ``kws`` can also be one of ``kws_v2``.
"""

_C = (
    "auto break case char const continue default do double else enum extern float for goto if"
    " inline int long register restrict return short signed sizeof static struct switch typedef"
    " union unsigned void volatile while"
    # C11 and C23; keywords that begin with an underscore are listed without it.
    " alignas alignof bool constexpr false nullptr static_assert thread_local true typeof"
    " typeof_unqual"
)
_CPP = (
    "and and_eq asm bitand bitor catch char16_t char32_t class compl const_cast decltype delete"
    " dynamic_cast explicit export friend mutable namespace new noexcept not not_eq operator or"
    " or_eq private protected public reinterpret_cast static_cast template this throw try typeid"
    " typename using virtual wchar_t xor xor_eq"
    # C++20
    " char8_t co_await co_return co_yield concept consteval constinit requires"
)
_USED_BY_PROGRAMS = "loop main setup std tensorflow tflite"
_WINDOWS = "aux con nul prn " + " ".join(f"com{i} lpt{i}" for i in range(10))
_RESERVED = {
    word: reason
    for words, reason in (
        (_WINDOWS, "a reserved device name on Windows, which cannot name a folder"),
        (_USED_BY_PROGRAMS, "used by Arduino, TensorFlow Lite or the program itself"),
        (_CPP, "a reserved word of C++"),
        (_C, "a reserved word of C"),
    )
    for word in words.split()
}


def c_identifier(text: str) -> str:
    """Turn any text into a C identifier.

    Accents are dropped, runs of other characters become one underscore, and a leading digit gets
    an ``m`` before it. Raises :class:`ConfigError` for text without an ASCII letter or digit.

    >>> c_identifier("my-model v2"), c_identifier("3d"), c_identifier("__x__")
    ('my_model_v2', 'm3d', 'x')
    >>> c_identifier("modèle")
    'modele'
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    # Two underscores in a row, or one at the start, are reserved for the compiler (C++17 5.10).
    safe = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")
    if not safe:
        raise ConfigError(
            f"{_quoted(text)}: a C identifier needs a letter from A to Z or a digit; choose a name"
            " that has one"
        )
    return safe if safe[0].isalpha() else f"m{safe}"


def c_model_names(titles: Sequence[str]) -> list[str]:
    """Return a C identifier per model of one firmware, so that symbols, macros and folders differ.

    Letter case is kept, but names must differ in more than case: macros are in capitals, and some
    file systems ignore case. Raises :class:`ConfigError` for a title that cannot become a name, or
    whose name collides with another model's.
    """
    names = [_model_name(title) for title in titles]
    for (title, name), (other_title, other) in permutations(zip(titles, names, strict=True), 2):
        if name.lower() == other.lower():
            raise ConfigError(
                f"{_quoted(title)} and {_quoted(other_title)}: both become {name!r} in C; {_CURE}"
            )
        rest = other.lower().removeprefix(f"{name.lower()}_")
        if rest != other.lower() and rest.split("_")[0] in FIRST_WORDS:
            raise ConfigError(
                f"{_quoted(other_title)}: its C name {other!r} begins like the symbols"
                f" {name}_{rest.split('_')[0]} of {_quoted(title)}; {_CURE}"
            )
    return names


def _model_name(title: str) -> str:
    name = c_identifier(title)
    if reason := _RESERVED.get(name.lower()):
        raise ConfigError(f"{_quoted(title)}: {name!r} is {reason}; {_CURE}")
    if len(name) > MAX_NAME:
        raise ConfigError(
            f"{_quoted(title)}: its C name has {len(name)} characters, more than {MAX_NAME};"
            f" {_CURE}"
        )
    return name


def _quoted(text: str) -> str:
    r"""Quote text for a message: on one line, cut after 60 characters.

    >>> print(_quoted("a\nb"), _quoted("x" * 300)[-8:])
    'a\nb' xx[...]'
    """
    return repr(text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}[...]")


def c_io_tensors(tensors: Sequence[Tensor], kind: str) -> tuple[IOTensor, ...]:
    """Name the inputs or outputs of a model for C; ``kind`` is ``input`` or ``output``.

    A single one is named by its kind alone. Several get their tensor's name after it, in lower
    case, or their index where that name is empty, too long, or could lead to equal symbols. Titles
    are those of :func:`~edgepack.load.tflite_file.real_signature`.

    >>> from edgepack.tflite.graph import Tensor
    >>> def tensor(name): return Tensor(name=name, shape=(1,), dtype="int8", quant=None, data=b"")
    >>> tensors = [tensor("serving_default_Left:0"), tensor("日本")]
    >>> [io.name for io in c_io_tensors(tensors, "input")]
    ['input_left', 'input_1']
    """
    titles = number_duplicates(tensor.name for tensor in tensors)
    words = [_io_word(tensor.name) for tensor in tensors]
    counts = Counter(words)
    # As for models: the symbols of `x` end in words that `x_fixed` may begin with.
    ambiguous = {
        word
        for pair in permutations(filter(None, words), 2)
        if pair[1].startswith(f"{pair[0]}_")
        for word in pair
    }
    names = [
        f"{kind}_{word if counts[word] == 1 and word and word not in ambiguous else index}"
        for index, word in enumerate(words)
    ]
    return tuple(
        IOTensor(name=kind if len(titles) == 1 else name, title=title, tensor=tensor)
        for name, title, tensor in zip(names, titles, tensors, strict=True)
    )


def _io_word(title: str) -> str:
    """Return the lower-case identifier of an input or output; empty if none can be made."""
    try:
        word = c_identifier(without_output_number(title)).lower()
    except ConfigError:
        return ""
    return word if len(word) <= _MAX_IO_WORD else ""
