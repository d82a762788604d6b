"""The emitted C array compiles everywhere and contains exactly the model's bytes."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from compilers import DIALECTS, HOSTS, Compiler, build_program, compile_object, run_program, symbols
from conftest import Bundle

from edgepack.emit.tflm.c_array import array_header, array_source


@pytest.mark.parametrize("compiler", HOSTS, ids=str)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_object_file_contains_the_model(
    cnn: Bundle, tmp_path: Path, compiler: Compiler, dialect: str
) -> None:
    model = (cnn.folder / "int8.tflite").read_bytes()
    source = cnn.folder / "firmware" / "cnn" / "model.c"
    constants = symbols(
        compile_object(source, tmp_path / "model.o", compiler=compiler, dialect=dialect)
    )
    assert constants["cnn_model"] == model
    assert int.from_bytes(constants["cnn_model_len"], "little") == len(model)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_array_is_aligned_and_its_length_is_right(
    cnn: Bundle, tmp_path: Path, dialect: str
) -> None:
    main = tmp_path / "main.c"
    main.write_text(
        """
        #include <stdint.h>
        #include <stdio.h>
        #include "cnn/model.h"
        int main(void) {
            printf("%d %d", (int)((uintptr_t)cnn_model % 16), (int)cnn_model_len);
            return sizeof cnn_model != cnn_model_len;
        }
        """
    )
    firmware = cnn.folder / "firmware"
    program = build_program(
        [firmware / "cnn" / "model.c", main],
        tmp_path / "program",
        dialect=dialect,
        includes=[firmware],
    )
    assert run_program(program).stdout == f"0 {(cnn.folder / 'int8.tflite').stat().st_size}"


@pytest.mark.parametrize("size", [1, 11, 12, 13, 70_000])
def test_any_bytes_are_preserved(tmp_path: Path, size: int) -> None:
    data = np.random.default_rng(size).bytes(size)
    (tmp_path / "x_model.h").write_text(array_header("x_model", data))
    (tmp_path / "x_model.c").write_text(array_source("x_model", data, "x_model.h"))
    file = compile_object(tmp_path / "x_model.c", tmp_path / "model.o")
    assert symbols(file)["x_model"] == data


def test_the_text_is_ascii_and_the_same_each_time() -> None:
    assert array_source("m", b"ab", "m.h") == array_source("m", b"ab", "m.h")
    assert (array_source("m", b"ab", "m.h") + array_header("m", b"ab")).isascii()


def test_a_large_model_is_written_quickly() -> None:
    data = np.random.default_rng(0).bytes(277_000)
    start = time.perf_counter()
    array_source("ad_model", data, "model.h")
    assert time.perf_counter() - start < 0.5  # 0.02 s on an idle machine
