"""Real models with real data: MLPerf Tiny, where it lies beside the project."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import BIT_EXACT, MLPERF, export, lsb, only


def test_kws(mlperf: Path, tmp_path: Path) -> None:
    report = export(
        tmp_path / "kws",
        MLPERF / "kws" / "kws_ref_model",
        *("--representative", mlperf / "kws_calibration.npz"),
        *("--test", mlperf / "kws_test.npz"),
    ).report
    assert report["comparison"]["samples"] == 400
    assert "channels" not in only(report)
    assert only(report)["float"] == 0.9
    for score in only(report)["int8"].values():
        assert score["value"] >= 0.895
    assert lsb(report, "tflm") == BIT_EXACT


def test_ic_takes_the_benchmarks_own_files(mlperf: Path, tmp_path: Path) -> None:
    report = export(
        tmp_path / "ic",
        MLPERF / "ic" / "pretrainedResnet.h5",
        *("--representative", mlperf / "ic_calibration.npz"),
        *("--test", MLPERF / "ic" / "test.npz"),
    ).report
    assert report["comparison"]["samples"] == 423
    assert "channels" not in only(report)
    assert round(only(report)["float"], 4) == 0.896
    for score in only(report)["int8"].values():
        assert score["value"] >= 0.88
    assert lsb(report, "tflm") == BIT_EXACT


def test_ad(mlperf: Path, tmp_path: Path) -> None:
    del mlperf
    windows = MLPERF / "ad" / "windows.npz"
    report = export(
        tmp_path / "ad",
        MLPERF / "ad" / "ad01.h5",
        *("--representative", windows, "--test", windows, "--metric", "reconstruction-mse"),
    ).report
    assert only(report)["float"] == pytest.approx(9.491290, abs=5e-5)
    assert "channels" not in only(report)
    for score in only(report)["int8"].values():
        assert score["value"] == pytest.approx(only(report)["float"], rel=0.01)
    assert lsb(report, "tflm") == BIT_EXACT


@pytest.mark.slow
def test_a_pruned_resnet_keeps_its_accuracy(mlperf: Path, tmp_path: Path) -> None:
    def worst(name: str, *options: object) -> float:
        report = export(
            tmp_path / name,
            MLPERF / "ic" / "pretrainedResnet.h5",
            *("--representative", mlperf / "ic_calibration.npz"),
            *("--test", MLPERF / "ic" / "test.npz", "--target", "android-arm64", *options),
            *("--observer", "mse"),  # min-max may lose two points more to outliers
            timeout=1500,
        ).report
        assert report["sparsity"]["int8"]["overall"] >= (0.499 if options else 0)
        return float(min(score["value"] for score in only(report)["int8"].values()))

    before = worst("whole")
    training = ("--train", MLPERF / "ic" / "train.npz", "--epochs", 40, "--loss", "distillation")
    assert worst("pruned", *training, "--sparsity", 0.5) >= before - 0.02
