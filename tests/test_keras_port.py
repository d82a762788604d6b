"""Keras 3 models are ported to tf-keras with equal outputs, and pruned there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import export, only, told_by


@pytest.fixture(scope="module")
def ported() -> dict[str, Any]:
    return told_by("ported.py")


@pytest.mark.parametrize(
    "name",
    [
        "residual with a shared layer and keras.ops",
        "attention",
        "attention by keyword",
        "activations with different formulas",
        "preprocessing",
        "recurrent",
        "nested",
        "custom layer",
        "custom layer with a Keras name",
        "MobileNetV3Small",
        "ConvNeXtTiny",
    ],
)
def test_a_ported_model_has_the_same_outputs_and_trainable_weights(
    ported: dict[str, Any], name: str
) -> None:
    assert isinstance(ported[name], float), ported[name]
    assert ported[name] <= 1e-5
    before, after = ported[f"{name}: weights"]
    assert before == after > 0
    assert ported[f"{name}: wrapped"] <= 1e-5


def test_a_keras_3_model_is_pruned_and_the_float_model_is_unchanged(
    models: Path, tmp_path: Path
) -> None:
    data = ("--representative", models / "cnn.npz", "--test", models / "cnn.npz")
    plain = export(tmp_path / "plain", models / "cnn3.keras", *data).report
    pruned = export(
        tmp_path / "pruned",
        models / "cnn3.keras",
        *(*data, "--train", models / "cnn.npz", "--sparsity", 0.5, "--epochs", 20),
    ).report
    assert only(pruned)["float"] == only(plain)["float"]
    sparsity = pruned["sparsity"]["layers"]
    assert sparsity["conv2d"] == pytest.approx(0.5, abs=0.03)
    assert sparsity["dense"] == pytest.approx(0.5, abs=0.03)
    assert sparsity["depthwise_conv2d"] == 0
    assert only(pruned)["pruned"]["agreement"] < 1
