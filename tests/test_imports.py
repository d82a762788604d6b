"""The package is light, and its steps depend on earlier steps only."""

from __future__ import annotations

import ast
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import ROOT, python

# load -> calibrate -> compress -> convert -> quantize -> emit -> run and score -> check -> report;
# a later step may use an earlier one, and one of the same number.
STEPS = {
    "load": 0,
    "calibration": 1,
    "metrics": 1,
    "sparsity": 1,
    "compress": 2,
    "convert": 3,
    "quantize": 4,
    "session": 5,
    "emit": 5,
    "evaluation": 6,
    "runtimes": 6,
    "footprint": 6,
    "target": 7,
    "deviation": 7,
    "refusal": 7,
    "checks": 8,
    "support": 8,
    "report": 9,
    "debug": 9,
    "manifest": 9,
    "pipeline": 10,
    "cli": 11,
}
LEAVES = {
    *("apart", "app", "arrays", "artifact", "budgets", "build", "bundle", "cache", "confine"),
    *("defects", "delegates", "errors", "exchange", "findings", "gate", "given", "importing"),
    *("labels", "macs", "resources", "preprocessing", "printable", "progress", "recipe"),
    *("recipe_file", "restore", "samples", "schemes", "scratch", "serve", "settings"),
    *(
        "signals",
        "spool",
        "staging",
        "system_errors",
        "tflite",
        "toml",
        "trial",
        "types",
        "vela",
        "worker",
        "xdg",
    ),
}
FILES = sorted(
    path
    for folder in ("edgepack", "calibration")
    for path in (ROOT / folder).rglob("*.py")
    if not path.is_relative_to(ROOT / "edgepack" / "calibration")
    and not path.is_relative_to(ROOT / "edgepack" / "targets")
)


def part(module: str) -> str:
    return module.split(".")[1] if module.startswith("edgepack.") else "edgepack"


def imported(path: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("edgepack"):
            modules |= {node.module} | (
                {f"edgepack.{alias.name}" for alias in node.names}
                if node.module == "edgepack"
                else set()
            )
    return {part(module) for module in modules} - {"edgepack", "__version__"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_step_never_imports_a_later_one(path: Path) -> None:
    relative = path.relative_to(ROOT)
    own = relative.parts[0] if relative.parts[0] == "calibration" else relative.parts[1]
    own = own.removesuffix(".py")
    if own in ("__init__", "__main__"):
        return
    known = STEPS.keys() | LEAVES
    used = imported(path)
    assert used <= known, "give each part its place in STEPS or LEAVES"
    if own in LEAVES:
        assert used <= LEAVES
    else:
        late = {name for name in used if STEPS.get(name, 0) > STEPS[own]}
        assert not late


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
    "module", ["tflite_runtime", "tflite_runtime_reference", "litert", "tflm", "service"]
)
def test_an_interpreters_process_never_imports_tensorflow(module: str) -> None:
    done = python(
        "-c",
        f"import sys, edgepack.serve, edgepack.runtimes.service, edgepack.runtimes.{module};"
        "sys.exit('tensorflow' in sys.modules or 'tf_keras' in sys.modules)",
    )
    assert done.returncode == 0, done.stderr


def test_only_the_command_line_prints_or_exits() -> None:
    for path in FILES:
        if "cli" in path.parts or path.name == "serve.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in ("print", "sys.exit", "exit", "input", "click.echo"), path


def test_steps_are_listed_in_order() -> None:
    assert all(first <= second for first, second in pairwise(STEPS.values()))
