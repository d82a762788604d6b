"""Names of models, inputs and outputs as C identifiers."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import permutations

from edgepack.core.errors import ConfigError
from edgepack.emit.c.firmware_model import End
from edgepack.tflite.converter_names import unnumbered
from edgepack.tflite.graph import Tensor
from edgepack.tflite.layer_names import distinct

MAX_NAME = 48
"""Characters of a model's name: its longest symbols have less than 100."""

_MAX_END = 24
_MAX_TOLD = 60
_CURE = "name it otherwise: NAME=MODEL.tflite"

FIRST_WORDS = {
    *("arena", "dequantize", "input", "inputs", "labels", "model", "op", "operators", "output"),
    *("outputs", "passes", "preprocess", "quantize", "register", "round", "rounded", "test"),
    "vectors",
}
"""What follows a model's name and ``_`` in its symbols and macros, up to the next ``_``.

``KWS_ARENA_BYTES``, ``kws_op_resolver``, ``KWS_TEST_VECTORS_H``: whatever is emitted keeps to
these words, so that no symbol of ``kws`` can be one of ``kws_v2``.
"""

_C = (
    "auto break case char const continue default do double else enum extern float for goto if"
    " inline int long register restrict return short signed sizeof static struct switch typedef"
    " union unsigned void volatile while"
    # C11 and C23; those that begin with an underscore lose it.
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
_PROGRAMS = "loop main setup std tensorflow tflite"
_WINDOWS = "aux con nul prn " + " ".join(f"com{i} lpt{i}" for i in range(10))
_RESERVED = {
    word: why
    for words, why in (
        (_WINDOWS, "a device of Windows, which has no folder of that name"),
        (_PROGRAMS, "taken by Arduino, TensorFlow Lite or the program itself"),
        (_CPP, "a reserved word of C++"),
        (_C, "a reserved word of C"),
    )
    for word in words.split()
}


def c_identifier(text: str) -> str:
    """Make a C identifier of any text: accents go, other characters become underscores.

    Raises :class:`ConfigError` for a text without a letter or digit of ASCII.

    >>> c_identifier("my-model v2"), c_identifier("3d"), c_identifier("__x__")
    ('my_model_v2', 'm3d', 'x')
    >>> c_identifier("modèle")
    'modele'
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    # Two underscores in a row, or one at the start, are the compiler's own (C++17 5.10).
    safe = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")
    if not safe:
        raise ConfigError(
            f"{_told(text)}: has no letter from A to Z and no digit to make a name in C of; give it"
            " a name that has"
        )
    return safe if safe[0].isalpha() else f"m{safe}"


def model_names(titles: Sequence[str]) -> list[str]:
    """Name the models of one firmware, so that all their symbols, macros and folders differ.

    The case of letters is kept but tells no names apart: macros are in capitals, and file systems
    ignore it. Raises :class:`ConfigError` for what can be no name, or not beside the others.
    """
    names = [_model_name(title) for title in titles]
    for (title, name), (other_title, other) in permutations(zip(titles, names, strict=True), 2):
        if name.lower() == other.lower():
            raise ConfigError(
                f"{_told(title)} and {_told(other_title)}: are both {name!r} in C; {_CURE}"
            )
        rest = other.lower().removeprefix(f"{name.lower()}_")
        if rest != other.lower() and rest.split("_")[0] in FIRST_WORDS:
            raise ConfigError(
                f"{_told(other_title)}: {other!r} in C begins like the symbols"
                f" {name}_{rest.split('_')[0]} of {_told(title)}; {_CURE}"
            )
    return names


def _model_name(title: str) -> str:
    name = c_identifier(title)
    if why := _RESERVED.get(name.lower()):
        raise ConfigError(f"{_told(title)}: {name!r} is {why}; {_CURE}")
    if len(name) > MAX_NAME:
        raise ConfigError(
            f"{_told(title)}: its name in C has {len(name)} characters, more than {MAX_NAME};"
            f" {_CURE}"
        )
    return name


def _told(text: str) -> str:
    r"""Write a text in one line that is not too long.

    >>> print(_told("a\nb"), _told("x" * 300)[-8:])
    'a\nb' xx[...]'
    """
    return repr(text if len(text) <= _MAX_TOLD else f"{text[:_MAX_TOLD]}[...]")


def end_identifiers(tensors: Sequence[Tensor], kind: str) -> tuple[End, ...]:
    """Name the inputs or outputs of a model; ``kind`` is ``input`` or ``output``.

    A single one is called by its kind. Several have their own names behind it, in lower case, or
    their places where those are none, too long, or such that symbols could be the same. Titles
    are those of :func:`~edgepack.load.tflite_file.real_signature`.

    >>> from edgepack.tflite.graph import Tensor
    >>> def tensor(name): return Tensor(name=name, shape=(1,), dtype="int8", quant=None, data=b"")
    >>> tensors = [tensor("serving_default_Left:0"), tensor("日本")]
    >>> [end.name for end in end_identifiers(tensors, "input")]
    ['input_left', 'input_1']
    """
    titles = distinct(tensor.name for tensor in tensors)
    words = [_end_word(tensor.name) for tensor in tensors]
    counts = Counter(words)
    # As for models: the symbols of `x` end in words that `x_fixed` may begin with.
    begun = {
        word
        for pair in permutations(filter(None, words), 2)
        if pair[1].startswith(f"{pair[0]}_")
        for word in pair
    }
    names = [
        f"{kind}_{word if counts[word] == 1 and word and word not in begun else place}"
        for place, word in enumerate(words)
    ]
    return tuple(
        End(name=kind if len(titles) == 1 else name, title=title, tensor=tensor)
        for name, title, tensor in zip(names, titles, tensors, strict=True)
    )


def _end_word(title: str) -> str:
    """Make an identifier of what an input or output is called; empty if none can be made."""
    try:
        word = c_identifier(unnumbered(title)).lower()
    except ConfigError:
        return ""
    return word if len(word) <= _MAX_END else ""
