"""Activations are observed correctly, however the interpreter reuses its memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from conftest import MLPERF, python

from edgepack.calibration.activations import calibrator as calibration
from edgepack.calibration.activations.activation_statistics import Observed
from edgepack.calibration.activations.calibrator import Calibrator, start_calibrator
from edgepack.calibration.activations.instrument import activation_names, find_activations
from edgepack.calibration.activations.ranges import choose_ranges, read_recorded_ranges
from edgepack.core.errors import DatasetError
from edgepack.core.progress import ignore
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.rewrite import Rewrite

KINDS = ["residual", "reshaped", "joined", "transposed", "recurrent"]


def observe(calibrator: Calibrator, calibrated: Path, name: str, work: Path) -> Observed:
    samples = np.load(calibrated / f"{name}.npy", mmap_mode="r")
    return calibrator.observe(
        (calibrated / f"{name}.tflite").read_bytes(),
        {"x": str(calibrated / f"{name}.npy")},
        order=np.arange(len(samples)),
        histograms=True,
        work=work,
        update=ignore,
    )


def expected_activations(model: bytes, samples: np.ndarray) -> dict[str, np.ndarray]:
    """Compute each activation with a model that ends there, so that its memory is not reused."""
    graph = read_tflite(model).main
    expected = {graph.tensors[graph.inputs[0]].name: samples}
    for name, index in activation_names(graph, find_activations(graph)).items():
        if index in graph.inputs:
            continue
        rewrite = Rewrite(model)
        rewrite.graph.outputs = [index]
        producers = [n for n, op in enumerate(graph.operators) if index in op.outputs]
        rewrite.graph.operators = rewrite.graph.operators[: producers[0] + 1]
        interpreter = Interpreter(
            model_content=rewrite.to_bytes(),
            experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        )
        interpreter.allocate_tensors()
        values = []
        for sample in samples:
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], sample[None])
            interpreter.invoke()
            values.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
        expected[name] = np.stack(values)
    return expected


@pytest.mark.parametrize("name", KINDS)
def test_the_statistics_are_those_of_the_values_that_the_model_computes(
    calibrator: Calibrator, calibrated: Path, tmp_path: Path, name: str
) -> None:
    observed = observe(calibrator, calibrated, name, tmp_path)
    samples = np.load(calibrated / f"{name}.npy")
    expected = expected_activations((calibrated / f"{name}.tflite").read_bytes(), samples)
    assert observed.activations.keys() == expected.keys()
    for activation, statistics in observed.activations.items():
        values = expected[activation]
        tolerance: dict[str, Any] = {"rel": 1e-4, "abs": 1e-5}
        assert statistics.min == pytest.approx(float(values.min()), **tolerance)
        assert statistics.max == pytest.approx(float(values.max()), **tolerance)
        assert statistics.histogram is not None
        assert statistics.histogram.total == values.size
        average = values[0].max()
        for each in values[1:]:
            average = 0.95 * average + 0.05 * each.max()
        assert statistics.highs.value == pytest.approx(float(average), **tolerance)


@pytest.mark.parametrize("name", KINDS)
def test_ranges_equal_tensorflows_except_where_it_is_wrong(
    calibrator: Calibrator, calibrated: Path, tmp_path: Path, name: str
) -> None:
    model = (calibrated / f"{name}.tflite").read_bytes()
    observed = observe(calibrator, calibrated, name, tmp_path).activations
    tensorflow = read_recorded_ranges((calibrated / f"{name}.recorded.tflite").read_bytes())
    wrong = {
        activation
        for activation, own in observed.items()
        for other in [tensorflow[activation]]
        if max(abs(own.min - other.min), abs(own.max - other.max)) > 1e-4 * (own.max - own.min)
    }
    graph = read_tflite(model).main
    overwritten = {
        graph.tensors[index].name
        for operator in graph.operators
        if operator.name in ("ADD", "MUL", "SUB")
        for index in operator.inputs
    }
    assert wrong <= overwritten
    assert bool(wrong) == (name in ("residual", "recurrent", "transposed"))


def test_the_result_does_not_depend_on_the_number_of_processes(
    calibrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for processes in (1, 3):
        monkeypatch.setattr(calibration.os, "cpu_count", lambda: processes)  # noqa: B023
        with start_calibrator() as calibrator:
            observed = observe(calibrator, calibrated, "residual", tmp_path)
            graph = read_tflite((calibrated / "residual.tflite").read_bytes()).main
            results.append(
                [
                    choose_ranges(graph, observed, observer)
                    for observer in ("min-max", "moving-average", "mse")
                ]
            )
    assert results[0] == results[1]


def test_growth_is_the_fraction_of_the_ranges_that_more_samples_added(
    calibrator: Calibrator, tmp_path: Path, calibrated: Path
) -> None:
    samples = np.full((64, 12), 0.5, np.float32)
    samples[:, 0] = -1
    samples[-1, :2] = -2, 3  # the very last sample widens the input from 1.5 to 5
    np.save(tmp_path / "joined.npy", samples)
    (tmp_path / "joined.tflite").write_bytes((calibrated / "joined.tflite").read_bytes())
    observed = observe(calibrator, tmp_path, "joined", tmp_path)
    half = observed.growth[-1]
    assert half.samples == 32
    assert half.largest >= 0.7 >= half.mean > 0


def test_one_sample_is_enough(calibrator: Calibrator, tmp_path: Path, calibrated: Path) -> None:
    np.save(tmp_path / "joined.npy", np.load(calibrated / "joined.npy")[:1])
    (tmp_path / "joined.tflite").write_bytes((calibrated / "joined.tflite").read_bytes())
    observed = observe(calibrator, tmp_path, "joined", tmp_path)
    assert (observed.samples, observed.growth) == (1, ())


def test_an_activation_that_is_nan_is_reported(
    calibrator: Calibrator, tmp_path: Path, calibrated: Path
) -> None:
    np.save(tmp_path / "joined.npy", np.full((4, 12), 3e38, np.float32))
    (tmp_path / "joined.tflite").write_bytes((calibrated / "joined.tflite").read_bytes())
    with pytest.raises(DatasetError, match=r"NaN or infinity in .*; check the scale"):
        observe(calibrator, tmp_path, "joined", tmp_path)


MEMORY = """
import resource, sys
import numpy as np
from edgepack.calibration.activations.instrument import instrument
from edgepack.calibration.activations.observe_service import ObserveService
from edgepack.core.progress import ignore
model, data, samples = sys.argv[1], sys.argv[2], int(sys.argv[3])
instrumented = instrument(open(model, "rb").read())
open(data + ".tflite", "wb").write(instrumented.tflite)
np.save(data + ".order", np.arange(samples))
service = ObserveService()
service.open(
    model=data + ".tflite", activations=instrumented.activations, histograms=True,
    inputs=[data], order=data + ".order.npy", update=ignore,
)
service.observe(start=0, stop=samples, block=16, update=ignore)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_samples(calibrated: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "many.npy", np.zeros((100_000, 8, 8, 3), np.float32))  # 77 MB
    peaks = []
    for samples in (1_000, 100_000):
        done = python("-c", MEMORY, calibrated / "residual.tflite", tmp_path / "many.npy", samples)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout))
    assert peaks[1] < 1.05 * peaks[0]


def test_ranges_of_a_resnet_equal_tensorflows_except_for_three_shortcuts(
    mlperf: Path, tmp_path: Path, calibrator: Calibrator
) -> None:
    done = python(
        "-c",
        "import sys, numpy as np; from pathlib import Path;"
        "from edgepack.config.model_source import ModelSource;"
        "from edgepack.load import load_model;"
        "from edgepack.conversion.to_tflite import to_float_tflite;"
        "from edgepack.calibration.activations.tensorflow_calibrator import calibrate_fused;"
        "folder = Path(sys.argv[2]); samples = np.load(sys.argv[3])['x'];"
        "loaded = load_model(ModelSource(path=Path(sys.argv[1])));"
        "model = to_float_tflite(loaded, [samples]).tflite;"
        "(folder / 'ic.tflite').write_bytes(model); np.save(folder / 'ic.npy', samples);"
        "recorded = calibrate_fused(model, [samples], lambda *_: None);"
        "(folder / 'ic.recorded.tflite').write_bytes(recorded)",
        *(MLPERF / "ic" / "pretrainedResnet.h5", tmp_path, mlperf / "ic_calibration.npz"),
    )
    assert done.returncode == 0, done.stderr
    observed = observe(calibrator, tmp_path, "ic", tmp_path).activations
    tensorflow = read_recorded_ranges((tmp_path / "ic.recorded.tflite").read_bytes())
    equal = {
        name: tensorflow[name].max == pytest.approx(own.max, rel=1e-4)
        for name, own in observed.items()
    }
    assert list(equal.values()).count(False) == 2  # of three, one keeps its maximum by chance
    for name, is_equal in equal.items():
        if not is_equal:
            assert "Conv2D" in name or "conv2d" in name
            assert tensorflow[name].max > observed[name].max
