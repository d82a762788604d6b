"""The compilers of the tests compile for the named CPU, and treat warnings as errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from compilers import (
    COMPILERS,
    CPUS,
    HOSTS,
    Compiler,
    build_program,
    compile_everywhere,
    compile_object,
    run_program,
    sections,
    symbols,
    undefined_symbols,
)
from elftools.elf.elffile import ELFFile

SOURCE = """
#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef __cplusplus
#include <algorithm>
#include <cstdint>
extern "C" {
#endif
extern const uint8_t bytes[3];
const uint8_t bytes[3] = {1, 2, 0};
float divide(float x, float y) { return x / y; }
float other(float x) { return roundf(x) + (float)strlen((const char *)bytes); }
#ifdef __cplusplus
}
#endif
"""
DIVISION_HELPERS = {
    "cortex-m0plus": "__aeabi_fdiv",
    "cortex-m33": "__aeabi_fdiv",
    "rv32imc": "__divsf3",
}
"""The function that divides floats on CPUs without an FPU."""


def test_everything_compiles_for_every_cpu(tmp_path: Path) -> None:
    source = tmp_path / "some.c"
    source.write_text(SOURCE)
    objects = compile_everywhere(source, tmp_path)
    assert len(objects) == 2 * len(COMPILERS)
    for (name, _), file in objects.items():
        assert symbols(file)["bytes"] == b"\1\2\0"
        assert ".rodata" in " ".join(sections(file))
        helpers = undefined_symbols(file) & {"__aeabi_fdiv", "__divsf3"}
        assert helpers == ({DIVISION_HELPERS[name]} if name in DIVISION_HELPERS else set())


@pytest.mark.parametrize("cpu", CPUS, ids=str)
def test_objects_are_for_the_right_machine(tmp_path: Path, cpu: Compiler) -> None:
    source = tmp_path / "some.c"
    source.write_text(SOURCE)
    with compile_object(source, tmp_path / "some.o", compiler=cpu).open("rb") as stream:
        elf = ELFFile(stream)
        assert elf.elfclass == 32
        assert elf["e_machine"] == ("EM_RISCV" if cpu.name == "rv32imc" else "EM_ARM")
        if cpu.name == "rv32imc":
            assert elf["e_flags"] == 1  # compressed instructions, floats in integer registers


@pytest.mark.parametrize("compiler", COMPILERS, ids=str)
@pytest.mark.parametrize("line", ["int f(int unused) { return 0; }", "int a[0];", "int x = 07u"])
def test_warnings_fail(tmp_path: Path, compiler: Compiler, line: str) -> None:
    source = tmp_path / "some.c"
    source.write_text(f"{line}\n")
    with pytest.raises(AssertionError, match="error:"):
        compile_object(source, tmp_path / "some.o", compiler=compiler)


@pytest.mark.parametrize("compiler", HOSTS, ids=str)
@pytest.mark.parametrize("dialect", ["c99", "c++17"])
def test_a_program_is_linked_and_run(tmp_path: Path, compiler: Compiler, dialect: str) -> None:
    source = tmp_path / "main.c"
    source.write_text(
        '#include <stdio.h>\nint main(int n, char **v) { printf("%s", v[n - 1]); return 3; }\n'
    )
    program = build_program([source], tmp_path / "main", compiler=compiler, dialect=dialect)
    done = run_program(program, "text")
    assert (done.returncode, done.stdout) == (3, "text")
