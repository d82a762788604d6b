"""TFLite metadata can be read by the standard reader, and leaves the model's outputs unchanged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import phones
import pytest
from ai_edge_litert import schema_py_generated as schema
from conftest import ROOT, need, needs_tflite_runtime, python, reference_model
from phones import CASES, image_classifier, phone_model, value

from edgepack import PhoneConfig, phone
from edgepack.config.preprocessing import Preprocessing
from edgepack.core.errors import ModelError
from edgepack.emit.phone.metadata import mean_and_std, with_metadata
from edgepack.emit.phone.phone_model import PhoneModel
from edgepack.tflite.parser import read_tflite

READER = Path(sys.prefix) / "metadata-reader"


@pytest.fixture(scope="session")
def pictures() -> PhoneModel:
    return image_classifier()


@pytest.fixture(scope="session")
def read(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function that reads metadata of files with TensorFlow Lite Support."""
    path = os.pathsep.join([str(READER), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path}
    check = "import importlib.util as u, sys; sys.exit(not u.find_spec('tensorflow_lite_support'))"
    if python("-c", check, env=environment).returncode:
        is_required = os.environ.get("CI") and sys.version_info < (3, 12)  # later ones: no wheel
        assert not is_required, f"tflite-support is required at {READER}"
        pytest.skip(f"no tflite-support to read metadata with at {READER} (scripts/environment)")
    folder = tmp_path_factory.mktemp("reader")
    (folder / "empty.c").write_text("typedef int nothing;\n")
    library = folder / "libusb-1.0.so.0"
    soname = f"-Wl,-soname,{library.name}"
    compiler = need(os.environ.get("CC", "cc"))
    subprocess.run([compiler, "-shared", soname, folder / "empty.c", "-o", library], check=True)

    def run(*files: bytes) -> list[dict[str, Any]]:
        paths = []
        for index, data in enumerate(files):
            paths.append(folder / f"{index}.tflite")
            paths[-1].write_bytes(data)
        done = python(ROOT / "tests" / "metadata_reader.py", library, *paths, env=environment)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def test_the_standard_reader_reads_all_metadata(read: Any, pictures: PhoneModel) -> None:
    (file,) = read(with_metadata(pictures))
    metadata = file["metadata"]
    assert metadata["name"] == "pictures"
    assert metadata["description"] == "Classifies \u201cpictures\u201d."
    assert metadata["min_parser_version"] == "1.0.0"
    (graph,) = metadata["subgraph_metadata"]
    (image,), (classes,) = graph["input_tensor_metadata"], graph["output_tensor_metadata"]
    assert image["content"]["content_properties"] == {
        "color_space": "RGB",
        "default_size": {"width": 7, "height": 9},
    }
    (unit,) = image["process_units"]
    assert unit["options_type"] == "NormalizationOptions"
    assert unit["options"]["mean"] == pytest.approx([123.675, 116.28, 103.53])
    assert unit["options"]["std"] == pytest.approx([58.395, 57.12, 57.375])
    assert image["stats"]["max"] == pytest.approx([2.2489083, 2.4285715, 2.64])
    assert "resized to 9 x 7 (bilinear" in image["description"]
    assert classes["associated_files"][0]["type"] == "TENSOR_AXIS_LABELS"
    assert file["files"] == {"labels.txt": "".join(f"{label}\n" for label in pictures.labels)}


def test_the_standard_reader_reads_every_kind_of_model(read: Any) -> None:
    files = dict(zip(CASES, read(*map(with_metadata, CASES.values())), strict=True))
    contents = {
        name: each["metadata"]["subgraph_metadata"][0]["input_tensor_metadata"][0]["content"]
        for name, each in files.items()
    }
    assert contents["wave"]["content_properties"] == {"sample_rate": 8000, "channels": 1}
    assert files["wave"]["metadata"]["min_parser_version"] == "1.3.0"
    assert contents["mfccs"]["content_properties_type"] == "FeatureProperties"
    assert contents["both"]["content_properties"]["color_space"] == "GRAYSCALE"
    assert "color_space" not in contents["cropped"]["content_properties"]  # blue first
    (several,) = files["my-model \u2028 3"]["metadata"]["subgraph_metadata"]
    labelled = ["associated_files" in each for each in several["output_tensor_metadata"]]
    assert labelled == [False, True, False]


def test_mean_and_std_are_converted_to_the_schemas_formula() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        scale, offset, mean, std = random.uniform(0.1, 2, 4) * random.choice([-1, 1], 4)
        preprocessing = Preprocessing(scale=scale, offset=offset, mean=(mean,), std=(abs(std),))
        (schema_mean,), (schema_std,) = mean_and_std(preprocessing)
        x = random.uniform(0, 255, 9)
        expected = (x * scale + offset - mean) / abs(std)
        np.testing.assert_allclose((x - schema_mean) / schema_std, expected, rtol=1e-9)


def test_mean_and_std_have_the_same_length(read: Any) -> None:
    described = [phones.image(mean=(1, 2, 3)), phones.image(std=(1, 2, 3))]
    models = [
        phone_model("net", [value((2, 2, 3), "float32")], preprocessing=[each])
        for each in described
    ]
    numbers = []
    for each in read(*map(with_metadata, models)):
        (image,) = each["metadata"]["subgraph_metadata"][0]["input_tensor_metadata"]
        (unit,) = image["process_units"]
        numbers.append((unit["options"]["mean"], unit["options"]["std"]))
    assert numbers == [([1, 2, 3], [1, 1, 1]), ([0, 0, 0], [1, 2, 3])]


def test_numbers_beyond_float32_are_only_in_the_description(read: Any) -> None:
    preprocessing = phones.image(scale=1e-37, std=(1e30,))
    model = phone_model("tiny", [value((2, 2, 3), "float32")], preprocessing=[preprocessing])
    (file,) = read(with_metadata(model))
    (image,) = file["metadata"]["subgraph_metadata"][0]["input_tensor_metadata"]
    assert "process_units" not in image
    assert "x * 1e-37" in image["description"]


@pytest.mark.parametrize(
    "runtime", ["litert", pytest.param("tflite_runtime", marks=needs_tflite_runtime), "tflm"]
)
def test_interpreters_compute_the_same_outputs(
    pictures: PhoneModel, tmp_path: Path, runtime: str
) -> None:
    for name, data in (("old", pictures.data), ("new", with_metadata(pictures))):
        (tmp_path / name).write_bytes(data)
    done = python(
        "-c",
        "import sys; import numpy as np; from pathlib import Path\n"
        f"from edgepack.runtimes.{runtime} import Interpreter\n"
        "inputs = np.random.default_rng(0).integers(-128, 128, (1, 9, 7, 3)).astype(np.int8)\n"
        "old, new = (Interpreter(Path(p).read_bytes()).invoke([inputs]) for p in sys.argv[1:])\n"
        "assert np.array_equal(old, new) and np.array_equal(np.ravel(old), np.ravel(inputs))",
        tmp_path / "old",
        tmp_path / "new",
    )
    assert done.returncode == 0, done.stderr


def test_the_model_is_unchanged_and_its_constants_are_aligned(pictures: PhoneModel) -> None:
    data = with_metadata(pictures)
    assert read_tflite(data) == read_tflite(pictures.data)
    assert with_metadata(pictures) == data
    contents, model = np.frombuffer(data, np.uint8), schema.Model.GetRootAs(data, 0)
    start = contents.__array_interface__["data"][0]
    for index in range(model.BuffersLength()):
        if model.Buffers(index).DataLength():
            array = model.Buffers(index).DataAsNumpy()
            assert (array.__array_interface__["data"][0] - start) % 16 == 0


def test_existing_metadata_and_files_are_replaced(pictures: PhoneModel, read: Any) -> None:
    once = with_metadata(pictures)
    again = with_metadata(replace(pictures, data=once, name="other", labels=("a",) * 189))
    model = schema.Model.GetRootAs(again, 0)
    assert [model.Metadata(i).Name() for i in range(model.MetadataLength())] == [b"TFLITE_METADATA"]
    assert model.BuffersLength() == schema.Model.GetRootAs(once, 0).BuffersLength()
    (file,) = read(again)
    assert (file["metadata"]["name"], file["files"]) == ("other", {"labels.txt": "a\n" * 189})
    bare = with_metadata(replace(pictures, data=once, labels=()))
    assert not zipfile.is_zipfile(BytesIO(bare))


def test_a_buffer_shared_with_a_tensor_is_not_overwritten(pictures: PhoneModel) -> None:
    model = schema.ModelT.InitFromPackedBuf(pictures.data, 0)
    entry = schema.MetadataT()
    entry.name = b"TFLITE_METADATA"
    entry.buffer = next(t.buffer for t in model.subgraphs[0].tensors if t.buffer)
    model.metadata = [entry]

    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    hostile = bytes(builder.Output())
    data = with_metadata(replace(pictures, data=hostile))
    assert read_tflite(data) == read_tflite(hostile)


def test_bytes_like_the_end_of_an_archive_are_kept(pictures: PhoneModel) -> None:
    hostile = replace(pictures, description="PK\x05\x06" + 18 * "\0")
    data = with_metadata(hostile)
    assert read_tflite(data) == read_tflite(pictures.data)
    assert zipfile.ZipFile(BytesIO(data)).namelist() == ["labels.txt"]


def test_constants_after_the_flatbuffer_are_refused(pictures: PhoneModel) -> None:

    model = schema.ModelT.InitFromPackedBuf(pictures.data, 0)
    constant = next(buffer for buffer in model.buffers if buffer.data is not None)
    values, constant.data = bytes(constant.data), None
    constant.offset, constant.size = len(pictures.data) + 64, len(values)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    data = bytes(builder.Output()).ljust(constant.offset, b"\0") + values
    with pytest.raises(ModelError, match="after the FlatBuffer, where the labels go; convert"):
        with_metadata(replace(pictures, data=data))


def test_a_real_model_keeps_its_outputs(tmp_path: Path, read: Any) -> None:
    shutil.copy(reference_model("kws"), tmp_path / "kws.tflite")
    (tmp_path / "labels.txt").write_text("".join(f"word {i}\n" for i in range(12)))
    model, labels = tmp_path / "kws.tflite", tmp_path / "labels.txt"
    phone(PhoneConfig(model=model, output=tmp_path / "out", labels=labels))
    data = (tmp_path / "out" / "kws.tflite").read_bytes()
    assert read_tflite(data) == read_tflite(model.read_bytes())
    (file,) = read(data)
    assert file["metadata"]["name"] == "kws"
