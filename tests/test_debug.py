"""Where a quantized model loses its accuracy: found, explained, and measured truthfully."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from conftest import Bundle, Edgepack, python

from edgepack.arrays import save_arrays
from edgepack.debug.causes import Case, diagnose
from edgepack.debug.figures import Alone, Figures, LayerReport
from edgepack.debug.instrument import observed
from edgepack.debug.layers import Layer, match, real_values
from edgepack.debug.names import layer_names
from edgepack.debug.ranking import rank
from edgepack.debug.service import DebugService
from edgepack.debug.tally import Tally
from edgepack.flatbuffer import read_tflite
from edgepack.progress import ignore
from edgepack.quantize import affine
from edgepack.rewrite import Rewrite
from edgepack.types import Graph, Operator, QuantParams, Tensor

INT8 = QuantParams(scale=(0.5,), zero_point=(-28,))  # -50 to 77.5


@pytest.fixture(scope="module")
def debugged(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A small residual network, debugged on the command line."""
    folder = tmp_path_factory.mktemp("debug") / "residual"
    done = python(
        *("-m", "edgepack", "debug", models / "residual.h5"),
        *("--representative", models / "cnn.npz", "--output", folder),
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "debug.json").read_text())
    return Bundle(folder, report, done.stdout, done.stderr)


def files(debugged: Bundle) -> tuple[bytes, bytes]:
    return tuple((debugged.folder / f"{name}.tflite").read_bytes() for name in ("float", "int8"))


def test_it_says_which_layers_matter_and_why(debugged: Bundle) -> None:
    layers = debugged.report["layers"]
    assert {layer["name"] for layer in layers} == {
        *("input_12", "conv2d", "conv2d_1", "conv2d_2", "add", "average_pooling2d", "dense"),
        "softmax",
    }
    shares = [layer["share"] for layer in layers]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.1
    worst = layers[0]
    assert f"1. {worst['name']}, {worst['finding']['cause']}: " in debugged.stdout
    assert debugged.report["unmatched"] == []
    manifest = json.loads((debugged.folder / "manifest.json").read_text())
    assert set(manifest["artifacts"]) == {"debug.json", "debug.svg", "float.tflite", "int8.tflite"}
