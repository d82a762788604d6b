"""``edgepack validate`` with unusual shapes and values, and files that do not match."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import HAS_TFLITE_RUNTIME, INTERPRETERS, PHONE, Bundle
from tiny import Tiny, Value, one_operator

from edgepack import Budgets, ValidateConfig, ValidateReport, validate
from edgepack.core.errors import AlteredError, ConfigError, ModelError


def validated(data: bytes, folder: Path, **settings: Any) -> ValidateReport:
    (folder / "model.tflite").write_bytes(data)
    report = validate(
        ValidateConfig(model=folder / "model.tflite", **{"targets": (PHONE,)} | settings)
    )
    json.dumps(report.to_dict(), allow_nan=False)
    return report


@pytest.mark.parametrize(
    ("input_shape", "output_shape"),
    [((1,), (1,)), ((), ()), ((4, 3), (4, 3))],
    ids=["rank 1", "scalar", "batch of 4"],
)
def test_shapes_without_a_batch_of_1_are_run(
    input_shape: tuple[int, ...], output_shape: tuple[int, ...], tmp_path: Path
) -> None:
    model = one_operator("ABS", [Value(input_shape, "float32")], [Value(output_shape, "float32")])
    report = validated(model, tmp_path)
    assert all(runtime.failure is None for runtime in report.runtimes.values())
    assert report.runtimes.keys() == INTERPRETERS - {"tflm"}
    if HAS_TFLITE_RUNTIME:
        assert report.runtimes["tflite-runtime"].deviations["model/layer/Op"].max_lsb == 0


def test_nan_outputs_fail(tmp_path: Path) -> None:
    report = validated(one_operator("LOG", [Value((1, 4))], [Value((1, 4))]), tmp_path)
    assert report.exit_status == 1
    assert "returns NaN (not a number)" in str(report.runtimes["litert"].failure)


def test_outputs_of_changing_size_are_run_and_not_compared(tmp_path: Path) -> None:
    output = Value((0, 2), "int64", signature=(-1, 2))
    report = validated(one_operator("WHERE", [Value((1, 9), "bool")], [output]), tmp_path)
    assert report.runtimes["litert"].failure is None
    assert "its outputs vary in size from sample to sample" in report.notes[-1]


def test_an_operator_from_float_to_integers_computes_in_float(tmp_path: Path) -> None:
    axis = Value((), "int32", values=[1])
    model = one_operator("ARG_MAX", [Value((1, 4)), axis], [Value((1,), "int64")])
    (found,) = validated(model, tmp_path, targets=("stm32l4r5zi",)).targets.values()
    assert any("computes in float" in reason for reason in found.verdict.reasons)


def test_outputs_of_other_names_are_matched_by_their_order(tmp_path: Path) -> None:
    """Converters choose the names of outputs freely."""
    float_model = Tiny()
    x, y = [float_model.tensor(name, Value((1, 4))) for name in ("x", "Identity")]
    float_model.operator("ABS", [x], [y])
    (tmp_path / "abs.tflite").write_bytes(float_model.to_bytes([x], [y]))
    model = one_operator("ABS", [Value((1, 4), "int8", 0.1)], [Value((1, 4), "int8", 0.1)])
    report = validated(model, tmp_path, float_model=tmp_path / "abs.tflite")
    assert report.comparison is not None
    (found,) = report.comparison.outputs.values()
    assert found.quantized["litert"].max_abs_error < 0.1


def test_a_quantized_file_is_refused_as_float_model(cnn: Bundle) -> None:
    path = cnn.folder / "int8.tflite"
    with pytest.raises(ModelError, match="is quantized already"):
        validate(ValidateConfig(model=path, float_model=path))


def test_a_max_arena_for_phones_is_refused(cnn: Bundle) -> None:
    config = ValidateConfig(
        model=cnn.folder / "int8.tflite", targets=("iphone-15",), budgets=Budgets(max_arena=1)
    )
    with pytest.raises(ConfigError, match="none of the targets has an arena"):
        validate(config)


@pytest.mark.parametrize("content", ["{", None])
def test_a_file_with_a_damaged_manifest_is_refused(
    content: str | None, cnn: Bundle, tmp_path: Path
) -> None:
    shutil.copy(cnn.folder / "int8.tflite", tmp_path)
    manifest = tmp_path / "manifest.json"
    manifest.write_text(content) if content else manifest.mkdir()
    with pytest.raises(AlteredError, match="which is damaged"):
        validate(ValidateConfig(model=tmp_path / "int8.tflite"))


def test_a_device_is_refused_as_file() -> None:
    with pytest.raises(ModelError, match="/dev/zero: is a pipe, a socket or a device"):
        validate(ValidateConfig(model=Path("/dev/zero")))
