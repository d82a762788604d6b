"""Models of many kinds go through load, pruning, int8, LiteRT and TFLM, or say why not."""

from __future__ import annotations

import pytest
from conftest import ROOT, python


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "tflm"),
    [
        *(("MobileNetV2", "bit-exact"), ("U-Net", "bit-exact"), ("two in, two out", "bit-exact")),
        *(("Sequential of Conv1D", "bit-exact"), ("LSTM", "bit-exact"), ("GRU", "bit-exact")),
        *(("Bidirectional", "bit-exact"), ("GAN generator", "bit-exact"), ("VAE", "bit-exact")),
        ("MultiHeadAttention block", "reference in doubt"),
        ("recurrent VAE", "Didn't find op for builtin opcode 'TILE'"),
    ],
)
def test_a_row_of_the_table_works_or_names_the_reason(name: str, tflm: str) -> None:
    done = python(ROOT / "scripts" / "zoo.py", name)
    assert done.returncode == 0, done.stderr
    _, _, *rows = done.stdout.splitlines()
    assert len(rows) == 2
    for row, (kit, way) in zip(rows, (("keras", "carried"), ("tf_keras", "wrappers")), strict=True):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[:3] == [name, kit, way]
        assert cells[4].endswith(" dB")
        assert tflm in cells[5]


@pytest.mark.slow
def test_a_model_that_cannot_be_quantized_says_why() -> None:
    done = python(ROOT / "scripts" / "zoo.py", "VAE, sampling in use")
    assert "changes an integer variable during inference" in done.stdout
    assert "output of RANDOM_STANDARD_NORMAL" in done.stdout


def test_a_mistyped_name_lists_the_models() -> None:
    done = python(ROOT / "scripts" / "zoo.py", "MobileNetV9")
    assert done.returncode == 1
    assert "no model is named MobileNetV9: the models are MobileNet, MobileNetV2" in done.stderr
