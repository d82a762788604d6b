"""The stages of a comparison: what compression changed is no noise that quantization made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import tiny

from edgepack.evaluation.results import Collapse
from edgepack.pipeline.comparison.cached_runs import RuntimeOutputs
from edgepack.pipeline.comparison.candidates import Candidate
from edgepack.pipeline.comparison.stages import score_stages
from edgepack.pipeline.validation.read_inputs import read_file
from edgepack.report.data.compare import PRUNED, QUANTIZED
from edgepack.storage.artifact import Artifact
from edgepack.storage.cache import Cache

VALUES = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
OTHERS = np.random.default_rng(1).normal(scale=0.9, size=VALUES.shape).astype(np.float32)


def collapses(
    tmp_path: Path, outputs: np.ndarray, pruned: np.ndarray | None = None
) -> list[Collapse | None]:
    """Score a pruned model and what was quantized from it, and a model that was only quantized.

    All have the same outputs, unless ``pruned`` has those of the pruned one.
    """
    path = tmp_path / "model.tflite"
    ends = [tiny.Value((1, 3)), tiny.Value((1, 3))]
    path.write_bytes(tiny.one_operator("TANH", ends[:1], ends[1:]))
    file = read_file(path)
    other = replace(file, data=b"pruned")
    roles = {"pruned": (PRUNED, None), "of it": (QUANTIZED, other), "int8": (QUANTIZED, None)}
    setup: Any = SimpleNamespace(
        float_model=SimpleNamespace(
            signature=file.signature,
            runtime="Keras",
            path=path,
            artifact=Artifact(bytes=0, sha256=""),
        ),
        measures={},
        classes={},
        cache=Cache(None, tmp_path),
        candidates=[
            Candidate(
                name=name,
                role=role,
                file=other if role == PRUNED else file,
                origin=None,
                pruned=source,
            )
            for name, (role, source) in roles.items()
        ],
    )
    of_role = {"pruned": outputs if pruned is None else pruned}
    runs = {name: {"litert": run_of(of_role.get(name, outputs), name)} for name in roles}
    _, *stages = score_stages(setup, run_of(VALUES, "float"), runs)
    results = [each for stage in stages for each in stage.runs["litert"].outputs.values()]
    return [each.distance.collapse for each in results if each.distance]


def run_of(outputs: np.ndarray, content: str) -> RuntimeOutputs:
    return RuntimeOutputs(version="1", outputs=[outputs], failure=None, content=content)


def test_noise_is_a_collapse_only_where_nothing_was_compressed(tmp_path: Path) -> None:
    assert collapses(tmp_path, 0.3 * VALUES + OTHERS) == [None, None, Collapse.NOISE]


def test_noise_that_quantization_adds_to_a_pruned_model_is_a_collapse(tmp_path: Path) -> None:
    noisy = VALUES + 1.5 * OTHERS
    assert collapses(tmp_path, noisy, pruned=VALUES) == [None, Collapse.NOISE, Collapse.NOISE]


def test_constant_outputs_are_a_collapse_in_every_stage(tmp_path: Path) -> None:
    assert collapses(tmp_path, np.zeros_like(VALUES)) == [Collapse.CONSTANT] * 3
