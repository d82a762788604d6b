"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import importlib

import pytest
from conftest import ROOT

# These import TensorFlow or an interpreter, which belong in worker processes.
WORKERS = {
    "edgepack.pipeline.steps.model_service",
    "edgepack.runtimes.tflm",
    "edgepack.runtimes.litert",
}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for folder in ("edgepack", "edgepack/calibration", "edgepack/targets")
    for path in (ROOT / folder).rglob("*.py")
    if "tflite" not in path.name and path.name != "__main__.py"
}


@pytest.mark.parametrize("name", sorted(MODULES - WORKERS))
def test_examples_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
