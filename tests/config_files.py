"""Write files for --config, and run commands with them in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from edgepack.cli import cli

STEPS = """
[export]
model = "m.h5"
representative = "d.npz"
train = "t.npz"
output = "o"

[[compress]]
technique = "prune"
sparsity = 0.25
layers = [["conv*", 0.5], ["dense", 0]]
block = [4, 1]

[[compress]]
technique = "prune"
[compress.fine-tune]
epochs = 3
learning-rate = 1
[compress.fine-tune.schedule]
kind = "constant"
"""

MANIFEST = {
    "schema": 1,
    "command": "export",
    "artifacts": {},
    "recipe": {
        "model": {"name": "m.h5", "bytes": 1, "sha256": "0"},
        "representative": {"name": "d.npz", "bytes": 1, "sha256": "0"},
        "custom_objects": [],
        "allow_unsafe": False,
        "observer": "mse",
        "prune": None,
        "samples": 30,
        "seed": 4,
        "quantization": {
            "scheme": "int16",
            "layers": [["a*", "int8"]],
            "input_type": "int16",
            "output_type": None,
            "dense": None,
        },
        "targets": ["android-arm64"],
        "metric": "accuracy",
    },
    "versions": {"edgepack": "0.1.0"},
}
ARGUMENTS = ("m.h5", "--representative", "d.npz", "--output", "o")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [*map(str, arguments)])


def refused(*arguments: object) -> str:
    """Run a command that must be refused; returns the error message."""
    done = run(*arguments)
    assert done.exit_code == 2, (done.output, done.exception)
    assert isinstance(done.exception, SystemExit)
    (line,) = done.output.splitlines()
    assert line.startswith("error: ")
    return line


def write_config(folder: Path, text: str, name: str = "edgepack.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def write_manifest(folder: Path, **config: Any) -> Path:
    """Write the manifest of an export, with changes to its recipe."""
    text = json.dumps(MANIFEST | {"recipe": MANIFEST["recipe"] | config})
    return write_config(folder, text, "manifest.json")
