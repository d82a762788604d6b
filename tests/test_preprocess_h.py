"""The functions of preprocess.h compute on a device what edgepack's own preprocessing does."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from compilers import build_program, compile_everywhere, undefined_symbols
from preprocessing_cases import (
    CASES,
    IMAGENET,
    MFCC,
    audio_preprocessing,
    firmware_model,
    image_preprocessing,
    tensor,
)

from edgepack.config.preprocessing import Audio, Preprocessing
from edgepack.core.errors import ConfigError, ModelError
from edgepack.emit.c.io_tensor import IOTensor
from edgepack.emit.tflm.model_settings import model_settings_h
from edgepack.emit.tflm.preprocess_h import preprocess_h
from edgepack.emit.tflm.quantize_h import quantize_h

DOUBLES = re.compile(r"__aeabi_(d|\w+2d)|__\w*df|(log|sqrt|rint)$")
MAIN = """\
#include <stdio.h>
{includes}

int main(void)
{{{calls}
    return 0;
}}
"""


def write_program(folder: Path, names: Iterable[str]) -> Path:
    """Write a program that runs cases, and its headers; return the path of its source."""
    for name in names:
        case = CASES[name]
        firmware = firmware_model(name, case.tensor, case.preprocessing)
        (folder / name).mkdir()
        (folder / name / "preprocess.h").write_text(preprocess_h(firmware))
        (folder / name / "quantize.h").write_text(quantize_h(firmware))
        (folder / name / "model_settings.h").write_text(model_settings_h(firmware))
    includes = "\n".join(f'#include "{name}/preprocess.h"' for name in names)
    calls = "".join(CASES[name].call(name) for name in names)
    main = folder / "main.c"
    main.write_text(MAIN.format(includes=includes, calls=calls))
    return main


def can_fuse() -> bool:
    """Whether this CPU has fused multiply-add."""
    cpuinfo = Path("/proc/cpuinfo")
    return platform.machine() == "x86_64" and cpuinfo.exists() and " fma " in cpuinfo.read_text()


@pytest.mark.parametrize("dialect", ["c99", "c++17"])
def test_a_device_computes_the_same(tmp_path: Path, dialect: str) -> None:
    source = write_program(tmp_path, CASES)
    # In one of the two dialects, the compiler may fuse products and sums.
    fused = ["-mfma", "-ffp-contract=fast"] if dialect == "c++17" and can_fuse() else []
    options = ["-Wdouble-promotion", "-Wconversion", "-Wshadow", "-Wundef", *fused]
    out = build_program([source], tmp_path / "run", dialect=dialect, options=options)
    stdin = b"".join(case.samples.tobytes() for case in CASES.values())
    done = subprocess.run([out], input=stdin, capture_output=True, check=True, timeout=60)
    start = 0
    for name, case in CASES.items():
        expected = case.expected
        results = np.frombuffer(done.stdout, expected.dtype, expected.size, start)
        start += results.nbytes
        deviations = np.abs(results.astype(np.float64) - expected.ravel())
        assert deviations.max() <= case.tolerance, name
        assert (deviations != 0).mean() <= case.share, name
    assert start == len(done.stdout)


def test_it_compiles_everywhere_without_double_arithmetic(tmp_path: Path) -> None:
    names = (
        "all_steps",
        "whole",
        "tokens",
        "tables",
        "crop_all_alike",
        "shrunk_gray",
        "mfcc",
        "dft",
    )
    source = write_program(tmp_path, names)
    for (compiler, dialect), out in compile_everywhere(source, tmp_path).items():
        doubles = [name for name in undefined_symbols(out) if DOUBLES.match(name)]
        assert not doubles, (compiler, dialect)


def test_the_text_is_ascii_and_its_lines_are_short() -> None:
    for case in CASES.values():
        text = preprocess_h(firmware_model("kws", case.tensor, case.preprocessing))
        assert text == preprocess_h(firmware_model("kws", case.tensor, case.preprocessing))
        assert text.isascii()
        assert max(map(len, text.splitlines())) <= 100
        assert "$" not in text


def test_values_that_depend_on_one_byte_are_computed_in_integers() -> None:
    plain = preprocess_h(
        firmware_model("ic", tensor((32, 32, 3)), image_preprocessing(colors="rgb"))
    )
    assert "input[i] = (ic_input_t)(pixels[i] - 128);" in plain
    preprocessing = image_preprocessing(crop=(8, 8), colors="bgr", **IMAGENET)
    tables = preprocess_h(firmware_model("ic", tensor((8, 8, 3), scale=0.0187), preprocessing))
    assert "ic_input_of_byte[3][256]" in tables
    for text in (plain, tables):
        assert "float" not in text
        assert "quantize.h" not in text


def test_each_input_has_a_function_and_they_share_a_helper() -> None:
    tensors = {"left": tensor((3,)), "right": tensor((2, 2)), "token": tensor((1,), "int32", None)}
    preprocessing = Preprocessing(scale=0.1, offset=1)
    text = preprocess_h(
        replace(
            firmware_model("net", tensor(())),
            inputs=tuple(
                IOTensor(name=f"input_{title}", title=title, tensor=each)
                for title, each in tensors.items()
            ),
            preprocessing={"left": preprocessing, "right": preprocessing},
        )
    )
    assert text.count("float net_round_product(float product)") == 1
    for title, c_type in (("left", "float"), ("right", "float"), ("token", "net_input_token_t")):
        signature = (
            f"net_preprocess_input_{title}(const {c_type} *values, net_input_{title}_t *input)"
        )
        assert signature in text.replace("(\n    ", "(")  # long signatures take two lines


@pytest.mark.parametrize(
    ("shape", "preprocessing", "message"),
    [
        ((4, 3), Preprocessing(mean=(1, 2)), "mean has 2 values, but samples have 3 channels"),
        (
            (4, 3),
            image_preprocessing(colors="rgb"),
            "describes an image, but the model expects shape [4, 3]",
        ),
        (
            (8, 8, 3),
            image_preprocessing(resize=(9, 8)),
            "outputs shape [9, 8, 3], but the model expects [8, 8, 3]",
        ),
        (
            (8, 8, 3),
            image_preprocessing(resize=(4, 4), crop=(8, 8)),
            "a crop of 8 x 8 does not fit into an image of 4 x 4 pixels",
        ),
        (
            (8, 8, 3),
            image_preprocessing(colors="gray"),
            "change resize, crop or colors in the project file",
        ),
        (
            (49, 13),
            audio_preprocessing(MFCC),
            "outputs shape [49, 10], but the model expects [49, 13]",
        ),
        (
            (50, 10, 1),
            audio_preprocessing(MFCC),
            "outputs shape [49, 10], but the model expects [50, 10, 1]",
        ),
        (
            (1, 10),
            audio_preprocessing(replace(MFCC, clip_samples=99)),
            "is shorter than one frame of 480",
        ),
        (
            (9,),
            audio_preprocessing(Audio(sample_rate=9, clip_samples=8)),
            "change clip_samples in the project",
        ),
        (
            (),
            audio_preprocessing(Audio(sample_rate=9)),
            "describes audio, but the model expects a single number",
        ),
    ],
)
def test_preprocessing_that_does_not_fit_the_input_is_refused(
    shape: tuple[int, ...], preprocessing: Preprocessing, message: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)) as error:
        preprocess_h(firmware_model("net", tensor(shape), preprocessing))
    assert str(error.value).startswith("input 'x': ")


def test_an_input_that_quantize_h_does_not_support_is_refused() -> None:
    with pytest.raises(ModelError, match="input 'x': unsupported quantization of int32"):
        preprocess_h(firmware_model("net", tensor((3,), "int32")))
