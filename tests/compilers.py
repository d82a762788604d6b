"""Compile the emitted C and C++ strictly: gcc, clang, and clang for microcontrollers.

clang comes from PyPI's ziglang. For the microcontrollers its targets with musl are taken: they
are the only ones that bring the headers of a C and C++ library (the freestanding ones have no
<math.h>, <string.h> or <cstring>), for code that is compiled and not linked. clang's objects for
this machine are linked by gcc, since zig would first build its own libraries for a minute.
A compile takes 0.02 to 0.1 s in C, 0.2 to 0.3 s in C++ that includes the standard library.
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
    """A compiler, or one for a CPU; ``options`` say for which."""

    name: str
    c: tuple[str, ...]
    cxx: tuple[str, ...]
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name

    def command(self, dialect: str) -> list[str]:
        """How it is called for a dialect; without it skip, but fail in CI, where it must be."""
        if self is not GCC and find_spec("ziglang") is None:
            missing("ziglang")
        if not _knows(self, dialect):
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
    """Keep zig's cache out of the home folder; it goes when the tests end."""
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
def _knows(compiler: Compiler, dialect: str) -> bool:
    """Whether a compiler is here with this dialect: a C compiler may lack its C++ half."""
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
    """Compile a file with every compiler and dialect: objects by compiler's name and dialect."""
    cases = [(compiler, dialect) for compiler in COMPILERS for dialect in dialects]
    for compiler, dialect in cases:
        compiler.command(dialect)  # skips, which a thread of the pool could not

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
    """Compile files for this machine and link them; a file .cc is C++17 whatever the dialect.

    ``options`` are given to compiler and linker (``-fsanitize=undefined`` of gcc).
    """
    objects = [
        compile_object(
            source,
            out.with_name(f"{out.name}-{place}-{source.stem}.o"),
            compiler=compiler,
            dialect="c++17" if source.suffix == ".cc" else dialect,
            includes=includes,
            options=options,
        )
        for place, source in enumerate(sources)
    ]
    return link_program(objects, out, options=options)


def link_program(objects: Sequence[Path], out: Path, *, options: Sequence[str] = ()) -> Path:
    """Link objects for this machine: by the C++ compiler if there is one, which links C as well."""
    linker = next(filter(shutil.which, (GCC.cxx[0], GCC.c[0])), None) or need(GCC.c[0])
    done = _run([linker, *objects, *options, "-lm", "-o", out])
    assert done.returncode == 0, done.stderr
    return out


def run_program(program: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a program; its status, and what it printed, are for the test to judge."""
    return subprocess.run(
        [str(program), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def sections(file: Path) -> dict[str, bytes]:
    """Read what the sections of an object hold that have contents, by their names."""
    with file.open("rb") as stream:
        found = ELFFile(stream).iter_sections()
        return {
            section.name: section.data() for section in found if section["sh_type"] != "SHT_NOBITS"
        }


def allocated(file: Path) -> dict[str, int]:
    """Tell the bytes that each section of an object takes on the device, by its name."""
    with file.open("rb") as stream:
        found = ELFFile(stream).iter_sections()
        return {
            section.name: section["sh_size"]
            for section in found
            if section["sh_flags"] & 2 and section["sh_size"]  # SHF_ALLOC
        }


def symbols(file: Path) -> dict[str, bytes]:
    """Read the bytes of each global object that a file defines and never changes, by its name."""
    with file.open("rb") as stream:
        elf = ELFFile(stream)
        found = {}
        for symbol in elf.get_section_by_name(".symtab").iter_symbols():
            if (
                symbol["st_info"]["type"] == "STT_OBJECT"
                and symbol["st_info"]["bind"] != "STB_LOCAL"
            ):
                section = elf.get_section(symbol["st_shndx"])
                assert not section["sh_flags"] & 1, f"{symbol.name} is not constant"  # SHF_WRITE
                start = symbol["st_value"]
                found[symbol.name] = section.data()[start : start + symbol["st_size"]]
        return found


def undefined_symbols(file: Path) -> set[str]:
    """Find the names that an object needs of others."""
    with file.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        return {s.name for s in table.iter_symbols() if s["st_shndx"] == "SHN_UNDEF" and s.name}
