"""Compression steps in order, with techniques for tests only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import only
from jsonschema import Draft202012Validator
from test_schemas import OF_EXPORT

from edgepack import ExportConfig, Prune, export
from edgepack.compression import TECHNIQUES, find_technique
from edgepack.config.compression_step import CompressionStep, FineTune
from edgepack.config.diff import DiffConfig
from edgepack.core.errors import ConfigError, ModelError
from edgepack.pipeline.diff import diff
from edgepack.pipeline.steps.compress import stage_names
from edgepack.report.data.export import ExportReport
from edgepack.report.document.markdown import render_markdown
from edgepack.report.pages.export import export_document
from edgepack.report.text.export import render_export
from edgepack.storage.manifest import Manifest
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.sparsity import weight_tensors

PRUNE = Prune(sparsity=0.5)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The techniques of tests/techniques.py, in this process and in TensorFlow's."""
    before = dict(TECHNIQUES)
    import techniques

    TECHNIQUES.update({each.name: each for each in (techniques.SCALING, techniques.GROWING)})
    monkeypatch.setattr("edgepack.pipeline.steps.model_process.SERVICE", "techniques:ModelSession")
    yield techniques
    TECHNIQUES.clear()
    TECHNIQUES.update(before)


def config(models: Path, output: Path, *steps: CompressionStep, **settings: Any) -> ExportConfig:
    data = models / "cnn.npz"
    return ExportConfig(
        model=settings.pop("model", models / "cnn.h5"),
        output=output,
        representative=data,
        test=data,
        compress=steps,
        targets=("android-arm64",),
        allow_unsafe=True,  # the process reads the folder of the tests
        **settings,
    )


def weights(folder: Path) -> dict[str, np.ndarray]:
    model = read_tflite((folder / "float.tflite").read_bytes())
    return {
        name: np.frombuffer(weight.tensor.data, np.float32)
        for name, weight in weight_tensors(model).items()
    }


@pytest.fixture(scope="module")
def plain(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model without compression."""
    folder = tmp_path_factory.mktemp("plain") / "out"
    export(config(models, folder))
    return folder


@pytest.fixture
def both(models: Path, tmp_path: Path, registered: Any) -> tuple[Path, ExportReport]:
    """The model pruned to a sparsity of 0.5, then with its weights doubled."""
    folder = tmp_path / "both"
    return folder, export(config(models, folder, PRUNE, registered.Scale(factor=2.0)))


def test_each_step_works_on_the_result_of_the_previous_one(
    both: tuple[Path, ExportReport], plain: Path
) -> None:
    folder, _ = both
    before, after = weights(plain), weights(folder)
    for name, values in after.items():
        kept = values != 0
        np.testing.assert_allclose(values[kept], 2 * before[name][kept], rtol=1e-6)
    assert np.mean([(values == 0).mean() for values in after.values()]) > 0.3


def test_every_step_has_a_row_and_a_description(both: tuple[Path, ExportReport]) -> None:
    folder, report = both
    text = render_export(report)
    names = [line.split()[0] for line in text.splitlines()[1:5]]
    assert names == ["float", "pruned", "scaled", "int8"]
    assert "\npruned    by TFMOT; in one shot, not fine-tuned\n" in text
    assert "\nscaled    by 2\n          and nothing else\nzeros     " in text
    assert "          not pruned (TFMOT does not prune such layers): depthwise_conv2d\n" in text
    assert "          not scaled (it is not a weight): bias\n" in text
    manifest = Manifest.read(folder)
    assert manifest is not None
    page = render_markdown(export_document(report, manifest))
    assert "pruned" in page
    assert "scaled" in page
    assert page == (folder / "report.md").read_text()


def test_the_report_and_the_manifest_hold_the_steps_in_order(
    both: tuple[Path, ExportReport],
) -> None:
    folder, _ = both
    report = json.loads((folder / "report.json").read_text())
    OF_EXPORT.validate(report)
    first, second = report["compression"]
    assert (first["technique"], first["stage"]) == ("prune", "pruned")
    assert first["record"] == report["pruning"]
    assert second["record"] == {
        "runtime": "LiteRT",
        "left_out": {"bias": "it is not a weight"},
        "factor": 2.0,
    }
    ((name, scored),) = first["outputs"].items()
    assert only(report)["pruned"] == scored
    assert second["outputs"][name]["sqnr_db"] < scored["sqnr_db"]
    config = json.loads((folder / "manifest.json").read_text())["recipe"]
    assert [step["technique"] for step in config["compress"]] == ["prune", "scale"]
    assert config["compress"][1] == {"technique": "scale", "factor": 2.0, "keep": []}
    assert "prune" not in config


def test_a_diff_compares_every_step(both: tuple[Path, ExportReport], plain: Path) -> None:
    folder, _ = both
    rows = {row.what: row for row in diff(DiffConfig(a=plain, b=folder)).rows}
    steps = rows["steps of compression"]
    assert (steps.a, steps.b) == ("none", "prune, scale")
    assert rows["scaled: SQNR"].verdict == rows["pruned: SQNR"].verdict == "only in B"


def test_a_report_of_an_earlier_version_is_read(
    both: tuple[Path, ExportReport], tmp_path: Path
) -> None:
    folder, _ = both
    report = json.loads((folder / "report.json").read_text())
    report["compression"] = report["compression"][:1]
    after = tmp_path / "after.json"
    after.write_text(json.dumps(report))
    del report["compression"]
    before = tmp_path / "before.json"
    before.write_text(json.dumps(report))
    assert {row.verdict for row in diff(DiffConfig(a=before, b=after)).rows} == {"same"}


def test_an_error_names_the_step_if_there_are_several(
    models: Path, tmp_path: Path, registered: Any
) -> None:
    too_large = registered.Scale(factor=101.0)
    with pytest.raises(ModelError, match=r"^step 2, scale: .*no weight may be scaled by 101"):
        export(config(models, tmp_path / "out", PRUNE, too_large))
    with pytest.raises(ModelError, match=r"^\S*cnn.h5: no weight may be scaled by 101"):
        export(config(models, tmp_path / "out", too_large))
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_technique_is_rejected_with_a_list_of_the_known(
    models: Path, tmp_path: Path, registered: Any
) -> None:
    del TECHNIQUES["scale"]
    with pytest.raises(ConfigError, match="technique 'scale': choose one of prune, grow"):
        export(config(models, tmp_path / "out", registered.Scale(factor=2.0)))
    with pytest.raises(ConfigError, match="technique 'prun': did you mean 'prune'"):
        find_technique("prun")


def test_invalid_settings_are_errors(registered: Any) -> None:
    with pytest.raises(ConfigError, match=r"factor 0\.0: must be greater than 0"):
        registered.Scale(factor=0)
    with pytest.raises(TypeError):
        registered.Grow()


def test_a_technique_that_needs_a_graph_and_training_data_gets_both(
    models: Path, tmp_path: Path, registered: Any
) -> None:
    grow = registered.Grow(fine_tune=FineTune(loss="distillation"))
    data = models / "cnn.npz"
    report = export(config(models, tmp_path / "a", PRUNE, grow, train=data))
    assert [step.stage for step in report.compression] == ["pruned", "grown"]
    samples = len(np.load(data)["x"])
    assert report.compression[1].summary == (f"on {samples} samples, for grow",)
    assert report.compression[0].outputs == report.compression[1].outputs
    scale = registered.Scale(factor=2.0)
    with pytest.raises(
        ModelError, match=r"step 2, grow: .* needs a Keras model that is a graph of layers, and the"
    ):
        export(config(models, tmp_path / "b", scale, grow, train=data))


@pytest.mark.parametrize("model", ["cnn.h5", "cnn3.keras"])
def test_a_model_is_pruned_twice(models: Path, tmp_path: Path, model: str) -> None:
    steps = (PRUNE, Prune(sparsity=0.75, fine_tune=FineTune(epochs=2, loss="distillation")))
    settings = {"model": models / model, "train": models / "cnn.npz"}
    checkpoints = tmp_path / "checkpoints"
    report = export(config(models, tmp_path / "out", *steps, checkpoints=checkpoints, **settings))
    assert [step.stage for step in report.compression] == ["pruned", "pruned 2"]
    once, twice = report.compression
    assert once.record.trained is None
    assert twice.record.trained.epochs == 2
    assert report.sparsity.float.layers["dense"] == pytest.approx(0.75, abs=0.03)
    ((name, output),) = report.comparison.outputs.items()
    assert output.pruned == twice.outputs[name] != once.outputs[name]
    assert not checkpoints.exists()
    alone = export(config(models, tmp_path / "alone", PRUNE, model=models / model))
    assert alone.compression[0] == once  # later steps do not change it


def test_stages_have_unique_names(registered: Any) -> None:
    scale = registered.Scale(factor=2.0)
    some = ExportConfig(model=Path("m"), output=Path("o"), compress=(PRUNE, scale, PRUNE, PRUNE))
    assert stage_names(some) == ["pruned", "scaled", "pruned 2", "pruned 3"]
    assert stage_names(replace(some, compress=())) == []


def test_the_schema_is_valid() -> None:
    Draft202012Validator.check_schema(OF_EXPORT.schema)
