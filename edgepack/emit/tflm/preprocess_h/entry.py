"""An input whose preprocessing is written: its names in C, and what every subject needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from string import Template
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.config.preprocessing import Preprocessing
from edgepack.emit.c.firmware_model import End
from edgepack.emit.c.source_text import C_TYPES, c_comment, c_float, c_rows
from edgepack.tflite.graph import Tensor

Array = NDArray[Any]

_COMMENT_WIDTH = 94

_WHOLE = """\
/* The next whole number, halves to the even one, that $type holds. */
static inline $type ${input}_whole(float real)
{
    if (!(real > $low)) {
        return $least; /* also what is no number */
    }
    return real < $high ? ($type)rintf(real) : $most;
}

"""

_VALUE = """\
/* $formula, as edgepack computes it: in float, step by step. */
static inline float ${input}_value(float x$parameter)
{
$steps
    return x;
}

"""


@dataclass(frozen=True)
class PreprocessedInput:
    """An input of the model called ``model``, and what is done to its samples."""

    model: str
    end: End
    described: Preprocessing

    @property
    def tensor(self) -> Tensor:
        """What the model takes."""
        return self.end.tensor

    @property
    def type(self) -> str:
        """The C type of what the model takes."""
        return f"{self.model}_{self.end.name}_t"

    @property
    def is_whole(self) -> bool:
        """Whether the model takes integers that stand for themselves."""
        return self.tensor.quant is None and "float" not in self.tensor.dtype

    @property
    def needs_math(self) -> bool:
        """Whether the code calls functions of ``<math.h>``."""
        has_spectrum = self.described.audio is not None and self.described.audio.features
        return bool(has_spectrum) or (self.is_whole and self.described != Preprocessing())

    def fill(self, template: str, **words: object) -> str:
        """Fill in a template: ``$kws``, ``$input``, ``$INPUT`` and ``$type``, and ``words``."""
        name = f"{self.model}_{self.end.name}"
        names = {"kws": self.model, "end": self.end.name, "input": name, "INPUT": name.upper()}
        return Template(template).substitute(names, type=self.type, **words)

    def value_function(self) -> str:
        """Define what :meth:`value` calls: empty if nothing changes values."""
        if not self.described.changes_values:
            return ""
        tables = "".join(
            c_table(self.fill(f"${{input}}_{name}"), "float", floats(values))
            for name, values in self._lists().items()
        )
        comment = "/* Of each channel. */\n" if tables else ""
        return (
            comment
            + tables
            + self.fill(
                _VALUE,
                formula="(x * scale + offset - mean) / std",
                parameter=", size_t channel" if self._lists() else "",
                steps="\n".join(f"    x = {step};" for step in self._steps()),
            )
        )

    def value(self, x: str, channel: str) -> str:
        """Write what becomes of a number ``x``: scaled, shifted and standardized."""
        if not self.described.changes_values:
            return x
        return self.fill(f"${{input}}_value({x}{f', {channel}' if self._lists() else ''})")

    def _lists(self) -> dict[str, tuple[float, ...]]:
        """Find what differs from channel to channel."""
        both = {"mean": self.described.mean, "std": self.described.std}
        return {name: values for name, values in both.items() if len(set(values)) > 1}

    def _steps(self) -> list[str]:
        described, lists = self.described, self._lists()
        mean, std = (
            self.fill(f"${{input}}_{name}[channel]") if name in lists else c_float(values[0])
            for name, values in (("mean", described.mean), ("std", described.std))
        )
        steps = []
        if described.scale != 1:
            scaled = f"x * {c_float(described.scale)}"
            is_summand = described.offset or any(described.mean)
            steps.append(self.fill(f"${{kws}}_round_product({scaled})") if is_summand else scaled)
        if described.offset:
            steps.append(f"x + {c_float(described.offset)}")
        if any(described.mean):
            steps.append(f"x - {mean}")
        if set(described.std) != {1.0}:
            steps.append(f"x / {std}")
        return [step.replace("+ -", "- ").replace("- -", "+ ") for step in steps]

    def stored_function(self) -> str:
        """Define what :meth:`stored` calls and ``quantize.h`` does not define."""
        if not self.is_whole:
            return ""
        kind = C_TYPES[self.tensor.dtype].removesuffix("_t")
        name, limits = kind.upper(), np.iinfo(kind)
        return self.fill(
            _WHOLE,
            least=f"{name}_MIN" if limits.min else "0",
            most=f"{name}_MAX",
            low=c_float(limits.min),
            high=c_float(limits.max),
        )

    def stored(self, real: str) -> str:
        """Write what the model takes for a real number."""
        if self.tensor.quant is not None:
            return self.fill(f"${{kws}}_quantize_${{end}}({real})")
        if self.is_whole:
            return self.fill(f"${{input}}_whole({real})")
        return real if self.tensor.dtype == "float32" else self.fill(f"($type){real}")


def c_about(text: str) -> str:
    """Write a comment of one line, or of as many as it needs.

    >>> c_about("short")
    '/* short */'
    """
    lines = wrap(c_comment(text), _COMMENT_WIDTH)
    return (
        f"/* {text} */"
        if len(lines) == 1
        else "\n".join(["/*", *(f" * {line}" for line in lines), " */"])
    )


def c_table(name: str, kind: str, words: Iterable[str], columns: int | None = None) -> str:
    """Define a constant array, or one of rows of ``columns``.

    >>> print(c_table("twins", "int8_t", ["1", "2"]))
    static const int8_t twins[2] = {
        1, 2
    };
    <BLANKLINE>
    <BLANKLINE>
    """
    words = list(words)
    if columns is None:
        return f"static const {kind} {name}[{len(words)}] = {{\n{c_rows(words)}\n}};\n\n"
    rows = [words[start : start + columns] for start in range(0, len(words), columns)]
    text = ",\n".join(f"    {{\n{c_rows(row, ' ' * 8)}\n    }}" for row in rows)
    return f"static const {kind} {name}[{len(rows)}][{columns}] = {{\n{text}\n}};\n\n"


def floats(values: Iterable[float]) -> list[str]:
    """Write float32 constants.

    >>> floats([0, -0.5])
    ['0.0f', '-0.5f']
    """
    return [c_float(value) for value in values]


def waves(values: Array) -> list[str]:
    """Write constants of sines and cosines: what is 0 but for a rounding becomes 0."""
    return floats(np.round(values, 15) + 0.0)
