"""Details of a comparison's page: cached, and computed again if any input changes."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from test_candidates import classifier

from edgepack.config.compare import CompareConfig
from edgepack.config.firmware import NamedModel
from edgepack.config.shared_settings import DEFAULT_TARGETS
from edgepack.core.errors import ModelError
from edgepack.core.progress import NoProgress
from edgepack.core.signature import Signature
from edgepack.devices.target import load_targets
from edgepack.pipeline.comparison import details
from edgepack.pipeline.comparison.cached_runs import Samples
from edgepack.pipeline.comparison.candidates import Candidate
from edgepack.pipeline.comparison.details import CandidateDetails
from edgepack.pipeline.comparison.setup import ComparisonSetup
from edgepack.pipeline.validation.read_inputs import ParsedFile, read_file
from edgepack.pipeline.validation.validate import Subject
from edgepack.report.data.compare import FLOAT, PRUNED, QUANTIZED, Stage
from edgepack.report.data.lint import LintReport
from edgepack.storage.arrays import load_array, save_array
from edgepack.storage.cache import Cache
from edgepack.storage.dataset import Dataset


@pytest.fixture
def setup(tmp_path: Path) -> ComparisonSetup:
    path = tmp_path / "given.tflite"
    path.write_bytes(classifier(0))
    save_array(tmp_path / "x.npy", np.eye(3, 4, dtype=np.float32))
    files = {"x": str(tmp_path / "x.npy")}
    data = Dataset(
        source="data",
        inputs={"x": load_array(tmp_path / "x.npy")},
        labels={"y": np.arange(3)},
        files=files,
    )
    floating: Any = SimpleNamespace(
        tflite=lambda _: read_file(path),
        file=None,
        inputs={"model": {"name": "m", "sha256": "0"}},
        session=lambda: None,
        signature=Signature(inputs=(), outputs=()),
        runtime="",
    )
    (tmp_path / "work").mkdir()
    return ComparisonSetup(
        config=CompareConfig(
            model=path, candidates=(NamedModel(path=path),), test=tmp_path / "data.npz"
        ),
        cache=Cache(tmp_path / "cache", tmp_path / "work"),
        work=tmp_path / "work",
        progress=NoProgress(),
        verbose=False,
        targets=load_targets(DEFAULT_TARGETS),
        runtimes=(),
        running=cast("Any", None),
        float_model=floating,
        candidates=(),
        samples=Samples(data=data),
        measures={},
        classes={},
        budgets={},
        notes=(),
    )


def with_data(setup: ComparisonSetup, **changes: Any) -> ComparisonSetup:
    return replace(setup, samples=Samples(data=replace(setup.samples.data, **changes)))


def test_the_linter_runs_again_for_other_labels_names_and_models(
    setup: ComparisonSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def lint(*_: object) -> LintReport:
        calls.append(1)
        return LintReport(model="m", samples={"test": 3}, witnesses={"test": ()}, findings=())

    monkeypatch.setattr(details, "run_linter", lint)
    setups = (
        setup,
        with_data(setup, labels={"y": np.array([0, 1, 1])}),
        with_data(setup, labels={}),
        with_data(setup, classes=("a", "b", "c")),
        replace(
            setup,
            float_model=cast("Any", SimpleNamespace(**vars(setup.float_model) | {"inputs": {}})),
        ),
    )
    for times, each in enumerate(setups, start=1):
        found = CandidateDetails(each, ExitStack()).lint()
        assert CandidateDetails(each, ExitStack()).lint() == found
        assert len(calls) == times


def test_a_pruned_candidate_is_compared_with_the_pruned_model_layer_by_layer(
    setup: ComparisonSetup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = []
    for name in ("pruned", "a", "b", "plain"):
        (tmp_path / f"{name}.tflite").write_bytes(classifier(len(files)))
        files.append(read_file(tmp_path / f"{name}.tflite"))
    pruned, a, b, plain = (
        Candidate(name=file.path.stem, role=QUANTIZED, file=file, origin=None) for file in files
    )
    candidates = (
        replace(pruned, role=PRUNED),
        replace(a, pruned=pruned.file),
        replace(b, pruned=pruned.file),
        plain,
    )

    def layers(_: CandidateDetails, file: ParsedFile, floating: ParsedFile) -> None:
        raise ModelError(f"{file.path.stem} against {floating.path.stem}")

    monkeypatch.setattr(CandidateDetails, "_layers", layers)
    monkeypatch.setattr(CandidateDetails, "_validate", lambda *_: None)
    stages = [
        Stage(name=name, role=role, file="", artifact=None, is_converted=False, runs={})
        for name, role in ((FLOAT, FLOAT), *((each.name, each.role) for each in candidates))
    ]
    found = CandidateDetails(replace(setup, candidates=candidates), ExitStack()).add_to(stages)
    assert [stage.why_no_layers for stage in found] == [
        *(None, None),
        *("a against pruned", "b against pruned", "plain against given"),
    ]


def test_a_float_model_is_not_compared_with_a_float_tflite_beside_it(
    setup: ComparisonSetup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "float.tflite").write_bytes(classifier(5))

    class RefusedError(Exception):
        pass

    def examine(subject: Subject, *_: object, **__: object) -> None:
        assert subject.file.path.name == "given.tflite"
        assert subject.file.data == classifier(0)
        raise RefusedError(subject.float_file)

    monkeypatch.setattr(details, "examine", examine)
    stage = Stage(name=FLOAT, role=FLOAT, file="", artifact=None, is_converted=False, runs={})
    with pytest.raises(RefusedError, match="None"):
        CandidateDetails(setup, ExitStack()).add_to([stage])


def test_a_model_that_the_linter_refuses_has_a_note(
    setup: ComparisonSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lint(*_: object) -> LintReport:
        raise ModelError(f"{setup.config.model}: a bare number")

    monkeypatch.setattr(details, "run_linter", lint)
    found = CandidateDetails(setup, ExitStack()).lint()
    assert found == (None, ("the data was not linted: given.tflite: a bare number",))
