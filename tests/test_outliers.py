"""A single sample that widens a range is named, and leaving it out helps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Edgepack, mlperf_path, only, python
from PIL import Image
from tiny import Tiny, Value

from edgepack.calibration.activations.peaks import Peaks

SIZE = 512
RANDOM = np.random.default_rng(0)
KERNEL = RANDOM.choice([-1.0, 1.0], size=(8, SIZE))


def model() -> bytes:
    """Write a float model that adds up 512 numbers with signs, and combines the sums."""
    tiny = Tiny()
    x, sums, last = (
        tiny.tensor(name, Value((1, size)))
        for name, size in (("x", SIZE), ("model/sums/MatMul", 8), ("model/last/MatMul", 4))
    )
    signs = tiny.tensor("model/sums/kernel", Value(KERNEL.shape, values=KERNEL))
    mixing = tiny.tensor("model/last/kernel", Value((4, 8), values=RANDOM.normal(size=(4, 8))))
    for source, weights, output in ((x, signs, sums), (sums, mixing, last)):
        inputs = [source, weights, -1]
        tiny.operator("FULLY_CONNECTED", inputs, [output], table="FullyConnectedOptions")
    return tiny.to_bytes([x], [last])


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Reports of calibrations with an outlier in the input, in an activation, and without."""
    folder = tmp_path_factory.mktemp("outliers")
    (folder / "model.tflite").write_bytes(model())
    samples = RANDOM.normal(size=(200, SIZE)).astype(np.float32)
    np.savez(folder / "test.npz", x=RANDOM.normal(size=(100, SIZE)).astype(np.float32))
    in_input, in_sums = samples.copy(), samples.copy()
    in_input[17, 40] = 1e4
    in_sums[23] = -3.5 * KERNEL[2]
    found = {}
    for name, x in {
        "input": in_input,
        "sums": in_sums,
        "without": np.delete(in_input, 17, axis=0),
        "without sum": np.delete(in_sums, 23, axis=0),
    }.items():
        np.savez(folder / f"{name}.npz", x=x)
        done = run_quantize(folder, folder / f"{name}.npz", folder / f"{name}-out")
        # Coarse steps for all others lose what they tell.
        assert done.returncode == (1 if name == "input" else 0), done.stdout + done.stderr
        found[name] = json.loads((folder / f"{name}-out" / "report.json").read_text())
    return found


def run_quantize(folder: Path, data: Path, output: Path) -> Any:
    return python(
        *("-m", "edgepack", "quantize", folder / "model.tflite", "--representative", data),
        *("--test", folder / "test.npz", "--output", output),
    )


def sqnr(report: dict[str, Any]) -> float:
    return min(score["sqnr_db"] for score in only(report)["int8"].values())


def warnings(report: dict[str, Any]) -> list[str]:
    found = [f"{each['dataset']}: {each['sentence']}; {each['cure']}" for each in report["lint"]]
    return [note for note in (*found, *report["notes"]) if "widens" in note]


def test_an_outlier_in_an_input_is_named_once_with_its_place(reports: dict[str, Any]) -> None:
    (note,) = warnings(reports["input"])
    assert note.startswith("representative dataset: 'x' is 10000 at [17, 40], but from -")
    assert note.endswith(
        " in all other samples: this sample alone widens the range; look at this sample, and repair"
        " it; or leave it out, and values beyond the range of the others are clipped"
    )


def test_leaving_it_out_helps(reports: dict[str, Any]) -> None:
    assert warnings(reports["without"]) == warnings(reports["without sum"]) == []
    assert sqnr(reports["without"]) > sqnr(reports["input"]) + 20
    assert sqnr(reports["without sum"]) > sqnr(reports["sums"]) + 6
    assert reports["without"]["calibration"]["activations"]["x"]["represented"]["max"] < 5


def test_an_outlier_in_an_activation_is_named_with_its_sample(reports: dict[str, Any]) -> None:
    (note,) = warnings(reports["sums"])
    assert note.startswith(
        "warning: sample 23 of the representative dataset alone widens the range of 'sums'"
    )
    assert ": it reaches -1792, all other samples are from -" in note
    assert note.endswith("; look at this sample, and repair it, or leave it out")


def test_the_row_and_the_file_are_those_of_the_data_as_given(
    edgepack: Edgepack, models: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(60):
        dim = RANDOM.integers(0, 10, (8, 8), dtype=np.uint8)
        dim[0, 0] = 255 if number == 31 else 9
        Image.fromarray(dim).save(folder / f"{number:02}.png")
    done = edgepack("lint", models / "cnn.h5", folder, "--json")
    (finding,) = (each for each in json.loads(done.stdout)["findings"] if each["rule"] == "outlier")
    assert "is 255 at [31, 0, 0, 0] (31.png), but from 0 to 9 in" in finding["sentence"]


@pytest.mark.parametrize(
    "draw", ["normal", "uniform", "laplace", "lognormal", "standard_cauchy", "exponential"]
)
def test_healthy_data_of_any_distribution_have_no_outlier(draw: str) -> None:
    random = np.random.default_rng(1)
    for samples in (12, 40, 300):
        for _ in range(100):
            x = getattr(random, draw)(size=(samples, 16))
            assert outlier(x) is None


def test_an_outlier_is_found_wherever_it_is_and_whatever_is_merged_first() -> None:
    x = np.random.default_rng(0).normal(size=(100, 16))
    for place, value in (((0, 3), 300.0), ((99, 0), -300.0)):
        changed = x.copy()
        changed[place] = value
        found = outlier(changed)
        assert found is not None
        assert (found.sample, found.value) == (place[0], value)
        assert found == outlier(changed, parts=[90, 5, 5]) == outlier(changed, parts=[1] * 100)
        kept = np.delete(changed, place[0], axis=0)
        assert (found.low, found.high) == (kept.min(), kept.max())


def outlier(x: np.ndarray, parts: list[int] | None = None) -> Any:
    peaks = Peaks.none(1)
    for rows in np.split(np.arange(len(x)), np.cumsum(parts or [])):
        if len(rows):
            part = x[rows]
            peaks = peaks.merged(Peaks.of(part.min(axis=1)[None], part.max(axis=1)[None], rows))
    return peaks.outlier(0)


@pytest.mark.parametrize("path", ["ad/windows.npz", "ic/train.npz", "ic/test.npz"])
def test_mlperf_tinys_data_have_no_outlier(path: str) -> None:
    x = np.load(mlperf_path(path))["x"]
    assert outlier(x.reshape(len(x), -1).astype(np.float64)) is None
