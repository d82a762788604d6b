"""Compile emitted C and C++ with strict warnings: gcc, clang, and clang for microcontrollers.

clang comes from PyPI's ziglang. For microcontrollers its musl targets are used, because only they
come with the headers of a C and C++ library (the freestanding targets have no <math.h>, <string.h>
or <cstring>); that code is compiled but not linked. clang's objects for this machine are linked by
gcc, since zig would first spend a minute on building its own libraries. Compiling takes 0.02 to
0.1 s in C, and 0.2 to 0.3 s in C++ that includes the standard library.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from conftest import missing, need
from elftools.elf.elffile import ELFFile

STRICT = ("-Wall", "-Wextra", "-Werror", "-pedantic", "-O2")
DIALECTS = {
    "c99": ("-x", "c", "-std=c99"),
    "c11": ("-x", "c", "-std=c11"),
    "c++11": ("-x", "c++", "-std=c++11"),
    "c++14": ("-x", "c++", "-std=c++14"),
    "c++17": ("-x", "c++", "-std=c++17"),
}


@dataclass(frozen=True)
class Compiler:
    """A compiler, or a cross compiler whose ``options`` select the CPU."""

    name: str
    c: tuple[str, ...]
    cxx: tuple[str, ...]
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name

    def command(self, dialect: str) -> list[str]:
        """Return the command for a dialect; skip the test if it is missing, but fail in CI."""
        if self is not GCC and find_spec("ziglang") is None:
            missing("ziglang")
        if not _supports(self, dialect):
            missing(f"{self} for {dialect}")
        program = self.cxx if "c++" in dialect else self.c
        return [*program, *self.options, *DIALECTS[dialect]]


def _zig(name: str, *options: str) -> Compiler:
    program = (sys.executable, "-m", "ziglang")
    return Compiler(name, (*program, "cc"), (*program, "c++"), options)


def _cross(name: str, target: str, cpu: str) -> Compiler:
    return _zig(name, "-target", target, f"-mcpu={cpu}")


GCC = Compiler("gcc", (os.environ.get("CC", "cc"),), (os.environ.get("CXX", "c++"),))
CLANG = _zig("clang", "-fPIE")  # gcc links position-independent programs
HOSTS = (GCC, CLANG)
CPUS = (
    _cross("cortex-m0plus", "thumb-linux-musleabi", "cortex_m0plus"),
    _cross("cortex-m4f", "thumb-linux-musleabihf", "cortex_m4+vfp4d16sp"),
    _cross("cortex-m7f", "thumb-linux-musleabihf", "cortex_m7+fp_armv8d16"),
    _cross("cortex-m33", "thumb-linux-musleabi", "cortex_m33-fp_armv8d16sp"),
    _cross("rv32imc", "riscv32-linux-musl", "generic_rv32+m+c"),
)
COMPILERS = (*HOSTS, *CPUS)


@cache
def _cache() -> tempfile.TemporaryDirectory[str]:
    """Keep zig's cache out of the home folder; it is deleted when the tests end."""
    return tempfile.TemporaryDirectory(prefix="zig-cache-")


def _run(command: Iterable[object]) -> subprocess.CompletedProcess[str]:
    caches = dict.fromkeys(("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"), _cache().name)
    return subprocess.run(
        [*map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | caches,
    )


@cache
def _supports(compiler: Compiler, dialect: str) -> bool:
    """Whether a compiler is installed for a dialect: its C++ compiler may be missing."""
    if compiler is not GCC:
        return True
    program = need((compiler.cxx if "c++" in dialect else compiler.c)[0])
    return _run([program, *DIALECTS[dialect], "-fsyntax-only", "/dev/null"]).returncode == 0


def compile_object(
    source: Path,
    out: Path,
    *,
    compiler: Compiler = GCC,
    dialect: str = "c99",
    includes: Sequence[Path] = (),
    options: Sequence[str] = (),
) -> Path:
    """Compile a file strictly into the object ``out``; any warning fails the test."""
    folders = [f"-I{folder}" for folder in includes]
    command = [*compiler.command(dialect), *STRICT, *options, *folders, "-c", source, "-o", out]
    done = _run(command)
    assert done.returncode == 0, f"{compiler}, {dialect}: {done.stderr}"
    return out


def compile_everywhere(
    source: Path,
    folder: Path,
    *,
    dialects: Sequence[str] = ("c99", "c++17"),
    includes: Sequence[Path] = (),
    options: Sequence[str] = (),
) -> dict[tuple[str, str], Path]:
    """Compile a file with each compiler and dialect; return the objects by their names."""
    cases = [(compiler, dialect) for compiler in COMPILERS for dialect in dialects]
    for compiler, dialect in cases:
        compiler.command(dialect)  # skips the test, which a thread of the pool could not

    def compiled(case: tuple[Compiler, str]) -> Path:
        compiler, dialect = case
        out = folder / f"{source.stem}-{compiler}-{dialect}.o"
        return compile_object(
            source, out, compiler=compiler, dialect=dialect, includes=includes, options=options
        )

    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compiled, cases))
    return {
        (str(compiler), dialect): out
        for (compiler, dialect), out in zip(cases, objects, strict=True)
    }


def build_program(
    sources: Sequence[Path],
    out: Path,
    *,
    compiler: Compiler = GCC,
    dialect: str = "c99",
    includes: Sequence[Path] = (),
    options: Sequence[str] = (),
) -> Path:
    """Compile files for this machine and link them; ``.cc`` files are always C++17.

    ``options`` are passed to compiler and linker (as gcc's ``-fsanitize=undefined`` needs).
    """
    objects = [
        compile_object(
            source,
            out.with_name(f"{out.name}-{index}-{source.stem}.o"),
            compiler=compiler,
            dialect="c++17" if source.suffix == ".cc" else dialect,
            includes=includes,
            options=options,
        )
        for index, source in enumerate(sources)
    ]
    return link_program(objects, out, options=options)


def link_program(objects: Sequence[Path], out: Path, *, options: Sequence[str] = ()) -> Path:
    """Link objects for this machine, with the C++ compiler if there is one."""
    linker = next(filter(shutil.which, (GCC.cxx[0], GCC.c[0])), None) or need(GCC.c[0])
    done = _run([linker, *objects, *options, "-lm", "-o", out])
    assert done.returncode == 0, done.stderr
    return out


def run_program(program: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a program; the test checks its exit status and output."""
    return subprocess.run(
        [str(program), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def sections(file: Path) -> dict[str, bytes]:
    """Read the contents of an object's sections, by name; without those that have none (.bss)."""
    with file.open("rb") as stream:
        all_sections = ELFFile(stream).iter_sections()
        return {
            section.name: section.data()
            for section in all_sections
            if section["sh_type"] != "SHT_NOBITS"
        }


def allocated(file: Path) -> dict[str, int]:
    """Return the size in bytes of each section that an object occupies on a device, by name."""
    with file.open("rb") as stream:
        all_sections = ELFFile(stream).iter_sections()
        return {
            section.name: section["sh_size"]
            for section in all_sections
            if section["sh_flags"] & 2 and section["sh_size"]  # SHF_ALLOC
        }


def symbols(file: Path) -> dict[str, bytes]:
    """Read the bytes of each global constant that an object file defines, by name."""
    with file.open("rb") as stream:
        elf = ELFFile(stream)
        contents = {}
        for symbol in elf.get_section_by_name(".symtab").iter_symbols():
            if (
                symbol["st_info"]["type"] == "STT_OBJECT"
                and symbol["st_info"]["bind"] != "STB_LOCAL"
            ):
                section = elf.get_section(symbol["st_shndx"])
                assert not section["sh_flags"] & 1, f"{symbol.name} is not constant"  # SHF_WRITE
                start = symbol["st_value"]
                contents[symbol.name] = section.data()[start : start + symbol["st_size"]]
        return contents


def undefined_symbols(file: Path) -> set[str]:
    """Return the names of symbols that an object needs from elsewhere."""
    with file.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        return {s.name for s in table.iter_symbols() if s["st_shndx"] == "SHN_UNDEF" and s.name}
