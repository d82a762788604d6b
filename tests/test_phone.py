"""A model for apps: metadata that are read, the same outputs, code that parses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import phones
import pytest
import tree_sitter
import tree_sitter_kotlin
import tree_sitter_swift
from ai_edge_litert import schema_py_generated as schema
from conftest import MLPERF, ROOT, Edgepack, need, python
from phones import CASES, phone_model, value

from edgepack import PhoneConfig, phone
from edgepack.config.labels import read_labels
from edgepack.config.preprocessing import Preprocessing
from edgepack.core.errors import ConfigError, ModelError
from edgepack.emit.phone.app_identifiers import class_name, file_stem, io_names
from edgepack.emit.phone.kotlin import kotlin
from edgepack.emit.phone.metadata import mean_and_std, with_metadata
from edgepack.emit.phone.phone_model import PhoneModel
from edgepack.emit.phone.swift import swift
from edgepack.pipeline.naming import default_name
from edgepack.tflite.parser import read_tflite

READER = Path(sys.prefix) / "metadata-reader"
IMAGE_RECIPE = """\
[preprocessing]
resize = [12, 10]
crop = [9, 7]
scale = 0.00392156862745098
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
"""


@pytest.fixture(scope="session")
def read(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Read metadata with the reader of TensorFlow Lite Support."""
    path = os.pathsep.join([str(READER), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path}
    found = "import importlib.util as u, sys; sys.exit(not u.find_spec('tensorflow_lite_support'))"
    if python("-c", found, env=environment).returncode:
        assert not os.environ.get("CI"), f"tflite-support is required at {READER}"
        pytest.skip(f"no tflite-support to read metadata with at {READER} (scripts/environment)")
    folder = tmp_path_factory.mktemp("reader")
    (folder / "empty.c").write_text("typedef int nothing;\n")
    library = folder / "libusb-1.0.so.0"
    named = f"-Wl,-soname,{library.name}"
    compiler = need(os.environ.get("CC", "cc"))
    subprocess.run([compiler, "-shared", named, folder / "empty.c", "-o", library], check=True)

    def run(*files: bytes) -> list[dict[str, Any]]:
        paths = []
        for place, data in enumerate(files):
            paths.append(folder / f"{place}.tflite")
            paths[-1].write_bytes(data)
        done = python(ROOT / "tests" / "metadata_reader.py", library, *paths, env=environment)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.fixture(scope="session")
def pictures() -> PhoneModel:
    """An image classifier with labels and a description."""
    (model,) = [model for name, model in CASES.items() if name == "resized"]
    labels = tuple(f"class {i}" for i in range(189))
    return replace(model, name="pictures", labels=labels, description="Tells \u201cpictures\u201d.")


@pytest.fixture
def folder(pictures: PhoneModel, tmp_path: Path) -> Path:
    """A folder with pictures.tflite, labels.txt and recipe.toml."""
    (tmp_path / "pictures.tflite").write_bytes(pictures.data)
    (tmp_path / "labels.txt").write_text("".join(f"class {i}\n" for i in range(189)))
    (tmp_path / "recipe.toml").write_text(IMAGE_RECIPE)
    return tmp_path


def app(folder: Path, **changed: Any) -> PhoneConfig:
    given = {"model": folder / "pictures.tflite", "output": folder / "out"}
    return PhoneConfig(**given | changed)


def test_the_standard_reader_reads_what_was_written(read: Any, pictures: PhoneModel) -> None:
    (found,) = read(with_metadata(pictures))
    metadata = found["metadata"]
    assert metadata["name"] == "pictures"
    assert metadata["description"] == "Tells \u201cpictures\u201d."
    assert metadata["min_parser_version"] == "1.0.0"
    (graph,) = metadata["subgraph_metadata"]
    (taken,), (given,) = graph["input_tensor_metadata"], graph["output_tensor_metadata"]
    assert taken["content"]["content_properties"] == {
        "color_space": "RGB",
        "default_size": {"width": 7, "height": 9},
    }
    (unit,) = taken["process_units"]
    assert unit["options_type"] == "NormalizationOptions"
    assert unit["options"]["mean"] == pytest.approx([123.675, 116.28, 103.53])
    assert unit["options"]["std"] == pytest.approx([58.395, 57.12, 57.375])
    assert taken["stats"]["max"] == pytest.approx([2.2489083, 2.4285715, 2.64])
    assert "resized to 9 x 7 (bilinear" in taken["description"]
    assert given["associated_files"][0]["type"] == "TENSOR_AXIS_LABELS"
    assert found["files"] == {"labels.txt": "".join(f"{label}\n" for label in pictures.labels)}


def test_the_standard_reader_reads_every_kind(read: Any) -> None:
    found = dict(zip(CASES, read(*map(with_metadata, CASES.values())), strict=True))
    contents = {
        name: each["metadata"]["subgraph_metadata"][0]["input_tensor_metadata"][0]["content"]
        for name, each in found.items()
    }
    assert contents["wave"]["content_properties"] == {"sample_rate": 8000, "channels": 1}
    assert found["wave"]["metadata"]["min_parser_version"] == "1.3.0"
    assert contents["mfccs"]["content_properties_type"] == "FeatureProperties"
    assert contents["both"]["content_properties"]["color_space"] == "GRAYSCALE"
    assert "color_space" not in contents["cropped"]["content_properties"]  # blue first
    (several,) = found["my-model \u2028 3"]["metadata"]["subgraph_metadata"]
    labelled = ["associated_files" in each for each in several["output_tensor_metadata"]]
    assert labelled == [False, True, False]


def test_a_recipes_numbers_become_those_of_the_schema() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        scale, offset, mean, std = random.uniform(0.1, 2, 4) * random.choice([-1, 1], 4)
        described = Preprocessing(scale=scale, offset=offset, mean=(mean,), std=(abs(std),))
        (its_mean,), (its_std,) = mean_and_std(described)
        x = random.uniform(0, 255, 9)
        wanted = (x * scale + offset - mean) / abs(std)
        np.testing.assert_allclose((x - its_mean) / its_std, wanted, rtol=1e-9)


def test_mean_and_std_are_as_long_as_each_other(read: Any) -> None:
    described = [phones.image(mean=(1, 2, 3)), phones.image(std=(1, 2, 3))]
    models = [
        phone_model("net", [value((2, 2, 3), "float32")], described=[each]) for each in described
    ]
    found = []
    for each in read(*map(with_metadata, models)):
        (taken,) = each["metadata"]["subgraph_metadata"][0]["input_tensor_metadata"]
        (unit,) = taken["process_units"]
        found.append((unit["options"]["mean"], unit["options"]["std"]))
    assert found == [([1, 2, 3], [1, 1, 1]), ([0, 0, 0], [1, 2, 3])]


def test_numbers_that_float32_cannot_hold_are_left_to_the_description(read: Any) -> None:
    described = phones.image(scale=1e-37, std=(1e30,))
    model = phone_model("tiny", [value((2, 2, 3), "float32")], described=[described])
    (found,) = read(with_metadata(model))
    (taken,) = found["metadata"]["subgraph_metadata"][0]["input_tensor_metadata"]
    assert "process_units" not in taken
    assert "x * 1e-37" in taken["description"]


@pytest.mark.parametrize("runtime", ["litert", "tflite_runtime", "tflm"])
def test_interpreters_run_the_file_as_before(
    pictures: PhoneModel, tmp_path: Path, runtime: str
) -> None:
    for name, data in (("old", pictures.data), ("new", with_metadata(pictures))):
        (tmp_path / name).write_bytes(data)
    done = python(
        "-c",
        "import sys; import numpy as np; from pathlib import Path\n"
        f"from edgepack.runtimes.{runtime} import Interpreter\n"
        "given = np.random.default_rng(0).integers(-128, 128, (1, 9, 7, 3)).astype(np.int8)\n"
        "old, new = (Interpreter(Path(p).read_bytes()).invoke([given]) for p in sys.argv[1:])\n"
        "assert np.array_equal(old, new) and np.array_equal(np.ravel(old), np.ravel(given))",
        tmp_path / "old",
        tmp_path / "new",
    )
    assert done.returncode == 0, done.stderr


def test_the_model_itself_is_unchanged_and_its_constants_aligned(pictures: PhoneModel) -> None:
    data = with_metadata(pictures)
    assert read_tflite(data) == read_tflite(pictures.data)
    assert with_metadata(pictures) == data
    whole, model = np.frombuffer(data, np.uint8), schema.Model.GetRootAs(data, 0)
    start = whole.__array_interface__["data"][0]
    for place in range(model.BuffersLength()):
        if model.Buffers(place).DataLength():
            array = model.Buffers(place).DataAsNumpy()
            assert (array.__array_interface__["data"][0] - start) % 16 == 0


def test_metadata_and_files_that_were_there_are_replaced(pictures: PhoneModel, read: Any) -> None:
    once = with_metadata(pictures)
    again = with_metadata(replace(pictures, data=once, name="other", labels=("a",) * 189))
    model = schema.Model.GetRootAs(again, 0)
    assert [model.Metadata(i).Name() for i in range(model.MetadataLength())] == [b"TFLITE_METADATA"]
    assert model.BuffersLength() == schema.Model.GetRootAs(once, 0).BuffersLength()
    (found,) = read(again)
    assert (found["metadata"]["name"], found["files"]) == ("other", {"labels.txt": "a\n" * 189})
    bare = with_metadata(replace(pictures, data=once, labels=()))
    assert not zipfile.is_zipfile(BytesIO(bare))


def test_a_buffer_that_a_tensor_uses_too_is_not_overwritten(pictures: PhoneModel) -> None:
    model = schema.ModelT.InitFromPackedBuf(pictures.data, 0)
    entry = schema.MetadataT()
    entry.name = b"TFLITE_METADATA"
    entry.buffer = next(t.buffer for t in model.subgraphs[0].tensors if t.buffer)
    model.metadata = [entry]
    import flatbuffers

    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    hostile = bytes(builder.Output())
    data = with_metadata(replace(pictures, data=hostile))
    assert read_tflite(data) == read_tflite(hostile)


def test_what_looks_like_the_end_of_an_archive_is_kept(pictures: PhoneModel) -> None:
    hostile = replace(pictures, description="PK\x05\x06" + 18 * "\0")
    data = with_metadata(hostile)
    assert read_tflite(data) == read_tflite(pictures.data)
    assert zipfile.ZipFile(BytesIO(data)).namelist() == ["labels.txt"]


def errors(node: tree_sitter.Node) -> Iterator[str]:
    if node.type == "ERROR" or node.is_missing:
        yield f"{node.start_point}: {node.text!r}"
    for child in node.children:
        yield from errors(child)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("language", ["kotlin", "swift"])
def test_the_code_parses(name: str, language: str) -> None:
    write, grammar = {"kotlin": (kotlin, tree_sitter_kotlin), "swift": (swift, tree_sitter_swift)}[
        language
    ]
    text = write(CASES[name])
    assert text == write(CASES[name])
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    assert not list(errors(parser.parse(text.encode()).root_node))
    assert "@" not in text  # every place of a template is filled
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_strings_are_escaped() -> None:
    model = CASES["my-model \u2028 3"]
    assert r'"say \"no\"", "\$x \${y} \\(z)", "two\nlines"' in kotlin(model)
    assert r'"say \"no\"", "$x ${y} \\(z)", "two\nlines"' in swift(model)
    assert "\u2028" not in kotlin(model) + swift(model)
    labelled = replace(CASES["plain"], labels=("@name@", "a@b", *"cdefg"))
    assert '"@name@", "a@b", "c"' in kotlin(labelled)
    assert '"@name@", "a@b", "c"' in swift(labelled)


def test_more_labels_than_a_class_of_the_jvm_holds_are_in_parts() -> None:
    labels = [f"label {i}" for i in range(4001)]
    model = phone_model("many", [value((4001,), "float32")], labels=labels)
    assert kotlin(model).count(": List<String> by listOf(") == 3
    assert "Labels0, Labels1, Labels2\n" in kotlin(model)
    for text in (kotlin(model), swift(model)):
        assert all(text.count(f'"{label}"') == 1 for label in labels)


def test_a_label_of_uint8_is_that_of_the_largest_without_a_sign() -> None:
    assert "values[it].toUByte()" in kotlin(replace(CASES["bytes"], labels=("a",) * 7))
    assert "toUByte" not in kotlin(replace(CASES["uint8"], labels=("a",) * 7))


def test_the_file_is_called_by_its_name() -> None:
    model = replace(CASES["plain"], name="\u96ea/v2")
    for text in (kotlin(model), swift(model)):
        assert text.startswith("// Runs \u96ea_v2.tflite on ")


def test_only_what_the_recipe_needs_is_written() -> None:
    for text in (kotlin(CASES["plain"]), swift(CASES["plain"])):
        assert "preprocess" not in text
        assert "magnitudes" not in text
    assert "Bitmap" not in kotlin(CASES["logs"])
    assert "radix" in kotlin(CASES["logs"])
    assert "no power of two" in kotlin(CASES["mfccs"])


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("my-model", "MyModel"),
        ("3d", "Model3d"),
        ("class", "ClassModel"),
        ("interpreter", "InterpreterModel"),
        ("\u96ea", "Model1"),
        ("x" * 300, "X" + "x" * 59),
        ('"; DROP', "DROP"),
        ("PI", "PIModel"),
        ("AutoCloseable", "AutoCloseableModel"),
    ],
)
def test_any_name_becomes_a_class(name: str, wanted: str) -> None:
    assert class_name(name) == wanted
    assert not {"/", '"', ";"} & set(file_stem(name))
    model = replace(CASES["plain"], name=name)
    assert f"class {wanted}(" in kotlin(model)
    assert f"class {wanted} {{" in swift(model)


def test_ends_have_names_of_their_own() -> None:
    # An image's width is inputAWidth.
    assert io_names("input", ["a", "a_width"]) == ["inputA", "inputAWidth2"]
    assert io_names("input", ["a height", "a"]) == ["inputAHeight", "inputA2"]
    assert io_names("input", ["a b", "a-b", "", "\u96ea"]) == [
        *("inputAB", "inputAB2", "input2", "input3")
    ]


def test_a_folder_is_written_without_tensorflow_or_an_interpreter(
    folder: Path, edgepack: Edgepack
) -> None:
    arguments = ("--labels", folder / "labels.txt", "--recipe", folder / "recipe.toml")
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
        "app = e.App(model=folder / 'pictures.tflite', output=folder / 'out', force=True,\n"
        "            labels=folder / 'labels.txt', project_file=folder / 'recipe.toml')\n"
        f"e.phone(app); sys.exit(str({heavy} & set(sys.modules)))"
    )
    before = {path.name: path.read_bytes() for path in (folder / "out").iterdir()}
    assert python("-c", code, folder).stderr.strip() == "set()"
    assert {path.name: path.read_bytes() for path in (folder / "out").iterdir()} == before


def test_it_says_what_the_app_has_to_know(folder: Path) -> None:
    notes = phone(app(folder)).notes
    assert [note.split(":")[0] for note in notes] == ["no labels", "in0"]


def test_a_file_of_an_export_bears_the_models_name(folder: Path) -> None:
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
    assert set(phone(app(folder, name="a/b c")).artifacts) == {
        *("ABC.kt", "ABC.swift", "a_b c.tflite")
    }
    # What was written for an app is named as it was.
    assert default_name(folder / "out" / "a_b c.tflite") == "a_b c"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file of labels; check the path"),
        (b"", "holds no labels; write one a line"),
        (b"\n\n", "holds no labels; write one a line"),
        (b"caf\xe9\n", "is not UTF-8 text"),
        (b"a\nb\n", "2 labels for outputs that have none of that size, 'out0' (samples, 189)"),
    ],
)
def test_labels_that_cannot_be_are_refused(folder: Path, content: bytes | None, said: str) -> None:
    file = folder / "mine.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"mine\.txt: ") as refused:
        phone(app(folder, labels=file))
    assert said in str(refused.value)
    assert not (folder / "out").exists()


def test_labels_are_lines_of_text(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_bytes("\ufeffone\r\n\r\nthr\u00e9\u00e9 \n\n\n".encode())
    assert read_labels(file) == ("one", "", "thr\u00e9\u00e9")


def test_labels_that_fit_two_outputs_are_refused(tmp_path: Path) -> None:
    two = phone_model("two", [value((3,), "float32"), value((3,), "float32")])
    (tmp_path / "two.tflite").write_bytes(two.data)
    (tmp_path / "labels.txt").write_text("a\nb\nc\n")
    with pytest.raises(ConfigError, match="3 labels fit the outputs 'out0' and 'out1'"):
        phone(app(tmp_path, model=tmp_path / "two.tflite", labels=tmp_path / "labels.txt"))


@pytest.mark.parametrize(
    ("text", "said"),
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
def test_a_recipe_that_does_not_fit_is_refused(folder: Path, text: str, said: str) -> None:
    (folder / "recipe.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"recipe\.toml: ") as refused:
        phone(app(folder, project_file=folder / "recipe.toml"))
    assert said in str(refused.value)


def test_models_that_apps_cannot_run_are_refused(tmp_path: Path) -> None:
    from tiny import Tiny, Value

    tiny = Tiny()
    constant = tiny.tensor("c", Value((1, 2), values=[1, 2]))
    made = tiny.tensor("y", Value((1, 2)))
    tiny.operator("RELU", [constant], [made])
    files = {
        "the model has no input": tiny.to_bytes([], [made]),
        "is float16, which the code for phone apps does not support": phones.tflite(
            [value((2,), "float16")], [Value((1, 2), "float16")]
        ),
        "convert the model with fixed shapes": phones.tflite(
            [Value((1, 1), signature=(-1, -1))], [Value((1, 1))]
        ),
        "not a .tflite file": b"hello",
        "damaged .tflite file": CASES["plain"].data[:100],
    }
    for said, data in files.items():
        (tmp_path / "odd.tflite").write_bytes(data)
        with pytest.raises(ModelError, match=r"odd\.tflite: ") as refused:
            phone(app(tmp_path, model=tmp_path / "odd.tflite"))
        assert said in str(refused.value)


def test_constants_behind_the_flatbuffer_are_refused(pictures: PhoneModel) -> None:
    import flatbuffers

    model = schema.ModelT.InitFromPackedBuf(pictures.data, 0)
    constant = next(buffer for buffer in model.buffers if buffer.data is not None)
    values, constant.data = bytes(constant.data), None
    constant.offset, constant.size = len(pictures.data) + 64, len(values)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    data = bytes(builder.Output()).ljust(constant.offset, b"\0") + values
    with pytest.raises(ModelError, match="after the FlatBuffer, where the labels go; convert"):
        with_metadata(replace(pictures, data=data))


def test_a_name_of_any_bytes_is_written(folder: Path) -> None:
    model = folder / os.fsdecode(b"caf\xe9.tflite")
    (folder / "pictures.tflite").rename(model)
    assert set(phone(app(folder, model=model)).artifacts) == {"Caf.kt", "Caf.swift", "caf_.tflite"}


def test_an_output_that_exists_is_kept(folder: Path, edgepack: Edgepack) -> None:
    (folder / "out").mkdir()
    done = edgepack("phone", folder / "pictures.tflite", "--output", folder / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert "exists; replace it with --force" in done.stderr
    (folder / "out" / "mine.txt").write_text("mine")
    done = edgepack("phone", folder / "pictures.tflite", "--output", folder / "out", "--force")
    assert done.returncode == 2
    assert [path.name for path in (folder / "out").iterdir()] == ["mine.txt"]


def test_a_real_model_keeps_its_outputs(tmp_path: Path, read: Any) -> None:
    if not MLPERF.is_dir():
        pytest.skip(f"the MLPerf Tiny models are not at {MLPERF}")
    shutil.copy(MLPERF / "kws" / "reference_int8.tflite", tmp_path / "kws.tflite")
    (tmp_path / "labels.txt").write_text("".join(f"word {i}\n" for i in range(12)))
    phone(app(tmp_path, model=tmp_path / "kws.tflite", labels=tmp_path / "labels.txt"))
    data = (tmp_path / "out" / "kws.tflite").read_bytes()
    assert read_tflite(data) == read_tflite((tmp_path / "kws.tflite").read_bytes())
    (found,) = read(data)
    assert found["metadata"]["name"] == "kws"
