"""``edgepack firmware`` turns .tflite files into projects that build and test themselves."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from compilers import (
    CPUS,
    HOSTS,
    compile_everywhere,
    compile_object,
    sections,
    symbols,
)
from conftest import Bundle, Edgepack, files, python, reference_model
from firmware import STUB
from firmware_projects import (
    NANO,
    VECTOR,
    firmware_config,
    relu_model,
    written_model,
)
from tiny import Tiny, Value, one_operator

from edgepack.config.firmware import ONLY_MODEL, NamedModel
from edgepack.emit.c.c_identifiers import FIRST_WORDS
from edgepack.emit.tflm.layouts import LAYOUTS
from edgepack.emit.tflm.model_files import EMITTERS
from edgepack.pipeline.firmware_project.firmware import firmware
from edgepack.report.text.firmware import render_firmware
from edgepack.runtimes.tflm import Interpreter
from edgepack.tflite.parser import read_tflite

KINDS = ("input", "output")
M4_USED = {"kws": 22_820, "ic": 54_996, "ad": 2_580}
"""Arena bytes that TFLM uses on a Cortex-M4 with CMSIS-NN, measured in August 2026."""
M4_NEEDED = M4_USED | {"ad": 3_024}
"""Arena bytes that TFLM needs to start: for ad, planning itself takes more memory than the plan. On
the host, too, it uses 3,984 bytes for ad and refuses 4,624; ten dense layers may take 160 more."""
M4_MOST = {name: 1.05 * used for name, used in M4_USED.items()} | {"ad": 3_024 + 160}


def model_with_decode() -> bytes:
    """Write a dense layer whose weights TFLM's DECODE restores from a mask and nonzero values."""
    rng = np.random.default_rng(3)
    weights = rng.integers(1, 100, 16) * rng.integers(0, 2, 16)
    header = [2, 1, 0, 0, 1] + [0] * 11  # pruned weights, version 1 of both
    packed = [*header, *weights[weights != 0]]
    tiny = Tiny()
    x = tiny.tensor("x", VECTOR)
    mask = tiny.tensor("mask", Value((2,), "uint8", values=np.packbits(weights != 0)))
    values = tiny.tensor("values", Value((len(packed),), "uint8", values=packed))
    decoded = tiny.tensor("weights", Value((4, 4), "int8", 0.25))
    y = tiny.tensor("y", VECTOR)
    tiny.operator("TFLM_DECODE", [mask, values], [decoded])
    tiny.operator("FULLY_CONNECTED", [x, decoded, -1], [y], table="FullyConnectedOptions")
    return tiny.to_bytes([x], [y])


def macro_value(folder: Path, name: str) -> int:
    """Return the integer that a macro in one of the headers of a folder is defined as."""
    text = "".join(path.read_text() for path in folder.rglob("*.h"))
    (value,) = re.findall(rf"^#define {name} \(?(-?\d+)\)?$", text, re.MULTILINE)
    return int(value)


def test_real_models_become_projects_that_compile(tmp_path: Path) -> None:
    names = ("kws", "ic", "ad")
    sources = [NamedModel(path=reference_model(name), name=name) for name in names]
    report = firmware(firmware_config(tmp_path / "fw", *sources))
    assert report.passed
    models = tmp_path / "fw" / "models"
    for name in names:
        arena = macro_value(models, f"{name.upper()}_ARENA_BYTES")
        assert arena % 16 == 0
        assert M4_NEEDED[name] <= arena <= M4_MOST[name]
        operators = {
            op.name for op in read_tflite(reference_model(name).read_bytes()).main.operators
        }
        assert macro_value(models, f"{name.upper()}_OPERATORS") == len(operators)
        assert (models / name / "op_resolver.h").read_text().count("resolver.Add") == len(operators)
        assert report.models[name].arena_bytes == arena
    objects = compile_everywhere(
        tmp_path / "fw" / "self_test" / "main.cc",
        tmp_path,
        dialects=["c++17"],
        includes=[models, STUB],
    )
    assert len(objects) == len(HOSTS) + len(CPUS)
    headers = [f'#include "{name}/{file}"' for name in names for file in EMITTERS]
    (tmp_path / "all.c").write_text(
        "\n".join(line for line in headers if "op_resolver" not in line) + "\nint unused;\n"
    )
    compile_everywhere(tmp_path / "all.c", tmp_path, includes=[models])
    for name in names:
        array = compile_object(models / name / "model.c", tmp_path / "m4.o", compiler=CPUS[1])
        assert symbols(array)[f"{name}_model"] == reference_model(name).read_bytes()
        sizes = {section: len(data) for section, data in sections(array).items() if data}
        assert sizes[".rodata"] <= len(reference_model(name).read_bytes()) + 4 + 12
        assert not [section for section in sizes if section.startswith((".data", ".text"))]


def test_the_quickstarts_model_becomes_firmware(pruned_digits: Bundle, tmp_path: Path) -> None:
    report = firmware(
        firmware_config(tmp_path / "fw", NamedModel(path=pruned_digits.folder / "int8.tflite"))
    )
    assert report.passed
    arena = macro_value(tmp_path / "fw", "DIGITS_ARENA_BYTES")
    least = pruned_digits.report["targets"][NANO]["footprint"]["arena"]["least"]
    assert least <= arena <= 1.05 * least
    assert macro_value(tmp_path / "fw", "DIGITS_OPERATORS") == 5
    compile_object(
        tmp_path / "fw" / "self_test" / "main.cc",
        tmp_path / "main.o",
        compiler=CPUS[1],
        dialect="c++17",
        includes=[tmp_path / "fw" / "models", STUB],
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_two_models_in_each_layout_compile_and_share_an_arena(tmp_path: Path, layout: str) -> None:
    sources = [NamedModel(path=relu_model(tmp_path / "in", name)) for name in ("door", "kws-v2")]
    report = firmware(firmware_config(tmp_path / "fw", *sources, layout=layout))
    assert report.passed
    assert [*report.models] == ["door", "kws_v2"]
    project_layout = LAYOUTS[layout]
    includes = [tmp_path / "fw" / project_layout.folder, STUB]
    main = tmp_path / "fw" / project_layout.self_test
    compile_object(main, tmp_path / "main.o", dialect="c++14", includes=includes)
    assert "alignas(16) union" in main.read_text()
    text = render_firmware(report)
    assert re.search(r"^together +passed", text, re.MULTILINE)
    assert "models that run in turn can share one" in text
    assert text.endswith(f"PASSED: {len(report.files)} files, layout {layout}, for {NANO}")


def test_test_vectors_are_what_tflm_computes(tmp_path: Path) -> None:
    path = reference_model("kws")
    firmware(firmware_config(tmp_path / "fw", NamedModel(path=path, name="kws"), vectors=3))
    text = (tmp_path / "fw" / "models" / "kws" / "test_vectors.h").read_text()
    body = {name: text.split(f"kws_vectors_{name}[")[1].split("};")[0] for name in KINDS}
    numbers = {
        name: np.array(re.findall(r"-?\d+(?=,|\n)", body[name].split("=")[1]), np.int8)
        for name in KINDS
    }
    interpreter = Interpreter(path.read_bytes())
    samples = numbers["input"].reshape(3, 1, 49, 10, 1)
    outputs = [interpreter.invoke([sample])[0] for sample in samples]
    assert np.array_equal(numbers["output"].reshape(3, 1, 12), outputs)
    assert len(np.unique(outputs)) > 3


def test_data_preprocessing_and_labels_reach_the_vectors_and_the_code(tmp_path: Path) -> None:
    model = relu_model(tmp_path)
    data = np.arange(20, dtype=np.float32).reshape(5, 4)
    np.savez(tmp_path / "test.npz", x=data)
    (tmp_path / "project.toml").write_text("[preprocessing]\nscale = 0.25\n")
    (tmp_path / "labels.txt").write_text('up\ndown "\nl\u00e4ft\n??/\n')
    firmware(
        firmware_config(
            tmp_path / "fw",
            NamedModel(path=model),
            tests={ONLY_MODEL: tmp_path / "test.npz"},
            project_files={ONLY_MODEL: tmp_path / "project.toml"},
            labels={ONLY_MODEL: tmp_path / "labels.txt"},
            vectors=5,
        )
    )
    folder = tmp_path / "fw" / "models" / "relu"
    vectors = (folder / "test_vectors.h").read_text()
    inputs = [int(each) for each in re.findall(r"-?\d+", vectors.split("= {")[1].split("};")[0])]
    # real = x * 0.25, in steps of 0.5 from zero point -3; halves are rounded away from zero.
    assert inputs == [int(x * 0.5 + 0.5) - 3 for x in data.ravel()]
    assert "0.25f" in (folder / "preprocess.h").read_text()
    assert '"down \\""' in (folder / "model_settings.h").read_text()


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    projects = []
    for folder in (tmp_path / "one", tmp_path / "other"):
        model = relu_model(folder)
        firmware(firmware_config(folder / "fw", NamedModel(path=model)))
        projects.append(files(folder / "fw"))
    assert projects[0] == projects[1]
    assert not any(str(tmp_path).encode() in content for content in projects[0].values())


def test_symbols_use_only_the_words_that_model_names_avoid(tmp_path: Path) -> None:
    """Otherwise symbols of two models could be equal (edgepack.emit.c.c_identifiers)."""
    firmware(firmware_config(tmp_path / "fw", NamedModel(path=reference_model("kws"), name="kws")))
    text = "".join(path.read_text() for path in (tmp_path / "fw" / "models").rglob("*.[ch]"))
    text += (tmp_path / "fw" / "self_test" / "main.cc").read_text()
    words = {word.lower() for word in re.findall(r"\b(?:kws|KWS)_([A-Za-z0-9]+)", text)}
    assert words <= FIRST_WORDS


def test_the_arena_gets_a_margin(tmp_path: Path) -> None:
    sizes = []
    for percent in (0.0, 10.0):
        out = tmp_path / str(percent)
        model = firmware(
            firmware_config(
                out, NamedModel(path=relu_model(tmp_path)), arena_margin_percent=percent
            )
        ).models["relu"]
        assert macro_value(out, "RELU_ARENA_BYTES") == model.arena_bytes
        sizes.append(model.arena_bytes)
    assert sizes[1] % 16 == 0
    assert 1.1 * sizes[0] <= sizes[1] < 1.1 * sizes[0] + 16


def test_decoded_weights_need_no_special_treatment(tmp_path: Path) -> None:
    """A file with TFLM's DECODE operator is firmware like any other."""
    path = tmp_path / "packed.tflite"
    path.write_bytes(model_with_decode())
    report = firmware(firmware_config(tmp_path / "fw", NamedModel(path=path)))
    assert report.models["packed"].operators == ("FULLY_CONNECTED", "TFLM_DECODE")
    resolver = (tmp_path / "fw" / "models" / "packed" / "op_resolver.h").read_text()
    assert "resolver.AddDecode()" in resolver


def test_the_command_writes_what_it_reports(edgepack: Edgepack, tmp_path: Path) -> None:
    done = edgepack("firmware", f"word={relu_model(tmp_path)}", "--target", NANO, "--output", "fw")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "cwd" / "fw"
    report = json.loads((folder / "report.json").read_text())
    manifest = json.loads((folder / "manifest.json").read_text())
    assert report["passed"]
    assert report["layout"] == "arduino"
    assert files(folder).keys() == {*report["files"], "report.json", "manifest.json"}
    assert manifest["artifacts"].keys() == {*report["files"], "report.json"}
    assert manifest["firmware"]["models"]["word"]["model"]["name"] == "relu.tflite"
    assert "tflite-micro" in manifest["versions"]
    assert f"PASSED: {len(report['files'])} files, layout arduino" in done.stdout
    again = edgepack("firmware", tmp_path / "relu.tflite", "--target", NANO, "--output", "fw")
    assert again.returncode == 2
    assert "replace it with --force" in again.stderr


def test_an_exported_model_keeps_its_name(cnn: Bundle, tmp_path: Path) -> None:
    report = firmware(firmware_config(tmp_path / "fw", NamedModel(path=cnn.folder / "int8.tflite")))
    assert [*report.models] == ["cnn"]
    array = (cnn.folder / "firmware" / "cnn" / "model.c").read_bytes()
    assert (tmp_path / "fw" / "models" / "cnn" / "model.c").read_bytes() == array


def test_it_needs_no_tensorflow(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "from edgepack.cli import cli\n"
        f"cli(['firmware', {str(relu_model(tmp_path))!r}, '--target', {NANO!r},"
        f" '--output', {str(tmp_path / 'fw')!r}], standalone_mode=False)\n"
        "sys.exit('keras' in sys.modules)"
    )
    assert python("-c", code).returncode == 0


def test_a_model_too_large_for_its_target_is_written_and_fails(
    edgepack: Edgepack, tmp_path: Path
) -> None:
    model = tmp_path / "wide.tflite"
    wide = Value((1, 400, 400), "int8", 0.5)
    model.write_bytes(one_operator("RELU", [wide], [wide], version=2))
    done = edgepack("firmware", model, "--target", "rp2040", "--output", "fw")
    assert done.returncode == 1
    assert "FAILED" in done.stdout
    assert "bytes of RAM" in done.stdout
    assert (tmp_path / "cwd" / "fw" / "CMakeLists.txt").is_file()


def test_the_labelled_output_is_named_where_there_are_several(tmp_path: Path) -> None:
    tiny = Tiny()
    x = tiny.tensor("x", VECTOR)
    outputs = [tiny.tensor("best", VECTOR), tiny.tensor("rest", Value((1, 1, 4, 1), "int8", 0.5))]
    shape = tiny.tensor("shape", Value((4,), "int32", values=[1, 1, 4, 1]))
    tiny.operator("RELU", [x], outputs[:1], version=2)
    tiny.operator("RESHAPE", [x, shape], outputs[1:])
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\n")
    source = written_model(tmp_path, tiny.to_bytes([x], outputs))
    firmware(firmware_config(tmp_path / "fw", source, labels={ONLY_MODEL: tmp_path / "labels.txt"}))
    text = (tmp_path / "fw" / "models" / "relu" / "model_settings.h").read_text()
    assert "in the order of the values of output_best" in text


def test_a_file_may_have_the_longest_possible_name(tmp_path: Path) -> None:
    path = relu_model(tmp_path, "x" * (255 - len(".tflite")))
    firmware(firmware_config(tmp_path / "fw", NamedModel(path=path, name="door")))
    assert (tmp_path / "fw" / "models" / "door" / "model.c").is_file()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_names_of_many_models_are_valid_on_every_system(tmp_path: Path, layout: str) -> None:
    path = relu_model(tmp_path)
    sources = [NamedModel(path=path, name=f"{'n' * 45}{i:03}") for i in range(12)]
    firmware(firmware_config(tmp_path / "fw", *sources, layout=layout))
    (tmp_path / "fw" / "manifest.json").unlink()
    (tmp_path / "fw" / "report.json").unlink()
    for name, content in files(tmp_path / "fw").items():
        assert len(Path(name).name) <= 63 + len(".h")
        if Path(name).suffix in {".properties", ".json", ".yml", ".md"}:
            assert max(map(len, content.splitlines())) <= 255


def test_the_manifest_names_the_target_without_its_path(tmp_path: Path) -> None:
    target = tmp_path / "mine.toml"
    target.write_text((Path(__file__).parents[1] / "targets" / f"{NANO}.toml").read_text())
    firmware(
        firmware_config(tmp_path / "fw", NamedModel(path=relu_model(tmp_path)), target=str(target))
    )
    manifest = (tmp_path / "fw" / "manifest.json").read_text()
    assert json.loads(manifest)["firmware"]["target"] == "mine"
    assert str(tmp_path) not in manifest
