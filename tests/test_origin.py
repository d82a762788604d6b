"""The origin of a .tflite file, from the folder that edgepack wrote it to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Bundle

from edgepack.core.errors import AlteredError
from edgepack.emit.tflm.c_array import array_source, read_c_array
from edgepack.emit.tflm.model_files import array_files
from edgepack.pipeline.origin import compressed_float, find_origin
from edgepack.storage.artifact import describe, describe_all, describe_bytes
from edgepack.storage.manifest import MANIFEST
from edgepack.storage.text_files import write_json

DATA = bytes(range(256)) * 3
RECIPE = {
    "seed": 3,
    "compress": [{"technique": "prune", "sparsity": 0.5}],
    "quantization": {"scheme": "int8"},
}
VERSIONS = {"edgepack": "0.1.0", "python": "3.11.2"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write an output folder like an export does."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "int8.tflite").write_bytes(DATA)
    (folder / "float.tflite").write_bytes(DATA * 4)
    for name, text in array_files("kws", DATA).items():
        file = folder / "firmware" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    write_json(folder / "report.json", {"notes": ["tflm\x1b was <b>not</b> run"]})
    return with_manifest(folder)


def with_manifest(folder: Path, **changes: Any) -> Path:
    """Write the manifest of a folder; ``changes`` replace its keys."""
    (folder / MANIFEST).unlink(missing_ok=True)
    artifacts = {name: vars(each) for name, each in describe_all(folder).items()}
    manifest = {"schema": 1, "artifacts": artifacts, "recipe": RECIPE, "versions": VERSIONS}
    write_json(folder / MANIFEST, manifest | changes)
    return folder


def test_an_origin_has_recipe_versions_notes_and_the_c_array(folder: Path) -> None:
    found = find_origin(folder / "int8.tflite")
    assert found is not None
    assert (found.recipe, found.versions) == (RECIPE, VERSIONS)
    assert found.notes == ("tflm\\x1b was <b>not</b> run",)
    assert found.c_array == describe(folder / "firmware" / "kws" / "model.c")
    assert found.is_same_as_c is True


def test_the_float_model_has_no_c_array(folder: Path) -> None:
    found = find_origin(folder / "float.tflite")
    assert found is not None
    assert (found.c_array, found.is_same_as_c) == (None, None)
    assert compressed_float(folder / "float.tflite", folder / "other.h5") is None


def test_a_c_array_of_another_model_is_reported(folder: Path) -> None:
    file = folder / "firmware" / "kws" / "model.c"
    file.write_text(file.read_text().replace("0x1c", "0x1d", 1))
    found = find_origin(folder / "int8.tflite")
    assert found is not None
    assert found.is_same_as_c is False
    file.unlink()
    assert find_origin(folder / "int8.tflite") == replace(found, c_array=None, is_same_as_c=None)


@pytest.mark.parametrize(
    "name", ["firmware/../model.c", "/etc/passwd", "model.c", "\x00", "a" * 999]
)
def test_nothing_outside_of_the_folder_is_read(folder: Path, name: str) -> None:
    (folder / "model.c").write_text(array_source("x", DATA, "x.h"))
    listed = {"int8.tflite": vars(describe(folder / "int8.tflite"))}
    with_manifest(folder, artifacts=listed | {name: {}, f"firmware/{'a' * 999}/model.c": {}})
    found = find_origin(folder / "int8.tflite")
    assert found is not None
    assert found.c_array is None
    assert found.notes == ()  # because the manifest does not list the report


def test_a_file_without_a_folder_of_edgepack_has_no_origin(folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.tflite"
    alone.write_bytes(DATA)
    assert find_origin(alone) is None
    assert compressed_float(alone, tmp_path / "model.h5") is None
    (folder / "mine.tflite").write_bytes(DATA)  # beside a manifest that does not list it
    assert find_origin(folder / "mine.tflite") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"recipe": None},
        {"recipe": [1]},
        {"versions": ["edgepack"]},
        {"versions": {"edgepack": 1}},
        {"versions": {}},
        {"artifacts": ["int8.tflite"]},
        {"artifacts": {"int8.tflite": {}}},
        {"artifacts": {"int8.tflite": "x"}},
    ],
)
def test_invalid_manifests_give_no_origin(folder: Path, changes: dict[str, Any]) -> None:
    with_manifest(folder, **changes)
    assert find_origin(folder / "int8.tflite") is None
    assert compressed_float(folder / "int8.tflite", folder / "float.tflite") is None


@pytest.mark.parametrize("text", ["{", "[" * 200_000, '{"artifacts": \udcff'])
def test_a_damaged_manifest_is_refused(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(AlteredError, match="which is damaged"):
        find_origin(folder / "int8.tflite")


def test_an_altered_file_is_refused_and_an_altered_report_is_ignored(folder: Path) -> None:
    (folder / "report.json").write_text(json.dumps({"notes": ["all is well"]}))
    found = find_origin(folder / "int8.tflite")
    assert found is not None
    assert found.notes == ()
    (folder / "int8.tflite").write_bytes(DATA + b"\0")
    with pytest.raises(AlteredError, match="is not the file that"):
        find_origin(folder / "int8.tflite")


@pytest.mark.parametrize("report", [[], {"notes": {}}, {"notes": [1]}, {}])
def test_odd_reports_have_no_notes(folder: Path, report: Any) -> None:
    write_json(folder / "report.json", report)
    found = find_origin(with_manifest(folder) / "int8.tflite")
    assert found is not None
    assert found.notes == ()


def test_the_pruned_float_model_is_found(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "model.h5"
    source.write_bytes(b"")
    beside = folder / "float.tflite"
    assert compressed_float(folder / "int8.tflite", source) == beside
    assert compressed_float(folder / "int8.tflite", beside) is None
    beside.write_bytes(b"")
    with pytest.raises(AlteredError, match=r"float\.tflite: is not the file"):
        compressed_float(folder / "int8.tflite", source)
    beside.unlink()
    assert compressed_float(folder / "int8.tflite", source) is None


def test_the_pruned_model_of_an_earlier_version_is_found(folder: Path, tmp_path: Path) -> None:
    with_manifest(folder, recipe=RECIPE | {"compress": None, "prune": {"sparsity": 0.5}})
    assert compressed_float(folder / "int8.tflite", tmp_path) == folder / "float.tflite"


def test_without_pruning_there_is_no_pruned_model(folder: Path, tmp_path: Path) -> None:
    with_manifest(folder, recipe=RECIPE | {"compress": [], "prune": None})
    assert compressed_float(folder / "int8.tflite", tmp_path) is None


@pytest.mark.parametrize("data", [b"\x1c", DATA])
def test_a_c_array_is_read_back(data: bytes) -> None:
    assert read_c_array(array_source("g_x", data, "x.h")) == data


@pytest.mark.parametrize(
    ("old", "new"),
    [("0x01, ", ""), ("0x01, ", "1, "), ("0x01, ", "0x01"), ("[256]", "[257]"), ("0x01", "0x0g")],
)
def test_text_that_is_not_an_array_of_bytes_is_refused(old: str, new: str) -> None:
    text = array_source("g_x", bytes(range(256)), "x.h")
    assert read_c_array(text.replace(old, new)) is None
    assert read_c_array("") is None


def test_real_exports_have_an_origin(pruned_digits: Bundle, cnn: Bundle, digits: Path) -> None:
    path = pruned_digits.folder / "int8.tflite"
    found = find_origin(path)
    assert found is not None
    assert found.is_same_as_c is True
    assert found.recipe["seed"] == 0
    assert list(found.notes) == pruned_digits.report["notes"]
    assert compressed_float(path, digits / "digits.h5") == path.with_name("float.tflite")
    unpruned = cnn.folder / "int8.tflite"
    assert compressed_float(unpruned, digits / "digits.h5") is None
    assert describe_bytes(unpruned.read_bytes()) == describe(unpruned)
