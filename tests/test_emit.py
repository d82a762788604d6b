"""The emitted C compiles everywhere, and holds the model to the byte."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conftest import Bundle, need

from edgepack.emit.c_array import c_header, c_source
from edgepack.emit.names import c_identifier

STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-O2"]
DIALECTS = {
    "c99": ["-x", "c", "-std=c99"],
    "c11": ["-x", "c", "-std=c11"],
    "c++11": ["-x", "c++", "-std=c++11"],
    "c++17": ["-x", "c++", "-std=c++17"],
}
COMPILERS = [os.environ.get("CC", "cc"), *(["clang"] if shutil.which("clang") else [])]


@cache
def compiles(compiler: str, dialect: str) -> bool:
    """Whether a compiler knows a dialect: a C compiler may come without its C++ half."""
    command = [need(compiler), *DIALECTS[dialect], "-fsyntax-only", "/dev/null"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def need_dialect(compiler: str, dialect: str) -> None:
    if not compiles(compiler, dialect):
        assert not os.environ.get("CI"), f"{compiler} must compile {dialect} here"
        pytest.skip(f"{compiler} does not compile {dialect}")


def run(*command: object) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def object_bytes(source: Path, work: Path, compiler: str, dialect: str) -> dict[str, bytes]:
    """Compile, and read the symbols' bytes back from the object file's read-only data."""
    need_dialect(compiler, dialect)
    file = work / "model.o"
    run(need(compiler), *STRICT, *DIALECTS[dialect], "-c", source, "-o", file)
    section = work / "rodata"
    run(need("objcopy"), "-O", "binary", "--only-section=.rodata", file, section)
    symbols = {}
    for line in run(need("nm"), "--print-size", file).splitlines():
        address, size, kind, name = line.split()
        assert kind == "R", f"{name} is not constant"
        start = int(address, 16)
        symbols[name] = section.read_bytes()[start : start + int(size, 16)]
    return symbols


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_object_file_holds_the_model(
    cnn: Bundle, tmp_path: Path, compiler: str, dialect: str
) -> None:
    model = (cnn.folder / "int8.tflite").read_bytes()
    source = cnn.folder / "firmware" / "cnn_model.c"
    symbols = object_bytes(source, tmp_path, compiler, dialect)
    assert symbols["cnn_model"] == model
    assert int.from_bytes(symbols["cnn_model_len"], "little") == len(model)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_program_finds_the_array_aligned_and_its_length(
    cnn: Bundle, tmp_path: Path, dialect: str
) -> None:
    main = tmp_path / "main.c"
    main.write_text(
        """
        #include <stdint.h>
        #include <stdio.h>
        #include "cnn_model.h"
        int main(void) {
            printf("%d %d", (int)((uintptr_t)cnn_model % 16), (int)cnn_model_len);
            return sizeof cnn_model != cnn_model_len;
        }
        """
    )
    firmware = cnn.folder / "firmware"
    need_dialect(COMPILERS[0], dialect)
    program = tmp_path / "program"
    objects = []
    for source in (firmware / "cnn_model.c", main):
        objects.append(tmp_path / f"{source.stem}.o")
        options = [*STRICT, *DIALECTS[dialect], f"-I{firmware}"]
        run(COMPILERS[0], *options, "-c", source, "-o", objects[-1])
    run(COMPILERS[0], *objects, "-o", program)
    assert run(program) == f"0 {(cnn.folder / 'int8.tflite').stat().st_size}"


@pytest.mark.parametrize("size", [1, 11, 12, 13, 70_000])
def test_any_bytes_come_back(tmp_path: Path, size: int) -> None:
    data = np.random.default_rng(size).bytes(size)
    (tmp_path / "x_model.h").write_text(c_header("x_model", data))
    (tmp_path / "x_model.c").write_text(c_source("x_model", data))
    symbols = object_bytes(tmp_path / "x_model.c", tmp_path, COMPILERS[0], "c99")
    assert symbols["x_model"] == data


def test_the_text_is_ascii_and_the_same_each_time() -> None:
    assert c_source("m", b"ab") == c_source("m", b"ab")
    assert (c_source("m", b"ab") + c_header("m", b"ab")).isascii()


@pytest.mark.parametrize("name", ["my-model", "3d", "class", "modèle", "a b", "_x", "x" * 300, "-"])
def test_any_name_becomes_an_identifier_that_compiles(tmp_path: Path, name: str) -> None:
    symbol = f"{c_identifier(name)}_model"
    (tmp_path / f"{symbol[:40]}.h").write_text(c_header(symbol, b"a"))
    source = tmp_path / "model.c"
    source.write_text(c_source(symbol, b"a").replace(f"{symbol}.h", f"{symbol[:40]}.h"))
    assert object_bytes(source, tmp_path, COMPILERS[0], "c99")[symbol] == b"a"
