"""``edgepack firmware``: from a .tflite file to a project that builds and tests itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from compilers import (
    CPUS,
    HOSTS,
    compile_everywhere,
    sections,
    symbols,
)
from conftest import MLPERF
from firmware import STUB
from tiny import Value, one_operator

from edgepack.build import Build, Source
from edgepack.emit.files import EMITTERS
from edgepack.pipeline.firmware import firmware
from edgepack.tflite.flatbuffer import read_tflite

NANO = "nano-33-ble-sense"
M4_USED = {"kws": 22_820, "ic": 54_996, "ad": 2_580}
"""What TFLM uses of its arena on a Cortex-M4 with CMSIS-NN, measured in August 2026."""
M4_STARTS_IN = {"kws": 22_820, "ic": 54_996, "ad": 3_024}
"""What it starts in: of ad, the notes that it takes while it plans are more than the plan."""
TINY = Value((1, 4), "int8", 0.5, zero_point=-3)


def reference(name: str) -> Path:
    path = MLPERF / name / "reference_int8.tflite"
    if not path.is_file():
        pytest.skip(f"the MLPerf Tiny models are not at {MLPERF}")
    return path


def relu(folder: Path, name: str = "relu") -> Path:
    """Write a model of one operator, of a value for each of four classes."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.tflite"
    path.write_bytes(one_operator("RELU", [TINY], [TINY], version=2))
    return path


def build(folder: Path, *models: Source, **options: object) -> Build:
    settings = {"target": NANO, "output": folder, "layout": "cmake"} | options
    return Build(models=models, **settings)  # type: ignore[arg-type]


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def macro(folder: Path, name: str) -> int:
    text = "".join(path.read_text() for path in folder.rglob("*.h"))
    (found,) = re.findall(rf"^#define {name} \(?(-?\d+)\)?$", text, re.MULTILINE)
    return int(found)


def test_real_models_become_projects_that_compile(tmp_path: Path) -> None:
    names = ("kws", "ic", "ad")
    sources = [Source(path=reference(name), name=name) for name in names]
    report = firmware(build(tmp_path / "fw", *sources))
    assert report.passed
    models = tmp_path / "fw" / "models"
    for name in names:
        arena = macro(models, f"{name.upper()}_ARENA_BYTES")
        assert arena % 16 == 0
        assert M4_STARTS_IN[name] <= arena <= 1.05 * M4_STARTS_IN[name] + 16
        operators = {op.name for op in read_tflite(reference(name).read_bytes()).main.operators}
        assert macro(models, f"{name.upper()}_OPERATORS") == len(operators)
        assert (models / name / "op_resolver.h").read_text().count("resolver.Add") == len(operators)
        assert report.models[name].arena_bytes == arena
    objects = compile_everywhere(
        tmp_path / "fw" / "self_test" / "main.cc",
        tmp_path,
        dialects=["c++17"],
        includes=[models, STUB],
    )
    assert len(objects) == len(HOSTS) + len(CPUS)
    headers = [f'#include "{name}/{file}"' for name in names for file in EMITTERS]
    (tmp_path / "all.c").write_text(
        "\n".join(line for line in headers if "op_resolver" not in line) + "\nint unused;\n"
    )
    compile_everywhere(tmp_path / "all.c", tmp_path, includes=[models])
    for name in names:
        (array,) = compile_everywhere(
            models / name / "model.c", tmp_path, compilers=CPUS[1:2], dialects=["c99"]
        ).values()
        assert symbols(array)[f"{name}_model"] == reference(name).read_bytes()
        held = {section: len(data) for section, data in sections(array).items() if data}
        assert held[".rodata"] <= len(reference(name).read_bytes()) + 4 + 12
        assert not [section for section in held if section.startswith((".data", ".text"))]
