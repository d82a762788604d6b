"""The package is light, and each part of it imports from lower floors only."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import ROOT, python

FLOORS = [
    ["core"],
    ["tflite", "workers"],
    ["config", "footprint"],
    ["storage"],
    ["load", "metrics"],
    ["compression"],
    ["conversion"],
    ["calibration"],
    ["quantization"],
    ["emit"],
    ["runtimes"],
    ["devices"],
    ["evaluation"],
    ["checks", "layer_errors"],
    ["report"],
    ["pipeline"],
    ["edgepack"],
    ["cli"],
    ["__main__"],
]
"""Every package and loose module of edgepack, from the ground up; ``edgepack`` is its __init__."""

STEPS = {
    "load": "load",
    "compress": "compression",
    "convert": "conversion",
    "calibrate": "calibration",
    "quantize": "quantization",
    "emit": "emit",
    "run": "runtimes",
    "score": "evaluation",
    "check": "checks",
    "report": "report",
}
"""The package of each step, in the order in which a model passes through them."""

FLOOR = {part: number for number, parts in enumerate(FLOORS) for part in parts}
LINKS = tuple(ROOT / "edgepack" / name for name in ("calibration", "targets"))


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    package = () if parts[0] == "edgepack" else ("edgepack",)
    return ".".join((*package, *parts)).removesuffix(".__init__")


MODULES = {
    _name(path): path
    for folder in ("edgepack", "calibration")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if not any(path.is_relative_to(link) for link in LINKS)
}


def _imported(path: Path) -> set[str]:
    """Find the modules of edgepack that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            found |= {whole if whole in MODULES else node.module for whole in inner.values()}
    return {name for name in found if name.split(".")[0] == "edgepack"}


IMPORTS = {name: _imported(path) for name, path in MODULES.items()}


def part(module: str) -> str:
    """Name the package below edgepack that a module is in, or the loose module that it is."""
    return module.split(".")[1] if "." in module else module


def circle(graph: Mapping[str, Iterable[str]]) -> str:
    """Tell a circle in a graph, empty if it has none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        told = " imports ".join(reversed(error.args[1]))
        return f"{told}: move what they share into a module below all of them"
    return ""


def within(package: str) -> dict[str, set[str]]:
    """Tell which modules and packages right below a package import which, itself among them."""
    depth = package.count(".") + 2

    def child(module: str) -> str:
        return ".".join(module.split(".")[:depth])

    return {
        each: {
            child(other)
            for name in MODULES
            if child(name) == each
            for other in IMPORTS[name]
            if (other == package or other.startswith(f"{package}.")) and child(other) != each
        }
        for each in {child(name) for name in MODULES if f"{name}.".startswith(f"{package}.")}
    }


def test_every_part_has_one_floor() -> None:
    parts = {part(name) for name in MODULES}
    lacking, gone = sorted(parts - FLOOR.keys()), sorted(FLOOR.keys() - parts)
    assert not lacking, f"give {lacking} a floor in FLOORS, above all that they import"
    assert not gone, f"take {gone} out of FLOORS: edgepack has no such part"
    assert len(FLOOR) == sum(map(len, FLOORS)), "a part has two floors: leave it the higher one"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_lower_floors_only(module: str) -> None:
    own = part(module)
    late = sorted(
        name
        for name in IMPORTS[module]
        if part(name) != own and FLOOR.get(part(name), 0) >= FLOOR.get(own, len(FLOORS))
    )
    assert not late, (
        f"{module} is on floor {FLOOR[own]} and imports {late}, which are no lower: move what it"
        f" needs of them below it; or, if no lower floor imports {own}, raise that in FLOORS"
    )


def test_no_modules_import_each_other() -> None:
    assert not (told := circle(IMPORTS)), told


@pytest.mark.parametrize(
    "package", [name for name, path in MODULES.items() if path.name == "__init__.py"]
)
def test_no_packages_import_each_other(package: str) -> None:
    assert not (told := circle(within(package))), told


def test_a_circle_is_told_in_the_order_of_its_imports() -> None:
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == ""
    told = circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert "a imports b" in told
    assert "c imports a" in told
    assert "below all of them" in told


def test_steps_stand_on_floors_in_their_order() -> None:
    assert all(FLOOR[first] < FLOOR[second] for first, second in pairwise(STEPS.values()))


def test_contributing_tells_the_steps_in_their_order() -> None:
    section = (ROOT / "CONTRIBUTING.md").read_text().split("## How the code is laid out")[1]
    (told,) = re.findall(r"^\w+(?: -> \w+)+$", section, re.MULTILINE)
    assert told == " -> ".join(STEPS)


EVERY_HELP = """
from edgepack.cli import cli
for name in cli.commands:
    cli([name, "--help"], standalone_mode=False)
"""
HEAVY = ("numpy", "scipy", "sklearn", "skimage", "tensorflow", "keras", "tf_keras")


@pytest.mark.parametrize(
    "code",
    [
        "import edgepack",
        "from edgepack.cli import cli; cli(['--help'], standalone_mode=False)",
        "from edgepack.cli import cli; cli(['targets'], standalone_mode=False)",
        EVERY_HELP,
    ],
)
def test_importing_edgepack_and_asking_for_help_is_light(code: str) -> None:
    done = python("-c", f"{code}\nimport sys; sys.exit(str(set({HEAVY}) & set(sys.modules)))")
    assert done.stderr.strip() == "set()"


@pytest.mark.parametrize(
    "module", ["tflite_runtime", "tflite_runtime_reference", "litert", "tflm", "run_service"]
)
def test_an_interpreters_process_never_imports_tensorflow(module: str) -> None:
    done = python(
        "-c",
        "import sys, edgepack.workers.server, edgepack.runtimes.run_service;"
        f"import edgepack.runtimes.{module};"
        "sys.exit('tensorflow' in sys.modules or 'tf_keras' in sys.modules)",
    )
    assert done.returncode == 0, done.stderr


def test_only_the_command_line_prints_or_exits() -> None:
    for path in MODULES.values():
        if "cli" in path.parts or path.name == "server.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in ("print", "sys.exit", "exit", "input", "click.echo"), path
