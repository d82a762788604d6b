"""Mutated models are refused or fail, and never pass wrongly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as schema
from conftest import ROOT
from convolutions import net

sys.path.append(str(ROOT / "scripts"))
import mutants


def test_the_same_seed_makes_the_same_mutants() -> None:
    whole = net()
    mutated = [mutants.mutant(whole, number, 5) for number in range(60)]
    assert mutated == [mutants.mutant(whole, number, 5) for number in range(60)]
    assert len({*mutated, whole}) > 55
    assert mutated != [mutants.mutant(whole, number, 6) for number in range(60)]
    for data in mutated[1::2]:
        schema.ModelT.InitFromPackedBuf(data, 0)  # still a valid FlatBuffer


def run_mutants(folder: Path, *arguments: object) -> dict[str, int]:
    """Run scripts/mutants.py and return its counts by outcome."""
    path = folder / "net.tflite"
    path.write_bytes(net())
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "mutants.py", path, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counts = (line.split(maxsplit=1) for line in done.stdout.splitlines())
    return {name: int(count) for count, name in counts}


FEW = (("validate", 12), ("firmware", 12), ("inspect", 40))
MANY = (("validate", 300), ("firmware", 300), ("inspect", 300))


@pytest.mark.parametrize(
    ("by", "count"), [*FEW, *(pytest.param(*each, marks=pytest.mark.slow) for each in MANY)]
)
def test_mutants_are_refused_or_fail_and_never_pass_wrongly(
    by: str, count: int, tmp_path: Path
) -> None:
    counts = run_mutants(
        tmp_path,
        *("--by", by, "--only", "structured", "--count", count, "--jobs", 2),
        *("--time-limit", 120, "--seed", 3),
    )
    assert counts.pop("in all") == count == sum(counts.values())
    assert counts["refused: damaged or invalid"] > count / 4
