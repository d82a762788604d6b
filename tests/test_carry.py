"""Keras 3 models reach tf-keras unchanged, and are pruned there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import export, only, told_by


@pytest.fixture(scope="module")
def carried() -> dict[str, Any]:
    return told_by("carried.py")


@pytest.mark.parametrize(
    "name",
    [
        "residual with a shared layer and keras.ops",
        "attention",
        "attention by keyword",
        "activations with another formula",
        "preprocessing",
        "recurrent",
        "nested",
        "a layer of one's own",
        "a layer of one's own named as one of Keras's",
        "MobileNetV3Small",
        "ConvNeXtTiny",
    ],
)
def test_a_carried_model_gives_the_same_outputs_and_trains_the_same_weights(
    carried: dict[str, Any], name: str
) -> None:
    assert isinstance(carried[name], float), carried[name]
    assert carried[name] <= 1e-5
    before, after = carried[f"{name}: weights"]
    assert before == after > 0
    assert carried[f"{name}: wrapped"] <= 1e-5


def test_a_keras_3_model_is_pruned_and_the_float_model_stays_as_given(
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
