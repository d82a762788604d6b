"""Manifests survive a round trip; of untrusted ones, only what makes sense is used."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from edgepack.config.quantization import Quantization
from edgepack.core.codec import as_json
from edgepack.core.errors import AlteredError, OutputError
from edgepack.pipeline.naming import default_name
from edgepack.pipeline.origin import find_origin
from edgepack.storage.artifact import Artifact, describe
from edgepack.storage.manifest import (
    MANIFEST,
    CalibrationSettings,
    Manifest,
    RecordedRecipe,
    require_unaltered,
)
from edgepack.storage.output_folder import staged_output

FILE = Artifact(bytes=4, sha256="0" * 64)
REQUESTS = {
    "export": {"recipe": {"model": {"name": "kws.h5"}, "seed": 0}, "processor": {"vectors": None}},
    "compare": {"comparison": {"inputs": {}}},
    "firmware": {"firmware": {"models": {"kws": {}}}},
    "phone": {"phone": {"name": "\u2028<b>"}},
}


def manifest(command: str = "export", **changes: Any) -> Manifest:
    fields: dict[str, Any] = {
        "command": command,
        "artifacts": {"int8.tflite": FILE, "firmware/kws/model.c": FILE},
        "request": REQUESTS[command],
        "versions": {"edgepack": "0.1.0", "python": "3.11.2"},
    }
    return Manifest(**fields | changes)


def content(**changes: Any) -> dict[str, Any]:
    """The JSON of a manifest, with changes."""
    return manifest().to_dict() | changes


def written(folder: Path, value: Any) -> Path:
    """Write a folder with a file, and any manifest beside it; returns the path of the file."""
    path = folder / "int8.tflite"
    path.write_bytes(b"data")
    (folder / MANIFEST).write_text(json.dumps(value))
    return path


@pytest.mark.parametrize("command", REQUESTS)
def test_a_manifest_comes_back_as_it_was(tmp_path: Path, command: str) -> None:
    original = manifest(command)
    original.write(tmp_path)
    text = (tmp_path / MANIFEST).read_text()
    assert json.loads(text) == original.to_dict()
    assert list(json.loads(text)) == [
        *("schema", "command", "artifacts"),
        *REQUESTS[command],
        "versions",
    ]
    back = Manifest.read(tmp_path)
    assert back == original
    assert back is not None
    back.write(tmp_path)
    assert (tmp_path / MANIFEST).read_text() == text


NOT_EDGEPACKS = {
    "a list": [],
    "a text": "edgepack",
    "null": None,
    "nothing": {},
    "no artifacts": {key: value for key, value in content().items() if key != "artifacts"},
    "no versions": {key: value for key, value in content().items() if key != "versions"},
    "artifacts as a list": content(artifacts=["int8.tflite"]),
    "artifacts as a text": content(artifacts="int8.tflite"),
    "no artifact": content(artifacts={}),
    "versions of another program": content(versions={"npm": "1"}),
    "versions as a list": content(versions=["edgepack"]),
    "versions as a text": content(versions="edgepack"),
    "a version as a number": content(versions={"edgepack": 1}),
}


@pytest.mark.parametrize("foreign", NOT_EDGEPACKS.values(), ids=NOT_EDGEPACKS)
def test_a_manifest_of_another_program_is_none(tmp_path: Path, foreign: Any) -> None:
    path = written(tmp_path, foreign)
    assert Manifest.read(tmp_path) is None
    require_unaltered(path)
    assert find_origin(path) is None
    assert default_name(path) == "int8"
    with pytest.raises(OutputError, match="replaces only a folder that edgepack wrote"):
        replace(tmp_path)


DEEP = '{"artifacts": %s}' % ("[" * 800 + "]" * 800)  # can be parsed, but not processed


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 200_000, DEEP, '{"a": %s}' % ("1" * 5000), "\udcff"]
)
def test_a_damaged_manifest_is_none_and_vouches_for_no_file(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, {})
    (tmp_path / MANIFEST).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert Manifest.read(tmp_path) is None
    with pytest.raises(AlteredError, match="which is damaged"):
        require_unaltered(path)


def test_a_missing_manifest_or_a_folder_in_its_place_is_none(tmp_path: Path) -> None:
    assert Manifest.read(tmp_path) is None
    assert Manifest.read(tmp_path / "missing") is None
    (tmp_path / MANIFEST).mkdir()
    assert Manifest.read(tmp_path) is None


@pytest.mark.parametrize("odd", [None, 1, "x", [], {}, {"bytes": 4}, {"bytes": "4", "sha256": ""}])
def test_an_invalid_artifact_is_listed_without_content(tmp_path: Path, odd: Any) -> None:
    path = written(tmp_path, content(artifacts={"int8.tflite": odd}))
    beside = Manifest.beside(path)
    assert beside is not None
    assert beside.artifacts == {"int8.tflite": None}
    assert not beside.is_unaltered(path)
    require_unaltered(path)
    assert find_origin(path) is None
    replace(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"recipe": {"quantization": {"scheme": "int3", "rounding": "up"}, "seed": "today"}},
        {"recipe": {"model": None, "quantization": [], "prune": "much", "later": {"a": [1]}}},
        {"recipe": []},
        {"later": {}, "processor": 7},
        {"versions": {"edgepack": "0.0.1", "sdk": "2"}},
    ],
)
def test_folders_of_another_edgepack_are_replaced(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = written(tmp_path, content(artifacts={"int8.tflite": vars(FILE)}, **changes))
    assert Manifest.beside(path) is not None
    replace(tmp_path)


@pytest.mark.parametrize("schema", [2, None, "1", 1.5, [1]])
def test_folders_of_another_schema_are_not(tmp_path: Path, schema: Any) -> None:
    written(tmp_path, content(schema=schema))
    read = Manifest.read(tmp_path)
    assert read is not None
    assert not read.is_current
    with pytest.raises(OutputError, match="replaces only a folder that edgepack wrote"):
        replace(tmp_path)


@pytest.mark.parametrize("command", [None, 7, ["export"], "", "rm -rf", "a\nb", "export\x1b[2J"])
def test_what_cannot_be_a_command_is_none(tmp_path: Path, command: Any) -> None:
    written(tmp_path, content(command=command))
    read = Manifest.read(tmp_path)
    assert read is not None
    assert read.command is None
    with pytest.raises(OutputError, match=r"but its manifest\.json names no command"):
        replace(tmp_path)


@pytest.mark.parametrize("name", ["../int8.tflite", "/int8.tflite", "./int8.tflite", "\x00", ""])
def test_names_that_lead_out_of_the_folder_match_no_file(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    precious = tmp_path / "int8.tflite"
    precious.write_bytes(b"precious")
    path = written(folder, content(artifacts={name: vars(describe(precious))}))
    assert Manifest.beside(path) is None
    assert find_origin(path) is None
    with pytest.raises(OutputError, match=r"contains 'int8\.tflite', which no"):
        replace(folder)
    assert precious.read_bytes() == b"precious"


def test_a_pipe_or_device_is_not_read(tmp_path: Path) -> None:
    pipe, endless = tmp_path / "pipe", tmp_path / "endless"
    for folder in (pipe, endless):
        folder.mkdir()
        (folder / "int8.tflite").write_bytes(b"x")
    os.mkfifo(pipe / MANIFEST)
    (endless / MANIFEST).symlink_to("/dev/zero")
    for folder in (pipe, endless):
        assert Manifest.read(folder) is None
        with pytest.raises(AlteredError, match="which is damaged"):
            require_unaltered(folder / "int8.tflite")


def test_a_recipe_records_how_a_file_was_made() -> None:
    settings = CalibrationSettings(
        samples=3, seed=7, quantization=Quantization(layers=(("a", "float"),))
    )
    recipe = RecordedRecipe(
        as_json(settings) | {"model": {"name": "kws.h5"}, "prune": {}, "later": 1}
    )
    assert recipe.settings() == settings
    assert (recipe.model, recipe.scheme, recipe.is_compressed) == ("kws.h5", "int8", False)
    assert RecordedRecipe({"prune": {"sparsity": 0.5}}).is_compressed
    assert RecordedRecipe({"prune": {"sparsity": 0.5}}).last_technique is None
    steps = [{"technique": "prune"}, {"technique": "scale"}]
    assert RecordedRecipe({"compress": steps}).is_compressed
    assert RecordedRecipe({"compress": steps}).last_technique == "scale"
    for odd in ([3], [None], [{}], [{"technique": 1}]):
        assert RecordedRecipe({"compress": odd}).last_technique == ""
    assert RecordedRecipe({}).settings() == CalibrationSettings()
    assert manifest("phone").recipe is None


@pytest.mark.parametrize("odd", [None, 1, "x", [], {}, [{}], {"name": 1, "scheme": 1}])
def test_an_invalid_recipe_has_no_values(odd: Any) -> None:
    recipe = RecordedRecipe({"model": odd, "quantization": odd})
    assert (recipe.model, recipe.scheme) == (None, None)
    with pytest.raises(ValueError, match=r"is expected|missing or unknown"):
        recipe.settings()
    with pytest.raises(ValueError, match="choose one of"):
        RecordedRecipe({"quantization": as_json(Quantization()) | {"scheme": "int3"}}).settings()


def replace(folder: Path) -> None:
    """Let an export replace a folder."""
    with staged_output(folder, "export", [], force=True) as made:
        (made / "new").write_text("")
