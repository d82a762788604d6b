"""Manifests know what a file was truly made from, through every command that it passed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgepack.config.export import ExportConfig
from edgepack.core.errors import ModelError
from edgepack.pipeline.naming import default_name
from edgepack.storage.artifact import describe, describe_all
from edgepack.storage.manifest import MANIFEST, RECIPE, Manifest, RecordedRecipe, find_source
from edgepack.storage.provenance import describe_data, describe_inputs, describe_model


def export(folder: Path, source: Path, content: bytes, **config: Any) -> Path:
    """Write an output folder with a float.tflite made from ``source``; returns that file."""
    folder.mkdir()
    (folder / "float.tflite").write_bytes(content)
    Manifest(
        command="export",
        artifacts=describe_all(folder),
        request={RECIPE: {"model": describe_data(source)} | config},
        versions={"edgepack": "0"},
    ).write(folder)
    return folder / "float.tflite"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "kws.keras"
    path.write_bytes(b"kws")
    return path


def test_a_float_tflite_of_an_export_leads_to_the_first_model(tmp_path: Path, source: Path) -> None:
    steps = [{"technique": "prune", "sparsity": 0.5}]
    first = export(tmp_path / "first", source, b"pruned", compress=steps)
    again = export(tmp_path / "again", first, b"again")
    made_from = find_source(again)
    assert made_from is not None
    assert [(each.name, each.sha256, each.compress) for each in made_from.chain] == [
        ("float.tflite", describe(first).sha256, ()),
        ("kws.keras", describe(source).sha256, ("prune",)),
    ]
    assert default_name(again) == "kws"
    assert describe_data(source).keys() == {"name", "bytes", "sha256"}


def test_a_link_leads_to_the_file_and_its_manifest(tmp_path: Path, source: Path) -> None:
    first = export(tmp_path / "first", source, b"float")
    (tmp_path / "latest.tflite").symlink_to(first)
    assert describe_data(tmp_path / "latest.tflite") == describe_data(first)
    assert describe_data(first)["made_from"]["name"] == "kws.keras"


def test_an_altered_file_was_made_from_nothing_known(tmp_path: Path, source: Path) -> None:
    first = export(tmp_path / "first", source, b"float")
    first.write_bytes(b"other")
    assert find_source(first) is None


def test_the_manifest_of_an_earlier_version_says_that_it_was_pruned() -> None:
    model = {"name": "kws.h5", "bytes": 1, "sha256": "0"}
    config = RecordedRecipe({"model": model, "prune": {"sparsity": 0.5}})
    assert config.source is not None
    assert config.source.compress == ("prune",)


@pytest.mark.parametrize(
    "model",
    [
        None,
        "kws.keras",
        {"name": "kws.keras"},
        {"name": "kws.keras", "bytes": "3", "sha256": "0"},
        {"name": ["kws.keras"], "bytes": 3, "sha256": "0"},
        {"name": "kws.keras", "bytes": 3, "sha256": "0", "made_from": "/etc/passwd"},
        {"name": "kws.keras", "bytes": 3, "sha256": "0", "made_from": {"name": "x"}},
    ],
)
def test_a_source_that_edgepack_did_not_write_is_none(
    tmp_path: Path, source: Path, model: Any
) -> None:
    path = export(tmp_path / "first", source, b"float")
    content = json.loads((path.parent / MANIFEST).read_text())
    content[RECIPE]["model"] = model
    (path.parent / MANIFEST).write_text(json.dumps(content))
    assert find_source(path) is None
    assert "made_from" not in describe_data(path)
    default_name(path)


def test_a_model_that_is_replaced_while_it_is_read_is_refused(source: Path) -> None:
    config = ExportConfig(model=source, representative=source, output=source.parent / "build")
    read = describe_model(config.source)
    assert describe_inputs(config, read)["model"] == read["model"]
    source.write_bytes(b"another")
    with pytest.raises(ModelError, match="changed while it was read; run the command again"):
        describe_inputs(config, read)
