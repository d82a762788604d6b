"""Write a class that runs a model, in a language whose templates are in a :class:`Language`.

The arithmetic equals that of :mod:`edgepack.calibration.datasets.preprocess`, of
:mod:`edgepack.calibration.datasets.audio_features` and of :mod:`edgepack.quantization.affine`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from edgepack.config.preprocessing import Preprocessing
from edgepack.emit.c.io_tensor import IOTensor
from edgepack.emit.c.source_text import c_title
from edgepack.emit.phone.app_identifiers import SIDE_SUFFIXES
from edgepack.emit.phone.app_source_text import (
    fill_template,
    float32_literal,
    normalize_expression,
    wrapped_list,
)
from edgepack.emit.phone.phone_model import QUANTIZED, PhoneModel, is_quantized
from edgepack.emit.phone.preprocessing_templates import audio_fields, image_fields
from edgepack.emit.phone.preprocessing_text import describe_preprocessing

_BYTES = {"float32": 4, "bool": 1, "int8": 1, "uint8": 1, "int16": 2, "int32": 4, "int64": 8}
_LABELS_PER_PART = 2000
"""The JVM limits a method to 64 KB and a class to 65,535 constants, so labels are split."""

_INTEGER_RANGES = QUANTIZED | {"int32": (-(2**31), 2**31 - 1)}


@dataclass(frozen=True, kw_only=True)
class Language:
    """A programming language: its templates, types and literals.

    ``templates`` are by name, each with placeholders as in
    :func:`~edgepack.emit.phone.app_source_text.fill_template`. ``types`` maps a tensor's dtype, and
    ``int`` for image sizes, to the type of a single value; ``array`` returns the type of an array
    by dtype. ``literal`` writes a string literal; ``suffix`` marks a float32 literal.
    ``dtype_values`` returns the values, by dtype, of placeholders that only this language has.
    """

    templates: Mapping[str, str]
    types: Mapping[str, str]
    array: Callable[[str], str]
    literal: Callable[[str], str]
    suffix: str
    dtype_values: Callable[[str], Mapping[str, str]]

    def render(self, template: str, **values: str) -> str:
        """Fill in the template of a name."""
        return fill_template(self.templates[template], **values)


def write_class(model: PhoneModel, language: Language) -> str:
    """Write the source of a class that loads a model, preprocesses, runs it and reads outputs."""
    functions = [text for io in model.inputs for text in _input_functions(model, io, language)]
    functions += [text for io in model.outputs if (text := _output_reader(io, language))]
    has_image = any(model.preprocessing_of(io).image for io in model.inputs)
    if has_image:
        functions.append(language.templates["rgb_of"])
    has_several_outputs = len(model.outputs) > 1
    return language.render(
        "file",
        file=model.file,
        resource=language.literal(
            language.render("resource", name=model.file.removesuffix(".tflite"))
        ),
        image_import=language.templates["image_import"] if has_image else "",
        name=model.class_name,
        io_comment="\n".join(_io_comments(model)),
        parameters=",\n".join(
            language.render("parameter", name=name, type=type_)
            for io in model.inputs
            for name, type_ in _parameters(model, io, language)
        ),
        result="Outputs" if has_several_outputs else _output_array_type(model.outputs[0], language),
        inputs="\n".join(
            language.render(
                "prepare", index=str(index), value=_interpreter_input(model, io, language)
            )
            for index, io in enumerate(model.inputs)
        ),
        outputs="\n".join(
            language.render("output", index=str(index), **_common_values(io, language))
            for index, io in enumerate(model.outputs)
        ),
        output_map=", ".join(f"{index} to {io.name}" for index, io in enumerate(model.outputs)),
        read=f"return {_result(model, language)}",
        outputs_class=_outputs_class(model, language) if has_several_outputs else "",
        labels=_labels_text(model, language),
        functions="\n".join(functions).rstrip("\n"),
    )


def _capitalized(io: IOTensor) -> str:
    return io.name[0].upper() + io.name[1:]


def _common_values(io: IOTensor, language: Language) -> dict[str, str]:
    """Return the values of placeholders that most templates of an input or output have."""
    dtype = io.tensor.dtype
    return {
        "name": io.name,
        "Name": _capitalized(io),
        "dtype": dtype,
        "type": language.types[dtype],
        "array": language.array(dtype),
        "size": str(prod(io.tensor.shape)),
        "bytes": str(_BYTES[dtype] * prod(io.tensor.shape)),
        **language.dtype_values(dtype),
    }


def _io_comments(model: PhoneModel) -> list[str]:
    """Describe the arguments and results of ``run``, one line each."""
    return [
        *(f"{_titled_with_shape(io)}: {_input_kind(model, io)}." for io in model.inputs),
        *(
            f"{_titled_with_shape(io)}: returned as"
            f" {'real values' if model.is_real(io) else io.tensor.dtype}."
            for io in model.outputs
        ),
    ]


def _titled_with_shape(io: IOTensor) -> str:
    """Return the name, title and sample shape of an input or output, for a comment."""
    sizes = " x ".join(map(str, io.tensor.sample_shape)) or "one number"
    return f'{io.name} ("{c_title(io.title)}", {sizes})'


def _input_kind(model: PhoneModel, io: IOTensor) -> str:
    """Describe, for a comment, the values that the app passes for an input."""
    preprocessing = model.preprocessing_of(io)
    if preprocessing.image:
        return "an image, 8-bit RGB, row by row from the top"
    if preprocessing.audio:
        return f"audio at {preprocessing.audio.sample_rate} Hz, from -1 to 1"
    if _takes_floats(model, io):
        return "real values"
    return io.tensor.dtype


def _takes_floats(model: PhoneModel, io: IOTensor) -> bool:
    """Whether the app passes float32 values for an input that is no image."""
    return model.is_real(io) or model.preprocessing_of(io) != Preprocessing()


def _parameters(model: PhoneModel, io: IOTensor, language: Language) -> list[tuple[str, str]]:
    """Return name and type of the parameters of ``run`` for an input."""
    if model.preprocessing_of(io).image:
        sides = [(f"{io.name}{side}", language.types["int"]) for side in SIDE_SUFFIXES]
        return [(io.name, language.array("uint8")), *sides]
    dtype = "float32" if _takes_floats(model, io) else io.tensor.dtype
    return [(io.name, language.array(dtype))]


def _interpreter_input(model: PhoneModel, io: IOTensor, language: Language) -> str:
    """Write the expression that is passed to the interpreter for an input."""
    argument, preprocessing = io.name, model.preprocessing_of(io)
    if preprocessing != Preprocessing():
        template = "call_image" if preprocessing.image else "call"
        argument = language.render(
            template, function=f"preprocess{_capitalized(io)}", argument=argument
        )
    name = "quantize" if is_quantized(io.tensor) else "write"
    return _conversion_call(
        f"{name}{_capitalized(io)}", argument, _input_writer(model, io, language), language
    )


def _conversion_call(function: str, argument: str, definition: str, language: Language) -> str:
    """Write the call of a conversion function, or only its argument if ``definition`` is empty."""
    if not definition:
        return argument
    return language.render("convert_call", function=function, argument=argument)


def _input_functions(model: PhoneModel, io: IOTensor, language: Language) -> list[str]:
    """Write the constants and functions that preprocess and convert an input."""
    preprocessing = model.preprocessing_of(io)
    common = {**_common_values(io, language), "steps": _steps_comment(preprocessing, language)}
    functions = []
    for word, values in (("Mean", preprocessing.mean), ("Std", preprocessing.std)):
        if len(values) > 1:
            numbers = ", ".join(float32_literal(value, language.suffix) for value in values)
            functions.append(language.render("channels", name=f"{io.name}{word}", values=numbers))

    def normalize(value: str, index: str) -> str:
        return normalize_expression(preprocessing, io.name, value, index, language.suffix)

    if preprocessing.image:
        fields = image_fields(preprocessing.image, io, normalize, language.templates)
        functions.append(language.render("image", **common, **fields))
    elif preprocessing.audio:
        template, fields = audio_fields(preprocessing.audio, io, normalize, language.templates)
        functions.append(language.render(template, **common, **fields))
    elif preprocessing != Preprocessing():
        value = normalize(language.templates["element"], language.templates["element_index"])
        functions.append(language.render("values", **common, normalized=value))
    if text := _input_writer(model, io, language):
        functions.append(text)
    return [f"{text.rstrip()}\n" for text in functions]


def _steps_comment(preprocessing: Preprocessing, language: Language) -> str:
    """Describe the preprocessing in a comment, one line per step."""
    return "\n".join(
        f"{language.templates['comment']}{step}" for step in describe_preprocessing(preprocessing)
    )


def _input_writer(model: PhoneModel, io: IOTensor, language: Language) -> str:
    """Define the function that converts an input to the tensor's type; empty if not needed."""
    dtype, common = io.tensor.dtype, _common_values(io, language)
    lowest, highest = _INTEGER_RANGES.get(dtype, (0, 0))
    limits = {"lowest": f"{lowest}.0", "highest": f"{highest}.0"}
    if is_quantized(io.tensor):
        scale, zero_point = _scale_and_zero_point(io)
        return language.render(
            "quantize",
            **common,
            **limits,
            scale=float32_literal(scale, language.suffix),
            zero_point=_addition(zero_point),
        )
    if dtype != "float32" and _takes_floats(model, io):
        return language.render("round", **common, **limits)
    return language.render("write_bool" if dtype == "bool" else "write", **common)


def _output_reader(io: IOTensor, language: Language) -> str:
    """Define the function that converts an output for the app; empty if not needed."""
    common = _common_values(io, language)
    if not is_quantized(io.tensor):
        return language.render("read_bool" if io.tensor.dtype == "bool" else "read", **common)
    scale, zero_point = _scale_and_zero_point(io)
    return language.render(
        "dequantize",
        **common,
        scale=float32_literal(scale, language.suffix),
        zero_point=_addition(-zero_point),
    )


def _scale_and_zero_point(io: IOTensor) -> tuple[float, int]:
    """Return the scale and zero point of a tensor that is quantized per tensor.

    Raises :class:`ValueError` if it is not quantized.
    """
    if io.tensor.quant is None:
        raise ValueError(f"{io.title} is not quantized")
    return io.tensor.quant.scale[0], io.tensor.quant.zero_point[0]


def _addition(value: int) -> str:
    """Write the operator and operand that add ``value``.

    >>> _addition(3), _addition(-128)
    ('+ 3', '- 128')
    """
    return f"{'-' if value < 0 else '+'} {abs(value)}"


def _output_array_type(io: IOTensor, language: Language) -> str:
    """Return the type of an output's values in the app."""
    return language.array(_output_dtype(io))


def _output_dtype(io: IOTensor) -> str:
    """Return the dtype of an output's values in the app: float32 if it is quantized."""
    return "float32" if is_quantized(io.tensor) else io.tensor.dtype


def _result(model: PhoneModel, language: Language) -> str:
    """Write the expression that ``run`` returns."""
    values = [
        _conversion_call(f"read{_capitalized(io)}", io.name, _output_reader(io, language), language)
        for io in model.outputs
    ]
    if len(values) == 1:
        return values[0]
    arguments = [
        language.render("argument", name=io.name, value=value)
        for io, value in zip(model.outputs, values, strict=True)
    ]
    return "Outputs(\n    " + ",\n    ".join(arguments) + "\n)"


def _outputs_class(model: PhoneModel, language: Language) -> str:
    """Define the class that holds several outputs."""
    fields = [
        language.render("field", name=io.name, array=_output_array_type(io, language))
        for io in model.outputs
    ]
    return language.render("outputs", fields="\n".join(fields))


def _labels_text(model: PhoneModel, language: Language) -> str:
    """Define the labels and, if each value has one, the function that picks the best label."""
    if not model.labels:
        return ""
    io = model.outputs[model.labelled]
    literals = [*map(language.literal, model.labels)]
    text = _labels_list(io, literals, language)
    if prod(io.tensor.shape) == len(model.labels) and io.tensor.dtype != "bool":
        dtype = _output_dtype(io)
        text += language.render(
            "label_of", array=language.array(dtype), **language.dtype_values(dtype)
        )
    return text


def _labels_list(io: IOTensor, literals: Sequence[str], language: Language) -> str:
    """Define the list of labels, in several parts if there are many and the language needs it."""
    parts = [
        wrapped_list(literals[i : i + _LABELS_PER_PART])
        for i in range(0, len(literals), _LABELS_PER_PART)
    ]
    if len(parts) == 1 or "labels_part" not in language.templates:
        return language.render("labels", name=io.name, items=wrapped_list(literals))
    named_parts = {f"Labels{index}": part for index, part in enumerate(parts)}
    return language.render("labels_whole", name=io.name, parts=wrapped_list(named_parts)) + "".join(
        language.render("labels_part", part=name, items=part) for name, part in named_parts.items()
    )
