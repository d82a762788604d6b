"""What a page tells besides is looked for once, and anew where anything else went in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from test_contestants import classifier

from edgepack.arrays import load_array, save_array
from edgepack.build import Source
from edgepack.cache import Cache
from edgepack.calibration.dataset import Dataset
from edgepack.pipeline import close_look
from edgepack.pipeline.answers import Samples
from edgepack.pipeline.close_look import CloseLook
from edgepack.pipeline.contest import Contest
from edgepack.pipeline.file import read_file
from edgepack.progress import Silent
from edgepack.report.lint import LintReport
from edgepack.trial import Trial


@pytest.fixture
def contest(tmp_path: Path) -> Contest:
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
        tflite=lambda _: read_file(path), file=None, inputs={"model": {"name": "m", "sha256": "0"}}
    )
    (tmp_path / "work").mkdir()
    return Contest(
        trial=Trial(model=path, candidates=(Source(path=path),), test=tmp_path / "data.npz"),
        cache=Cache(tmp_path / "cache", tmp_path / "work"),
        work=tmp_path / "work",
        progress=Silent(),
        verbose=False,
        runtimes=(),
        floating=floating,
        contestants=(),
        samples=Samples(data=data),
        measures={},
        classes={},
        max_drop=None,
        notes=(),
    )


def with_data(contest: Contest, **changes: Any) -> Contest:
    return replace(contest, samples=Samples(data=replace(contest.samples.data, **changes)))


def test_the_linter_looks_anew_at_other_labels_names_and_models(
    contest: Contest, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []

    def lint(*_: object, **__: object) -> LintReport:
        looked.append(1)
        return LintReport(model="m", samples={"test": 3}, witnesses={"test": ()}, findings=())

    monkeypatch.setattr(close_look, "lint", lint)
    others = (
        contest,
        with_data(contest, labels={"y": np.array([0, 1, 1])}),
        with_data(contest, labels={}),
        with_data(contest, classes=("a", "b", "c")),
        replace(
            contest,
            floating=cast("Any", SimpleNamespace(**vars(contest.floating) | {"inputs": {}})),
        ),
    )
    for times, each in enumerate(others, start=1):
        found = CloseLook(each).lint()
        assert CloseLook(each).lint() == found
        assert len(looked) == times
