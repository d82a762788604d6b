"""``edgepack firmware``: from a .tflite file to a project that builds and tests itself."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from compilers import CPUS, HOSTS, build_program, compile_everywhere, run_program, sections
from conftest import MLPERF, Edgepack, python
from tiny import Tiny, Value, lstm_with_float, one_operator

from edgepack.build import Build, Source
from edgepack.emit.files import model_files
from edgepack.emit.names import FIRST_WORDS
from edgepack.errors import ConversionError, EdgepackError, RecipeError, TargetError
from edgepack.pipeline.firmware import firmware
from edgepack.tflite.flatbuffer import read_tflite

NANO = "nano-33-ble-sense"
M4_USED = {"kws": 22_820, "ic": 54_996, "ad": 2_580}
"""What TFLM uses of its arena on a Cortex-M4 with CMSIS-NN (August 2026, measured)."""
STUB = Path(__file__).parent / "tflm_stub"


def reference(name: str) -> Path:
    path = MLPERF / name / "reference_int8.tflite"
    if not path.is_file():
        pytest.skip(f"the MLPerf Tiny models are not at {MLPERF}")
    return path


@pytest.fixture
def relu(tmp_path: Path) -> Path:
    """A model of one operator, of a class for each of four values."""
    path = tmp_path / "relu.tflite"
    value = Value((1, 4), "int8", 0.5, zero_point=-3)
    path.write_bytes(one_operator("RELU", [value], [value], version=2))
    return path
