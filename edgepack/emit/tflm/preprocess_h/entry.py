"""An input and its preprocessing, and the C text that all kinds of inputs share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from string import Template
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.config.preprocessing import Preprocessing
from edgepack.emit.c.io_tensor import IOTensor
from edgepack.emit.c.source_text import C_TYPES, c_comment, c_float, c_rows
from edgepack.tflite.graph import Tensor

Array = NDArray[Any]

_COMMENT_WIDTH = 94

_WHOLE = """\
/* Rounds to the nearest integer, half to even, and saturates to the range of the input's type. */
static inline $type ${input}_whole(float real)
{
    if (!(real > $low)) {
        return $least; /* also for NaN */
    }
    return real < $high ? ($type)rintf(real) : $most;
}

"""

_VALUE = """\
/* $formula, computed in float step by step, exactly as edgepack does. */
static inline float ${input}_value(float x$parameter)
{
$steps
    return x;
}

"""


@dataclass(frozen=True)
class PreprocessedInput:
    """An input of the model named ``model`` in C, and the preprocessing of its samples."""

    model: str
    io: IOTensor
    preprocessing: Preprocessing

    @property
    def tensor(self) -> Tensor:
        """The tensor of the input."""
        return self.io.tensor

    @property
    def type(self) -> str:
        """The C type of the input's values."""
        return f"{self.model}_{self.io.name}_t"

    @property
    def is_plain_integer(self) -> bool:
        """Whether the input's values are integers without quantization (or bool)."""
        return self.tensor.quant is None and "float" not in self.tensor.dtype

    @property
    def needs_math(self) -> bool:
        """Whether the code calls functions of ``<math.h>``."""
        has_spectrum = self.preprocessing.audio is not None and self.preprocessing.audio.features
        return bool(has_spectrum) or (
            self.is_plain_integer and self.preprocessing != Preprocessing()
        )

    def render(self, template: str, **values: object) -> str:
        """Fill in a template: ``values``, ``$model``, ``$io``, ``$type``, ``$input``, ``$INPUT``.

        ``$input`` is ``MODEL_IO``, such as ``kws_input``, and ``$INPUT`` the same in capitals.
        """
        name = f"{self.model}_{self.io.name}"
        names = {"model": self.model, "io": self.io.name, "input": name, "INPUT": name.upper()}
        return Template(template).substitute(names, type=self.type, **values)

    def normalize_function(self) -> str:
        """Define the function that :meth:`normalize_call` calls; empty if not needed."""
        if not self.preprocessing.changes_values:
            return ""
        tables = "".join(
            c_table(self.render(f"${{input}}_{name}"), "float", float_literals(values))
            for name, values in self._per_channel().items()
        )
        comment = "/* One value per channel. */\n" if tables else ""
        return (
            comment
            + tables
            + self.render(
                _VALUE,
                formula="(x * scale + offset - mean) / std",
                parameter=", size_t channel" if self._per_channel() else "",
                steps="\n".join(f"    x = {step};" for step in self._steps()),
            )
        )

    def normalize_call(self, x: str, channel: str) -> str:
        """Write the C expression that scales, shifts and standardizes the expression ``x``."""
        if not self.preprocessing.changes_values:
            return x
        return self.render(f"${{input}}_value({x}{f', {channel}' if self._per_channel() else ''})")

    def _per_channel(self) -> dict[str, tuple[float, ...]]:
        """Return the mean and standard deviation, by name, if they differ between channels."""
        both = {"mean": self.preprocessing.mean, "std": self.preprocessing.std}
        return {name: values for name, values in both.items() if len(set(values)) > 1}

    def _steps(self) -> list[str]:
        """Write the C expressions of ``x`` that are assigned to ``x`` in turn."""
        preprocessing, per_channel = self.preprocessing, self._per_channel()
        mean, std = (
            self.render(f"${{input}}_{name}[channel]")
            if name in per_channel
            else c_float(values[0])
            for name, values in (("mean", preprocessing.mean), ("std", preprocessing.std))
        )
        steps = []
        if preprocessing.scale != 1:
            scaled = f"x * {c_float(preprocessing.scale)}"
            is_added_to = preprocessing.offset or any(preprocessing.mean)
            steps.append(
                self.render(f"${{model}}_round_product({scaled})") if is_added_to else scaled
            )
        if preprocessing.offset:
            steps.append(f"x + {c_float(preprocessing.offset)}")
        if any(preprocessing.mean):
            steps.append(f"x - {mean}")
        if set(preprocessing.std) != {1.0}:
            steps.append(f"x / {std}")
        return [step.replace("+ -", "- ").replace("- -", "+ ") for step in steps]

    def round_function(self) -> str:
        """Define what :meth:`convert_call` calls beyond ``quantize.h``; empty if nothing."""
        if not self.is_plain_integer:
            return ""
        dtype = C_TYPES[self.tensor.dtype].removesuffix("_t")
        name, limits = dtype.upper(), np.iinfo(dtype)
        return self.render(
            _WHOLE,
            least=f"{name}_MIN" if limits.min else "0",
            most=f"{name}_MAX",
            low=c_float(limits.min),
            high=c_float(limits.max),
        )

    def convert_call(self, real: str) -> str:
        """Write the C expression that converts expression ``real`` to the input's type."""
        if self.tensor.quant is not None:
            return self.render(f"${{model}}_quantize_${{io}}({real})")
        if self.is_plain_integer:
            return self.render(f"${{input}}_whole({real})")
        return real if self.tensor.dtype == "float32" else self.render(f"($type){real}")


def comment_block(text: str) -> str:
    """Write a C comment, wrapped into several lines if it is long.

    >>> comment_block("short")
    '/* short */'
    """
    lines = wrap(c_comment(text), _COMMENT_WIDTH)
    return (
        f"/* {text} */"
        if len(lines) == 1
        else "\n".join(["/*", *(f" * {line}" for line in lines), " */"])
    )


def c_table(name: str, c_type: str, values: Iterable[str], columns: int | None = None) -> str:
    """Define a constant C array; with ``columns``, a two-dimensional one of such rows.

    >>> print(c_table("twins", "int8_t", ["1", "2"]))
    static const int8_t twins[2] = {
        1, 2
    };
    <BLANKLINE>
    <BLANKLINE>
    """
    values = list(values)
    if columns is None:
        return f"static const {c_type} {name}[{len(values)}] = {{\n{c_rows(values)}\n}};\n\n"
    rows = [values[start : start + columns] for start in range(0, len(values), columns)]
    text = ",\n".join(f"    {{\n{c_rows(row, ' ' * 8)}\n    }}" for row in rows)
    return f"static const {c_type} {name}[{len(rows)}][{columns}] = {{\n{text}\n}};\n\n"


def float_literals(values: Iterable[float]) -> list[str]:
    """Write float32 literals.

    >>> float_literals([0, -0.5])
    ['0.0f', '-0.5f']
    """
    return [c_float(value) for value in values]


def sinusoid_literals(values: Array) -> list[str]:
    """Write float32 literals of sines and cosines; those that are 0 up to rounding become 0."""
    return float_literals(np.round(values, 15) + 0.0)
