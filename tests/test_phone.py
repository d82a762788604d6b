"""``edgepack phone`` writes a model and its classes, and refuses what does not fit the model."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import phones
import pytest
from conftest import Edgepack, python
from phones import CASES, image_classifier, phone_model, value
from tiny import Tiny, Value

from edgepack import PhoneConfig, phone
from edgepack.config.labels import read_labels
from edgepack.core.errors import ConfigError, ModelError
from edgepack.emit.phone.phone_model import PhoneModel
from edgepack.pipeline.naming import default_name

IMAGE_PROJECT = """\
[preprocessing]
resize = [12, 10]
crop = [9, 7]
scale = 0.00392156862745098
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
"""


@pytest.fixture
def folder(pictures: PhoneModel, tmp_path: Path) -> Path:
    """A folder with pictures.tflite, labels.txt and project.toml."""
    (tmp_path / "pictures.tflite").write_bytes(pictures.data)
    (tmp_path / "labels.txt").write_text("".join(f"class {i}\n" for i in range(189)))
    (tmp_path / "project.toml").write_text(IMAGE_PROJECT)
    return tmp_path


@pytest.fixture(scope="session")
def pictures() -> PhoneModel:
    return image_classifier()


def phone_config(folder: Path, **options: Any) -> PhoneConfig:
    """Return a configuration for pictures.tflite of a folder, unless options differ."""
    settings = {"model": folder / "pictures.tflite", "output": folder / "out"}
    return PhoneConfig(**settings | options)


def test_a_folder_is_written_without_tensorflow_or_an_interpreter(
    folder: Path, edgepack: Edgepack
) -> None:
    arguments = ("--labels", folder / "labels.txt", "--config", folder / "project.toml")
    done = edgepack("phone", folder / "pictures.tflite", "--output", folder / "out", *arguments)
    assert done.returncode == 0, done.stderr
    assert [line.split("  ")[0] for line in done.stdout.splitlines()] == [
        *("file", "Pictures.kt", "Pictures.swift", "pictures.tflite")
    ]
    manifest = json.loads((folder / "out" / "manifest.json").read_text())
    assert set(manifest["artifacts"]) == {"Pictures.kt", "Pictures.swift", "pictures.tflite"}
    assert manifest["phone"]["model"]["name"] == "pictures.tflite"
    heavy = "{'tensorflow', 'keras', 'tflite_runtime', 'tflite_micro', 'PIL'}"
    code = (
        "import sys; from pathlib import Path; import edgepack as e\n"
        "folder = Path(sys.argv[1])\n"
        "config = e.PhoneConfig(\n"
        "    model=folder / 'pictures.tflite', output=folder / 'out', force=True,\n"
        "    labels=folder / 'labels.txt', project_file=folder / 'project.toml')\n"
        f"e.phone(config); sys.exit(str({heavy} & set(sys.modules)))"
    )
    before = {path.name: path.read_bytes() for path in (folder / "out").iterdir()}
    assert python("-c", code, folder).stderr.strip() == "set()"
    assert {path.name: path.read_bytes() for path in (folder / "out").iterdir()} == before


def test_notes_name_missing_labels_and_preprocessing(folder: Path) -> None:
    notes = phone(phone_config(folder)).notes
    assert [note.split(":")[0] for note in notes] == ["no labels", "in0"]


def test_an_exported_file_has_the_models_name(folder: Path) -> None:
    data = (folder / "pictures.tflite").read_bytes()
    (folder / "int8.tflite").write_bytes(data)
    assert default_name(folder / "int8.tflite") == "int8"
    (folder / "manifest.json").write_text(
        json.dumps(
            {
                "artifacts": {"int8.tflite": {"bytes": len(data), "sha256": "0"}},
                "recipe": {"model": {"name": "digits.h5"}},
                "versions": {"edgepack": "0"},
            }
        )
    )
    assert default_name(folder / "int8.tflite") == "digits"
    assert default_name(folder / "pictures.tflite") == "pictures"
    (folder / "manifest.json").unlink()
    assert set(phone(phone_config(folder, name="a/b c")).artifacts) == {
        *("ABC.kt", "ABC.swift", "a_b c.tflite")
    }
    # A model written for an app keeps its name.
    assert default_name(folder / "out" / "a_b c.tflite") == "a_b c"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file of labels; check the path"),
        (b"", "contains no labels; write one per line"),
        (b"\n\n", "contains no labels; write one per line"),
        (b"caf\xe9\n", "is not UTF-8 text"),
        (b"PK\3\4\0\xea", "is not a text file; give one class name per line"),
        (b"a\nb\n", "2 labels, but no output has that size: 'out0' (samples, 189)"),
    ],
)
def test_bad_labels_are_refused(folder: Path, content: bytes | None, message: str) -> None:
    file = folder / "mine.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"mine\.txt: ") as caught:
        phone(phone_config(folder, labels=file))
    assert message in str(caught.value)
    assert not (folder / "out").exists()


def test_there_is_one_label_per_line(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_bytes("\ufeffone\r\n\r\nthr\u00e9\u00e9 \n\n\n".encode())
    assert read_labels(file) == ("one", "", "thr\u00e9\u00e9")


def test_labels_that_fit_two_outputs_are_refused(tmp_path: Path) -> None:
    two = phone_model("two", [value((3,), "float32"), value((3,), "float32")])
    (tmp_path / "two.tflite").write_bytes(two.data)
    (tmp_path / "labels.txt").write_text("a\nb\nc\n")
    with pytest.raises(ConfigError, match="3 labels fit the outputs 'out0' and 'out1'"):
        phone(phone_config(tmp_path, model=tmp_path / "two.tflite", labels=tmp_path / "labels.txt"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[preprocessing.other]\nscale = 2.0", "the model has no input 'other'"),
        (
            "[preprocessing]\nresize = [4, 4]",
            "outputs shape [4, 4, 3], but the model expects [9, 7, 3]",
        ),
        (
            "[preprocessing]\nresize = [9, 7]\ncrop = [10, 7]",
            "a crop of 10 x 7 does not fit into an image of 9 x 7 pixels",
        ),
        (
            '[preprocessing]\ncolors = "gray"',
            "outputs shape [9, 7, 1], but the model expects [9, 7, 3]",
        ),
        ("[preprocessing]\nmean = [1.0, 2.0]", "input 'in0': mean has 2 values"),
        (
            "[preprocessing]\nsample_rate = 8000",
            "outputs shape [9], but the model expects [9, 7, 3]",
        ),
    ],
)
def test_preprocessing_that_does_not_fit_the_model_is_refused(
    folder: Path, text: str, message: str
) -> None:
    (folder / "project.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"project\.toml: ") as caught:
        phone(phone_config(folder, project_file=folder / "project.toml"))
    assert message in str(caught.value)


def test_models_that_apps_cannot_run_are_refused(tmp_path: Path) -> None:
    tiny = Tiny()
    constant = tiny.tensor("c", Value((1, 2), values=[1, 2]))
    y = tiny.tensor("y", Value((1, 2)))
    tiny.operator("RELU", [constant], [y])
    files = {
        "the model has no input": tiny.to_bytes([], [y]),
        "is float16, which the code for phone apps does not support": phones.tflite(
            [value((2,), "float16")], [Value((1, 2), "float16")]
        ),
        "convert the model with fixed shapes": phones.tflite(
            [Value((1, 1), signature=(-1, -1))], [Value((1, 1))]
        ),
        "not a .tflite file": b"hello",
        "damaged .tflite file": CASES["plain"].data[:100],
    }
    for message, data in files.items():
        (tmp_path / "odd.tflite").write_bytes(data)
        with pytest.raises(ModelError, match=r"odd\.tflite: ") as caught:
            phone(phone_config(tmp_path, model=tmp_path / "odd.tflite"))
        assert message in str(caught.value)


def test_a_name_that_is_not_utf8_is_accepted(folder: Path) -> None:
    model = folder / os.fsdecode(b"caf\xe9.tflite")
    (folder / "pictures.tflite").rename(model)
    assert set(phone(phone_config(folder, model=model)).artifacts) == {
        "Caf.kt",
        "Caf.swift",
        "caf_.tflite",
    }


def test_an_existing_output_folder_is_kept(folder: Path, edgepack: Edgepack) -> None:
    (folder / "out").mkdir()
    done = edgepack("phone", folder / "pictures.tflite", "--output", folder / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert "exists; replace it with --force" in done.stderr
    (folder / "out" / "mine.txt").write_text("mine")
    done = edgepack("phone", folder / "pictures.tflite", "--output", folder / "out", "--force")
    assert done.returncode == 2
    assert [path.name for path in (folder / "out").iterdir()] == ["mine.txt"]
