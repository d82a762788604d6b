"""Simulated fixed-point weights: the arithmetic, and the study command."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from conftest import Bundle, Edgepack

from edgepack.config.study import StudyConfig
from edgepack.core.errors import ConfigError
from edgepack.quantization.fixed_point import round_weights, simulate
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.sparsity import weight_tensors

WEIGHTS = np.random.default_rng(0).normal(size=500)


def scale(bits: int) -> float:
    return float(np.ptp(WEIGHTS)) / (2**bits - 1)


@pytest.mark.parametrize("bits", range(2, 9))
def test_nearest_is_off_by_half_a_step_at_most_and_has_2_to_the_k_values(bits: int) -> None:
    rounded = simulate(WEIGHTS, bits)
    assert np.abs(rounded - WEIGHTS).max() <= scale(bits) / 2 + 1e-6
    assert len(np.unique(rounded)) <= 2**bits
    assert [rounded.min(), rounded.max()] == pytest.approx([WEIGHTS.min(), WEIGHTS.max()])


@pytest.mark.parametrize("bits", [2, 5])
def test_stochastic_rounding_is_unbiased(bits: int) -> None:
    seeds = 400
    drawn = [simulate(WEIGHTS, bits, random=np.random.default_rng(seed)) for seed in range(seeds)]
    assert len(np.unique(drawn)) <= 2**bits
    assert np.abs(drawn - WEIGHTS).max() < scale(bits) + 1e-6
    fraction = (WEIGHTS - WEIGHTS.min()) / scale(bits) % 1
    sigma = scale(bits) * np.sqrt(fraction * (1 - fraction) / seeds)
    error = np.abs(np.mean(drawn, axis=0, dtype=np.float64) - WEIGHTS)
    assert (error > 4 * sigma + 1e-6).mean() < 0.005
    assert error.mean() < scale(bits) / 20


def test_equal_weights_are_unchanged() -> None:
    np.testing.assert_array_equal(simulate(np.full(3, 0.5), 4), np.full(3, 0.5))


def test_the_weights_of_a_file_are_rounded_and_its_biases_unchanged(cnn: Bundle) -> None:
    data = (cnn.folder / "float.tflite").read_bytes()
    changed = round_weights(data, 3, "stochastic", seed=1)
    assert changed == round_weights(data, 3, "stochastic", seed=1)
    assert changed != round_weights(data, 3, "stochastic", seed=2)
    before, after = (read_tflite(each) for each in (data, changed))
    weights = {weight.tensor.name for weight in weight_tensors(before).values()}
    for old, new in zip(before.main.tensors, after.main.tensors, strict=True):
        if old.name in weights:
            assert len(np.unique(np.frombuffer(new.data, np.float32))) <= 2**3
        else:
            assert new == old


def test_a_study_reports_accuracy_by_bits(models: Path, edgepack: Edgepack, tmp_path: Path) -> None:
    data, output = models / "cnn.npz", tmp_path / "out"
    done = edgepack("study", models / "cnn.h5", "--test", data, "--bits", "2-8", "--output", output)
    assert done.returncode == 0, done.stderr
    header, float_row, *rows = done.stdout.splitlines()
    assert header.split()[:3] == ["weights", "rounding", "accuracy"]
    assert float_row.startswith("float")
    assert len(rows) == 7 * 2
    report = json.loads((output / "study.json").read_text())
    nearest = [
        each["outputs"]["dense"]["sqnr_db"]
        for each in report["simulated"]
        if each["rounding"] == "nearest"
    ]
    assert nearest[-1] > nearest[0] + 20  # about 6 dB per bit
    assert {path.name for path in output.iterdir()} == {
        *("float.tflite", "study.json", "manifest.json"),
    }
    manifest = json.loads((output / "manifest.json").read_text())["recipe"]
    assert {key: manifest.pop(key) for key in ("bits", "roundings", "seed", "metric")} == {
        "bits": [2, 3, 4, 5, 6, 7, 8],
        "roundings": ["nearest", "stochastic"],
        "seed": 0,
        "metric": None,
    }
    assert set(manifest) == {"model", "test", "custom_objects", "allow_unsafe"}


def test_invalid_settings_of_a_study_are_rejected() -> None:
    study = partial(StudyConfig, model=Path("m.h5"), test="test.npz", output=Path("o"))
    with pytest.raises(ConfigError, match="bits 9: choose 2 to 8"):
        study(bits=(8, 9))
    with pytest.raises(ConfigError, match="rounding 'up': choose one of nearest, stochastic"):
        study(roundings=("up",))
