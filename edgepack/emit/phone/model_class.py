"""A class that runs a model, in a language whose texts and words :class:`Language` holds.

The arithmetic is that of :mod:`edgepack.calibration.datasets.preprocess`, of
:mod:`edgepack.calibration.datasets.audio_features` and of :mod:`edgepack.quantization.affine`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from edgepack.config.preprocessing import Preprocessing
from edgepack.emit.c.firmware_model import End
from edgepack.emit.c.source_text import c_title
from edgepack.emit.phone.app_identifiers import SIDES
from edgepack.emit.phone.app_source_text import comma_separated, fill, formula, number_literal
from edgepack.emit.phone.phone_model import QUANTIZED, PhoneModel, is_quantized
from edgepack.emit.phone.preprocessing_text import preprocessing_in_words
from edgepack.emit.phone.sample_templates import audio_values, image_values

_BYTES = {"float32": 4, "bool": 1, "int8": 1, "uint8": 1, "int16": 2, "int32": 4, "int64": 8}
_PART = 2000
"""A method of the JVM holds 64 KB, a class 65,535 constants: so many labels at once."""

_INTEGERS = QUANTIZED | {"int32": (-(2**31), 2**31 - 1)}


@dataclass(frozen=True, kw_only=True)
class Language:
    """A language: templates, each with the places that :func:`~text.fill` fills, and words.

    ``types`` are those of single values, by a tensor's, and of a ``whole`` number; ``array``
    writes the type of many. ``suffix`` marks a float32 literal. ``words`` fills the places that
    only this language has, by a tensor's type.
    """

    templates: Mapping[str, str]
    types: Mapping[str, str]
    array: Callable[[str], str]
    literal: Callable[[str], str]
    suffix: str
    words: Callable[[str], Mapping[str, str]]

    def fill(self, template: str, **values: str) -> str:
        """Fill one of the templates."""
        return fill(self.templates[template], **values)


def write_class(model: PhoneModel, language: Language) -> str:
    """Write the file of a class that loads a model, preprocesses, runs it and reads its outputs."""
    functions = [text for end in model.inputs for text in _of_input(model, end, language)]
    functions += [text for end in model.outputs if (text := _reading(end, language))]
    has_image = any(model.described(end).image for end in model.inputs)
    if has_image:
        functions.append(language.templates["rgb_of"])
    several = len(model.outputs) > 1
    return language.fill(
        "file",
        file=model.file,
        resource=language.literal(
            language.fill("resource", name=model.file.removesuffix(".tflite"))
        ),
        image_import=language.templates["image_import"] if has_image else "",
        name=model.class_name,
        takes="\n".join(_takes(model)),
        parameters=",\n".join(
            language.fill("parameter", name=name, type=kind)
            for end in model.inputs
            for name, kind in _parameters(model, end, language)
        ),
        result="Outputs" if several else _array(model.outputs[0], language),
        inputs="\n".join(
            language.fill("prepare", place=str(place), value=_prepared(model, end, language))
            for place, end in enumerate(model.inputs)
        ),
        outputs="\n".join(
            language.fill("output", place=str(place), **_common(end, language))
            for place, end in enumerate(model.outputs)
        ),
        places=", ".join(f"{place} to {end.name}" for place, end in enumerate(model.outputs)),
        read=f"return {_read(model, language)}",
        class_of_outputs=_class_of_outputs(model, language) if several else "",
        labels=_labels(model, language),
        functions="\n".join(functions).rstrip("\n"),
    )


def _capital(end: End) -> str:
    return end.name[0].upper() + end.name[1:]


def _common(end: End, language: Language) -> dict[str, str]:
    """Tell of an end what most templates ask for."""
    dtype = end.tensor.dtype
    return {
        "name": end.name,
        "Name": _capital(end),
        "dtype": dtype,
        "type": language.types[dtype],
        "array": language.array(dtype),
        "size": str(prod(end.tensor.shape)),
        "bytes": str(_BYTES[dtype] * prod(end.tensor.shape)),
        **language.words(dtype),
    }


def _takes(model: PhoneModel) -> list[str]:
    """Say what run takes and gives, a line each."""
    return [
        *(f"{_called(end)}: {_given(model, end)}." for end in model.inputs),
        *(
            f"{_called(end)}: given, {'real values' if model.is_real(end) else end.tensor.dtype}."
            for end in model.outputs
        ),
    ]


def _called(end: End) -> str:
    """Tell in a comment what an input or output is, and its shape."""
    sizes = " x ".join(map(str, end.tensor.sample_shape)) or "one number"
    return f'{end.name} ("{c_title(end.title)}", {sizes})'


def _given(model: PhoneModel, end: End) -> str:
    described = model.described(end)
    if described.image:
        return "an image, 8-bit RGB by rows from the top"
    if described.audio:
        return f"sound of {described.audio.sample_rate} Hz, from -1 to 1"
    if _takes_floats(model, end):
        return "real values"
    return end.tensor.dtype


def _takes_floats(model: PhoneModel, end: End) -> bool:
    return model.is_real(end) or model.described(end) != Preprocessing()


def _parameters(model: PhoneModel, end: End, language: Language) -> list[tuple[str, str]]:
    if model.described(end).image:
        whole = language.types["whole"]
        sides = [(f"{end.name}{side}", whole) for side in SIDES]
        return [(end.name, language.array("uint8")), *sides]
    kind = "float32" if _takes_floats(model, end) else end.tensor.dtype
    return [(end.name, language.array(kind))]


def _prepared(model: PhoneModel, end: End, language: Language) -> str:
    """Write the expression of what the interpreter is given."""
    given, described = end.name, model.described(end)
    if described != Preprocessing():
        kind = "call_image" if described.image else "call"
        given = language.fill(kind, function=f"preprocess{_capital(end)}", given=given)
    name = "quantize" if is_quantized(end.tensor) else "write"
    return _converted(f"{name}{_capital(end)}", given, _writing(model, end, language), language)


def _converted(function: str, given: str, text: str, language: Language) -> str:
    """Write the call of a function that converts values, if the language has a text for it."""
    return language.fill("convert_call", function=function, given=given) if text else given


def _of_input(model: PhoneModel, end: End, language: Language) -> list[str]:
    """Write the functions that prepare an input."""
    described = model.described(end)
    common = {**_common(end, language), "told": _steps(described, language)}
    functions = []
    for word, values in (("Mean", described.mean), ("Std", described.std)):
        if len(values) > 1:
            numbers = ", ".join(number_literal(value, language.suffix) for value in values)
            functions.append(language.fill("channels", name=f"{end.name}{word}", values=numbers))

    def normalized(value: str, place: str) -> str:
        return formula(described, end.name, value, place, language.suffix)

    if described.image:
        filled = image_values(described.image, end, normalized, language.templates)
        functions.append(language.fill("image", **common, **filled))
    elif described.audio:
        template, filled = audio_values(described.audio, end, normalized, language.templates)
        functions.append(language.fill(template, **common, **filled))
    elif described != Preprocessing():
        value = normalized(language.templates["element"], language.templates["place"])
        functions.append(language.fill("values", **common, normalized=value))
    if text := _writing(model, end, language):
        functions.append(text)
    return [f"{text.rstrip()}\n" for text in functions]


def _steps(described: Preprocessing, language: Language) -> str:
    """Say in a comment what is done, a line each."""
    return "\n".join(
        f"{language.templates['comment']}{step}" for step in preprocessing_in_words(described)
    )


def _writing(model: PhoneModel, end: End, language: Language) -> str:
    """Write what turns the values of an input into those that the interpreter takes."""
    dtype, common = end.tensor.dtype, _common(end, language)
    least, most = _INTEGERS.get(dtype, (0, 0))
    limits = {"least": f"{least}.0", "most": f"{most}.0"}
    if is_quantized(end.tensor):
        scale, zero_point = _affine(end)
        return language.fill(
            "quantize",
            **common,
            **limits,
            scale=number_literal(scale, language.suffix),
            zero_point=_signed(zero_point),
        )
    if dtype != "float32" and _takes_floats(model, end):
        return language.fill("round", **common, **limits)
    return language.fill("write_bool" if dtype == "bool" else "write", **common)


def _reading(end: End, language: Language) -> str:
    """Write what reads an output."""
    common = _common(end, language)
    if not is_quantized(end.tensor):
        return language.fill("read_bool" if end.tensor.dtype == "bool" else "read", **common)
    scale, zero_point = _affine(end)
    return language.fill(
        "dequantize",
        **common,
        scale=number_literal(scale, language.suffix),
        zero_point=_signed(-zero_point),
    )


def _affine(end: End) -> tuple[float, int]:
    """Find the scale and zero point of a quantized tensor, which has one of each."""
    if end.tensor.quant is None:
        raise ValueError(f"{end.title} is not quantized")
    return end.tensor.quant.scale[0], end.tensor.quant.zero_point[0]


def _signed(value: int) -> str:
    """Write an addition.

    >>> _signed(3), _signed(-128)
    ('+ 3', '- 128')
    """
    return f"{'-' if value < 0 else '+'} {abs(value)}"


def _array(end: End, language: Language) -> str:
    return language.array(_given_type(end))


def _given_type(end: End) -> str:
    """Tell the type of what the app gets of an output."""
    return "float32" if is_quantized(end.tensor) else end.tensor.dtype


def _read(model: PhoneModel, language: Language) -> str:
    read = [
        _converted(f"read{_capital(end)}", end.name, _reading(end, language), language)
        for end in model.outputs
    ]
    if len(read) == 1:
        return read[0]
    named = [
        language.fill("argument", name=end.name, value=value)
        for end, value in zip(model.outputs, read, strict=True)
    ]
    return "Outputs(\n    " + ",\n    ".join(named) + "\n)"


def _class_of_outputs(model: PhoneModel, language: Language) -> str:
    fields = [
        language.fill("field", name=end.name, array=_array(end, language)) for end in model.outputs
    ]
    return language.fill("outputs", fields="\n".join(fields))


def _labels(model: PhoneModel, language: Language) -> str:
    if not model.labels:
        return ""
    end = model.outputs[model.labelled]
    literals = [*map(language.literal, model.labels)]
    text = _list_of_labels(end, literals, language)
    if prod(end.tensor.shape) == len(model.labels) and end.tensor.dtype != "bool":
        given = _given_type(end)
        text += language.fill("label_of", array=language.array(given), **language.words(given))
    return text


def _list_of_labels(end: End, literals: Sequence[str], language: Language) -> str:
    """Write the labels: many of them in parts, where the language needs that."""
    parts = [comma_separated(literals[i : i + _PART]) for i in range(0, len(literals), _PART)]
    if len(parts) == 1 or "labels_part" not in language.templates:
        return language.fill("labels", name=end.name, items=comma_separated(literals))
    named = [(f"Labels{place}", part) for place, part in enumerate(parts)]
    return language.fill(
        "labels_whole", name=end.name, parts=comma_separated(name for name, _ in named)
    ) + "".join(language.fill("labels_part", part=name, items=part) for name, part in named)
