"""The package is light, and each room imports from lower floors only."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

import pytest
from conftest import ROOT, needs_tflite_runtime, python
from rooms import imports, modules, room

FLOORS = [
    ["core", "targets"],
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
"""The rooms of edgepack, from the ground up; ``edgepack`` is its own ``__init__``."""

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

FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MODULES = modules()
IMPORTS = imports(MODULES)


def cycle(graph: Mapping[str, Iterable[str]]) -> str:
    """Describe a cycle in a graph; empty if it has none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        path = " imports ".join(reversed(error.args[1]))
        return f"{path}: move what they share into a module below all of them"
    return ""


def within(package: str) -> dict[str, set[str]]:
    """Return what the modules and packages right below a package import of each other."""
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


def test_every_room_has_one_floor() -> None:
    rooms = {room(name) for name in MODULES}
    missing, gone = sorted(rooms - FLOOR.keys()), sorted(FLOOR.keys() - rooms)
    assert not missing, f"give {missing} a floor in FLOORS, above all that they import"
    assert not gone, f"take {gone} out of FLOORS: edgepack has no such room"
    assert len(FLOOR) == sum(map(len, FLOORS)), "a room has two floors: leave it the higher one"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_lower_floors_only(module: str) -> None:
    own = room(module)
    late = sorted(
        name
        for name in IMPORTS[module]
        if room(name) != own and FLOOR.get(room(name), 0) >= FLOOR.get(own, len(FLOORS))
    )
    assert not late, (
        f"{module} is on floor {FLOOR[own]} and imports {late}, which are no lower: move what it"
        f" needs of them below it; or, if no lower floor imports {own}, raise that in FLOORS"
    )


def test_no_modules_import_each_other() -> None:
    assert not (found := cycle(IMPORTS)), found


@pytest.mark.parametrize(
    "package", [name for name, path in MODULES.items() if path.name == "__init__.py"]
)
def test_no_packages_import_each_other(package: str) -> None:
    assert not (found := cycle(within(package))), found


def test_a_cycle_is_described_in_the_order_of_its_imports() -> None:
    assert cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == ""
    found = cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert "a imports b" in found
    assert "c imports a" in found
    assert "below all of them" in found


def test_steps_stand_on_floors_in_their_order() -> None:
    assert all(FLOOR[first] < FLOOR[second] for first, second in pairwise(STEPS.values()))


def test_the_architecture_page_lists_the_steps_in_their_order() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    (steps,) = re.findall(r"^\w+(?: -> \w+)+$", page, re.MULTILINE)
    assert steps == " -> ".join(STEPS)


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
    "module",
    [
        *("litert", "tflm", "run_service", "attempt_service"),
        pytest.param("tflite_runtime", marks=needs_tflite_runtime),
        pytest.param("tflite_runtime_reference", marks=needs_tflite_runtime),
    ],
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
    for module, path in MODULES.items():
        if room(module) == "cli" or module == "edgepack.__main__":  # which starts it
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in ("print", "sys.exit", "exit", "input", "click.echo"), path
