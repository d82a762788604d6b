"""No figure of a calibration depends on the order of the samples."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import Edgepack
from tiny import Value, one_operator

from edgepack.calibration.activations.calibrator import Calibrator
from edgepack.calibration.activations.observers import OBSERVERS
from edgepack.calibration.activations.ranges import choose_ranges
from edgepack.calibration.activations.tensorflow_calibrator import calibrate_fused
from edgepack.calibration.datasets.content_order import content_order
from edgepack.calibration.lint.model_rules import choose_lint_samples
from edgepack.core.codec import as_json
from edgepack.core.progress import ignore
from edgepack.pipeline.steps.run import Workload, _stratified_mask
from edgepack.storage.arrays import load_array
from edgepack.storage.dataset import Dataset
from edgepack.tflite.parser import read_tflite


def orders(samples: int) -> Iterator[np.ndarray]:
    """Three orders: as given, shuffled, and the reverse."""
    yield np.arange(samples)
    yield np.random.default_rng(1).permutation(samples)
    yield np.arange(samples)[::-1]


@pytest.mark.parametrize("name", ["residual", "recurrent"])
def test_every_observer_chooses_the_same_ranges_in_any_order(
    calibrator: Calibrator, calibrated: Path, tmp_path: Path, name: str
) -> None:
    model = (calibrated / f"{name}.tflite").read_bytes()
    samples = np.load(calibrated / f"{name}.npy")
    samples[::7] = samples[0]  # duplicates
    samples *= np.linspace(0.1, 3, len(samples)).reshape(-1, *[1] * (samples.ndim - 1))
    results = []
    for order in orders(len(samples)):
        np.save(tmp_path / "x.npy", samples[order].astype(np.float32))
        observed = calibrator.observe(
            model,
            {"x": str(tmp_path / "x.npy")},
            order=content_order({"x": load_array(tmp_path / "x.npy")}, 0),
            histograms=True,
            work=tmp_path,
            update=ignore,
        )
        ranges = {
            observer: choose_ranges(read_tflite(model).main, observed, observer)
            for observer in OBSERVERS
        }
        results.append((ranges, as_json(observed.growth)))
    assert results[0] == results[1] == results[2]


def test_files_and_reports_are_the_same_in_any_order(
    edgepack: Edgepack, models: Path, tmp_path: Path
) -> None:
    samples = np.load(models / "cnn.npz")["x"]
    written: list[Any] = []
    for number, order in enumerate(list(orders(len(samples)))[:2]):
        np.savez(tmp_path / f"{number}.npz", x=samples[order])
        done = edgepack(
            *("quantize", models / "cnn.h5", "--representative", tmp_path / f"{number}.npz"),
            *("--test", models / "cnn.npz", "--observer", "moving-average"),
            *("--output", tmp_path / f"out{number}"),
        )
        assert done.returncode == 0, done.stderr
        folder = tmp_path / f"out{number}"
        assert "of them, drawn at random, already covered" in done.stdout
        report = json.loads((folder / "report.json").read_text())
        files = [(folder / name).read_bytes() for name in ("int8.tflite", "calibration.json")]
        written.append((files, report["calibration"], report["comparison"], report["notes"]))
    assert written[0] == written[1]


def test_fused_operators_see_the_samples_in_the_order_of_their_content(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """TensorFlow's calibrator keeps states from one sample to the next."""
    seen: list[list[float]] = []

    class Calibrator:
        def __init__(self, model: bytes) -> None:
            self.model = model

        def calibrate(self, feed: Any) -> bytes:
            seen.append([float(x[0]) for (x,) in feed()])
            return self.model

    stub = SimpleNamespace(Calibrator=Calibrator)
    monkeypatch.setitem(sys.modules, "tensorflow.lite.python.optimize.calibrator", stub)
    x = np.arange(20.0)
    for order in orders(20):
        shuffled = x[order]
        calibrate_fused(b"", [shuffled], ignore, content_order({"x": shuffled}, 0).tolist())
    assert seen[0] == seen[1] == seen[2]
    assert sorted(seen[0]) == x.tolist() != seen[0]


def test_the_seed_decides_the_order() -> None:
    x = np.random.default_rng(0).normal(size=(50, 3))
    first, same, other = (content_order({"x": x}, seed) for seed in (0, 0, 1))
    assert sorted(first) == list(range(50))
    assert first.tolist() == same.tolist() != other.tolist()


def test_the_samples_that_are_chosen_are_the_same_in_any_order() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(400, 3)), random.integers(0, 4, 400)
    model = read_tflite(one_operator("RELU", [Value((1, 3))], [Value((1, 3))]))
    linted, run = set(), set()
    for order in orders(400):
        dataset = Dataset(source="x.npz", inputs={"x": x[order]}, labels={})
        linted.add(choose_lint_samples(dataset)[0]["x"].tobytes())
        workload = Workload(
            path=Path(), model=model, inputs={"x": x[order]}, outputs=[], labels=y[order]
        )
        chosen = x[order][_stratified_mask(workload, 100)]
        run.add(np.sort(chosen, axis=0).tobytes())
    assert len(linted) == len(run) == 1
