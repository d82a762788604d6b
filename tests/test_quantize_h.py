"""The functions of quantize.h match TensorFlow Lite bit for bit, in floats and in integers."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compilers import (
    CLANG,
    GCC,
    Compiler,
    build_program,
    compile_everywhere,
    compile_object,
    undefined_symbols,
)
from numpy.typing import NDArray
from tiny import Value, one_operator

from edgepack.core.errors import ModelError
from edgepack.emit.c.io_tensor import IOTensor
from edgepack.emit.c.source_text import C_TYPES, c_float
from edgepack.emit.tflm.firmware_model import FirmwareModel
from edgepack.emit.tflm.integer_only import integer_constants
from edgepack.emit.tflm.quantize_h import quantize_h
from edgepack.quantization.affine import dequantize, quantize
from edgepack.runtimes.tflm import Interpreter
from edgepack.tflite.graph import Model, QuantParams, Tensor
from edgepack.tflite.parser import read_tflite

SCALES = (1.0, 2**-7, 0.5847029, 1 / 255, 1e-6, 1e4, 1e-38, 3e-42, 2**-149, 1e30)
SANITIZED = [
    *("-fsanitize=undefined,float-cast-overflow", "-fno-sanitize-recover=all"),
    *("-Wconversion", "-Wdouble-promotion", "-Wshadow", "-Wundef"),
]
INT64_HELPERS = {
    "__aeabi_lmul",
    "__aeabi_llsl",
    "__aeabi_llsr",
    "__muldi3",
    "__ashldi3",
    "__lshrdi3",
}

MAIN = """\
#include <stdio.h>
#include <stdlib.h>
#include "quantize.h"

/* Read a count and values, write the results of a function. */
#define CONVERT(FROM, TO, FUNCTION) do {{                               \\
    uint32_t count, i;                                                  \\
    FROM *from;                                                         \\
    TO *to;                                                             \\
    if (fread(&count, sizeof count, 1, stdin) != 1) return 1;           \\
    from = (FROM *)malloc(count * sizeof *from);                        \\
    to = (TO *)malloc(count * sizeof *to);                              \\
    if (fread(from, sizeof *from, count, stdin) != count) return 1;     \\
    for (i = 0; i < count; ++i) to[i] = FUNCTION(from[i]);              \\
    if (fwrite(to, sizeof *to, count, stdout) != count) return 1;       \\
    free(from);                                                         \\
    free(to);                                                           \\
}} while (0)

int main(void)
{{
{calls}
    return 0;
}}
"""


def tensor(dtype: str, scale: float, zero_point: int) -> Tensor:
    quant = QuantParams(scale=(float(np.float32(scale)),), zero_point=(zero_point,))
    return Tensor(name="x */ y", shape=(1,), dtype=dtype, quant=quant, data=b"")


def firmware_model(tensors: Sequence[Tensor]) -> FirmwareModel:
    """Return a model named kws with inputs input_0, input_1 and so on."""
    return FirmwareModel(
        name="kws",
        data=b"",
        model=Model(subgraphs=()),
        inputs=tuple(
            IOTensor(name=f"input_{index}", title=each.name, tensor=each)
            for index, each in enumerate(tensors)
        ),
        outputs=(),
        arena_bytes=16,
    )


def write_headers(folder: Path, tensors: Sequence[Tensor]) -> None:
    """Write quantize.h, and the part of model_settings.h that it needs."""
    settings = ["#include <stdint.h>"]
    for index, each in enumerate(tensors):
        settings.append(f"typedef {C_TYPES[each.dtype]} kws_input_{index}_t;")
        if each.quant:
            settings += [
                f"#define KWS_INPUT_{index}_SCALE {c_float(each.quant.scale[0])}",
                f"#define KWS_INPUT_{index}_ZERO_POINT {each.quant.zero_point[0]}",
            ]
    (folder / "model_settings.h").write_text("\n".join(settings) + "\n")
    (folder / "quantize.h").write_text(quantize_h(firmware_model(tensors)))


def random_tensors() -> Iterator[Tensor]:
    random = np.random.default_rng(6)
    for dtype in ("int8", "uint8", "int16"):
        limits = np.iinfo(dtype)
        for scale in SCALES:
            yield tensor(dtype, scale, int(random.choice([limits.min, limits.max])))
        for _ in range(6):
            zero_point = int(random.integers(limits.min, limits.max, endpoint=True))
            yield tensor(dtype, 10 ** random.uniform(-6, 3), zero_point)
    yield tensor("int16", 1 / 32768, 0)


def all_values(each: Tensor) -> NDArray[Any]:
    limits = np.iinfo(each.dtype)
    return np.arange(limits.min, limits.max + 1).astype(each.dtype)


def hard_floats(each: Tensor) -> NDArray[np.float32]:
    """Return random, special and in-range floats, and the neighbors of rounding thresholds."""
    random = np.random.default_rng(1)
    patterns = random.integers(0, 1 << 32, 20_000, np.uint32).view(np.float32)
    special = np.array([0, -0.0, np.inf, -np.inf, np.nan, -np.nan, 1e-45, -1e-45], np.float32)
    scale, zero_point = np.float32(each.quant.scale[0]), each.quant.zero_point[0]
    halves = (all_values(each).astype(np.float64) - zero_point - 0.5).astype(np.float32)
    halves = random.choice(halves, 6_000) if len(halves) > 6_000 else halves
    with np.errstate(over="ignore"):
        ties = (halves * scale).astype(np.float32)
    near = [ties]
    for direction in (np.float32(np.inf), np.float32(-np.inf)):
        near += [once := np.nextafter(ties, direction), np.nextafter(once, direction)]
    within = random.uniform(-66_000, 66_000, 6_000) * float(scale)
    return np.concatenate([patterns, special, *near, within.astype(np.float32)])


def hard_integers(each: Tensor) -> NDArray[np.int32]:
    """Return integers of all sizes, and the neighbors of rounding thresholds."""
    random, constants = np.random.default_rng(2), integer_constants(each)
    unit = np.ldexp(each.quant.scale[0], constants.fraction_bits)
    steps = np.arange(constants.lowest_steps, constants.highest_steps + 1)
    near = np.rint((steps - 0.5) * unit) + np.arange(-2, 3)[:, None]
    limits = [-(1 << 31), (1 << 31) - 1, 0, 1, -1]
    ends = [
        limit + i
        for limit in (-constants.lowest_units, constants.highest_units)
        for i in (-1, 0, 1)
    ]
    bits = random.integers(-(1 << 31), 1 << 31, 20_000) >> random.integers(0, 31, 20_000)
    return np.concatenate([near.ravel(), limits, ends, bits]).astype(np.int32)


def as_real(fixed: NDArray[np.int32], fraction_bits: int) -> NDArray[np.float32]:
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(fixed.astype(np.float32), -fraction_bits)


def as_bits(values: NDArray[Any]) -> NDArray[Any]:
    return values.view(f"u{values.itemsize}")


def as_fixed(real: NDArray[np.float32], fraction_bits: int) -> NDArray[np.int32]:
    scaled = np.ldexp(real.astype(np.float64), fraction_bits)
    return np.trunc(scaled + np.copysign(0.5, scaled)).astype(np.int32)


@dataclass(frozen=True)
class Call:
    """A call of a C function for an array of arguments, and the expected results."""

    text: str
    arguments: NDArray[Any]
    expected: NDArray[Any]


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Call]]:
    """A folder with the headers and a program that runs all calls in order, and these calls."""
    tensors = list(random_tensors())
    calls = [call for index, each in enumerate(tensors) for call in calls_of(index, each)]
    folder = tmp_path_factory.mktemp("quantize")
    write_headers(folder, tensors)
    (folder / "main.c").write_text(MAIN.format(calls="\n".join(call.text for call in calls)))
    return folder, calls


def calls_of(index: int, each: Tensor) -> Iterator[Call]:
    """Yield calls of the four functions of an input."""
    io, c_type, bits = (
        f"input_{index}",
        f"kws_input_{index}_t",
        integer_constants(each).fraction_bits,
    )
    floats, integers, values = hard_floats(each), hard_integers(each), all_values(each)
    real = dequantize(values, each)
    yield Call(f"CONVERT(float, {c_type}, kws_quantize_{io});", floats, quantize(floats, each))
    yield Call(f"CONVERT({c_type}, float, kws_dequantize_{io});", values, real)
    yield Call(
        f"CONVERT(int32_t, {c_type}, kws_quantize_{io}_fixed);",
        integers,
        quantize(as_real(integers, bits), each),
    )
    yield Call(
        f"CONVERT({c_type}, int32_t, kws_dequantize_{io}_fixed);", values, as_fixed(real, bits)
    )


@pytest.mark.parametrize(
    ("compiler", "dialect", "options"),
    [
        (GCC, "c99", SANITIZED),
        (GCC, "c++17", ["-O3", "-std=gnu++17", "-march=native", "-ffp-contract=fast"]),
        (CLANG, "c99", ["-ffp-contract=fast"]),
    ],
    ids=["sanitized", "contracted", "clang"],
)
def test_the_emitted_functions_match_tensorflow_lite_bit_for_bit(
    calls: tuple[Path, list[Call]],
    tmp_path: Path,
    compiler: Compiler,
    dialect: str,
    options: list[str],
) -> None:
    folder, all_calls = calls
    program = build_program(
        [folder / "main.c"],
        tmp_path / "program",
        compiler=compiler,
        dialect=dialect,
        options=options,
    )
    stdin = b"".join(
        np.uint32(len(call.arguments)).tobytes() + call.arguments.tobytes() for call in all_calls
    )
    done = subprocess.run([program], input=stdin, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    start = 0
    for call in all_calls:
        results = np.frombuffer(done.stdout, call.expected.dtype, len(call.expected), start)
        start += results.nbytes
        # As bits: -0.0 and 0.0 differ.
        wrong = np.flatnonzero(as_bits(results) != as_bits(call.expected))
        first = wrong[:5]
        assert not len(wrong), (
            call.text,
            call.arguments[first],
            results[first],
            call.expected[first],
        )
    assert start == len(done.stdout)


def test_it_compiles_everywhere_and_integer_functions_use_no_floats(tmp_path: Path) -> None:
    write_headers(tmp_path, [tensor("int16", 0.5847029, 83)])
    for name, c_type, suffix in (("floats", "float", ""), ("integers", "int32_t", "_fixed")):
        (tmp_path / f"{name}.c").write_text(
            f'#include "quantize.h"\n{c_type} there({c_type} x);\n{c_type} there({c_type} x)\n'
            f"{{ return kws_dequantize_input_0{suffix}(kws_quantize_input_0{suffix}(x)); }}\n"
        )
    floats = compile_everywhere(tmp_path / "floats.c", tmp_path)
    integers = compile_everywhere(tmp_path / "integers.c", tmp_path)
    for key, file in integers.items():
        assert {
            name for name in undefined_symbols(file) if "unwind" not in name
        } <= INT64_HELPERS, key
    assert "__aeabi_fdiv" in undefined_symbols(floats["cortex-m0plus", "c99"])


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("scale", [0.5847029, 1 / 255, 2**-7])
def test_quantize_and_dequantize_match_tensorflow_lite_micro(dtype: str, scale: float) -> None:
    zero_point = 83 if dtype == "int8" else 0
    quantized, count = tensor(dtype, scale, zero_point), len(all_values(tensor(dtype, 1, 0)))
    floats = hard_floats(quantized)
    # TensorFlow Lite Micro's results are undefined if an int32 overflows on the way.
    floats = floats[np.abs(floats) < 1e9 * scale]
    quantization = {"dtype": dtype, "scale": scale, "zero_point": zero_point}
    shape = (len(floats),)
    model = one_operator("QUANTIZE", [Value(shape)], [Value(shape, **quantization)])
    parsed = read_tflite(model).main.output_tensors[0]
    (outputs,) = Interpreter(model).invoke([floats])
    np.testing.assert_array_equal(outputs, quantize(floats, parsed))
    model = one_operator("DEQUANTIZE", [Value((count,), **quantization)], [Value((count,))])
    (outputs,) = Interpreter(model).invoke([all_values(parsed)])
    np.testing.assert_array_equal(outputs, dequantize(all_values(parsed), parsed))


def test_every_unit_in_the_range_of_an_int8_is_quantized_correctly() -> None:
    kws = tensor("int8", 0.5847029, 83)
    constants = integer_constants(kws)
    units = np.arange(-constants.lowest_units - 3, constants.highest_units + 3)
    expected = quantize(as_real(units.astype(np.int32), constants.fraction_bits), kws)
    np.testing.assert_array_equal(constants.steps(units) + 83, expected)


def test_the_range_takes_at_least_21_bits_if_the_scale_allows() -> None:
    for each in random_tensors():
        constants = integer_constants(each)
        # Units cannot be smaller than 2^-149, the smallest float32.
        if each.quant.scale[0] > 2**-127:
            assert 1 << 20 <= max(constants.lowest_units, constants.highest_units) <= 1 << 22


def test_unquantized_tensors_have_no_functions(tmp_path: Path) -> None:
    plain = Tensor(name="x", shape=(1,), dtype="int64", quant=None, data=b"")
    channels = QuantParams(scale=(1.0, 2.0), zero_point=(0, 0), axis=0)
    per_channel = Tensor(name="x", shape=(2,), dtype="int8", quant=channels, data=b"")
    write_headers(tmp_path, [plain])
    text = quantize_h(firmware_model([plain, per_channel]))
    assert "there is nothing to convert" in text
    assert "static" not in text
    (tmp_path / "a.c").write_text('#include "quantize.h"\n')
    compile_object(tmp_path / "a.c", tmp_path / "a.o")


def test_the_text_is_ascii_tidy_and_the_same_each_time() -> None:
    text = quantize_h(firmware_model([tensor("int16", 1e4, 5)]))
    assert text == quantize_h(firmware_model([tensor("int16", 1e4, 5)]))
    assert text.isascii()
    assert "x * / y" in text
    assert max(map(len, text.splitlines())) <= 100
    assert not re.search(r"[ \t]$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("scale", "zero_point", "reason"),
    [
        (1.0, 200, "zero point 200 is out of range for int8"),
        (0.0, 0, "with scale 0 its values do not fit into float32"),
        (-1.0, 0, "with scale -1"),
        (np.nan, 0, "with scale nan"),
        (np.inf, 0, "with scale inf"),
        (1e37, 0, "with scale 1e\\+37"),
    ],
)
def test_an_invalid_scale_or_zero_point_is_refused(
    scale: float, zero_point: int, reason: str
) -> None:
    with pytest.raises(ModelError, match=reason):
        quantize_h(firmware_model([tensor("int8", scale, zero_point)]))
