"""``edgepack firmware``: from a .tflite file to a project that builds and tests itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
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
from conftest import MLPERF, Bundle, Edgepack, files, python
from firmware import STUB
from tiny import Tiny, Value, one_operator

from edgepack.config.firmware import LONE, FirmwareConfig, NamedModel
from edgepack.core.errors import ConfigError, EdgepackError
from edgepack.emit.c.c_identifiers import FIRST_WORDS
from edgepack.emit.tflm.layouts import LAYOUTS
from edgepack.emit.tflm.model_files import EMITTERS
from edgepack.pipeline.firmware_project.firmware import firmware
from edgepack.report.text.firmware import render_firmware
from edgepack.runtimes.tflm import Interpreter
from edgepack.tflite.parser import read_tflite

ENDS = ("input", "output")
NANO = "nano-33-ble-sense"
M4_USED = {"kws": 22_820, "ic": 54_996, "ad": 2_580}
"""What TFLM uses of its arena on a Cortex-M4 with CMSIS-NN, measured in August 2026."""
M4_STARTS_IN = M4_USED | {"ad": 3_024}
"""What it starts in: with ad, its notes while it plans take more than what it plans. On this host,
too, it uses 3,984 bytes for ad and refuses 4,624; ten dense layers may take 160 more."""
M4_MOST = {name: 1.05 * used for name, used in M4_USED.items()} | {"ad": 3_024 + 160}
TINY = Value((1, 4), "int8", 0.5, zero_point=-3)


def reference(name: str) -> Path:
    path = MLPERF / name / "reference_int8.tflite"
    if not path.is_file():
        pytest.skip(f"the MLPerf Tiny models are not at {MLPERF}")
    return path


def relu(folder: Path, name: str = "relu") -> Path:
    """Write a model of one operator, of a value for each of four classes."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.tflite"
    path.write_bytes(one_operator("RELU", [TINY], [TINY], version=2))
    return path


def decoding() -> bytes:
    """Write a dense layer whose weights TFLM's DECODE makes of a mask and what is not zero."""
    rng = np.random.default_rng(3)
    weights = rng.integers(1, 100, 16) * rng.integers(0, 2, 16)
    header = [2, 1, 0, 0, 1] + [0] * 11  # pruned weights, version 1 of both
    kept = [*header, *weights[weights != 0]]
    tiny = Tiny()
    taken = tiny.tensor("x", TINY)
    mask = tiny.tensor("mask", Value((2,), "uint8", values=np.packbits(weights != 0)))
    values = tiny.tensor("values", Value((len(kept),), "uint8", values=kept))
    decoded = tiny.tensor("weights", Value((4, 4), "int8", 0.25))
    given = tiny.tensor("y", TINY)
    tiny.operator("TFLM_DECODE", [mask, values], [decoded])
    tiny.operator("FULLY_CONNECTED", [taken, decoded, -1], [given], table="FullyConnectedOptions")
    return tiny.to_bytes([taken], [given])


def build(folder: Path, *models: NamedModel, **options: object) -> FirmwareConfig:
    settings = {"target": NANO, "output": folder, "layout": "cmake"} | options
    return FirmwareConfig(models=models, **settings)  # type: ignore[arg-type]


def macro(folder: Path, name: str) -> int:
    text = "".join(path.read_text() for path in folder.rglob("*.h"))
    (found,) = re.findall(rf"^#define {name} \(?(-?\d+)\)?$", text, re.MULTILINE)
    return int(found)


def test_real_models_become_projects_that_compile(tmp_path: Path) -> None:
    names = ("kws", "ic", "ad")
    sources = [NamedModel(path=reference(name), name=name) for name in names]
    report = firmware(build(tmp_path / "fw", *sources))
    assert report.passed
    models = tmp_path / "fw" / "models"
    for name in names:
        arena = macro(models, f"{name.upper()}_ARENA_BYTES")
        assert arena % 16 == 0
        assert M4_STARTS_IN[name] <= arena <= M4_MOST[name]
        operators = {op.name for op in read_tflite(reference(name).read_bytes()).main.operators}
        assert macro(models, f"{name.upper()}_OPERATORS") == len(operators)
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
        assert symbols(array)[f"{name}_model"] == reference(name).read_bytes()
        held = {section: len(data) for section, data in sections(array).items() if data}
        assert held[".rodata"] <= len(reference(name).read_bytes()) + 4 + 12
        assert not [section for section in held if section.startswith((".data", ".text"))]


def test_the_quickstarts_model_becomes_firmware(pruned_digits: Bundle, tmp_path: Path) -> None:
    report = firmware(build(tmp_path / "fw", NamedModel(path=pruned_digits.folder / "int8.tflite")))
    assert report.passed
    arena = macro(tmp_path / "fw", "DIGITS_ARENA_BYTES")
    least = pruned_digits.report["targets"][NANO]["footprint"]["arena"]["least"]
    assert least <= arena <= 1.05 * least
    assert macro(tmp_path / "fw", "DIGITS_OPERATORS") == 5
    compile_object(
        tmp_path / "fw" / "self_test" / "main.cc",
        tmp_path / "main.o",
        compiler=CPUS[1],
        dialect="c++17",
        includes=[tmp_path / "fw" / "models", STUB],
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_two_models_in_each_layout_compile_and_share_an_arena(tmp_path: Path, layout: str) -> None:
    sources = [NamedModel(path=relu(tmp_path / "in", name)) for name in ("door", "kws-v2")]
    report = firmware(build(tmp_path / "fw", *sources, layout=layout))
    assert report.passed
    assert [*report.models] == ["door", "kws_v2"]
    laid = LAYOUTS[layout]
    includes = [tmp_path / "fw" / laid.folder, STUB]
    main = tmp_path / "fw" / laid.self_test
    compile_object(main, tmp_path / "main.o", dialect="c++14", includes=includes)
    assert "alignas(16) union" in main.read_text()
    told = render_firmware(report)
    assert re.search(r"^together +passed", told, re.MULTILINE)
    assert "models that run in turn can share one" in told
    assert told.endswith(f"PASSED: {len(report.files)} files, layout {layout}, for {NANO}")


def test_test_vectors_are_what_tflm_computes(tmp_path: Path) -> None:
    path = reference("kws")
    firmware(build(tmp_path / "fw", NamedModel(path=path, name="kws"), vectors=3))
    text = (tmp_path / "fw" / "models" / "kws" / "test_vectors.h").read_text()
    body = {name: text.split(f"kws_vectors_{name}[")[1].split("};")[0] for name in ENDS}
    numbers = {
        name: np.array(re.findall(r"-?\d+(?=,|\n)", body[name].split("=")[1]), np.int8)
        for name in ENDS
    }
    interpreter = Interpreter(path.read_bytes())
    samples = numbers["input"].reshape(3, 1, 49, 10, 1)
    made = [interpreter.invoke([sample])[0] for sample in samples]
    assert np.array_equal(numbers["output"].reshape(3, 1, 12), made)
    assert len(np.unique(made)) > 3


def test_data_and_recipe_reach_the_vectors_and_the_code(tmp_path: Path) -> None:
    model = relu(tmp_path)
    data = np.arange(20, dtype=np.float32).reshape(5, 4)
    np.savez(tmp_path / "test.npz", x=data)
    (tmp_path / "recipe.toml").write_text("[preprocessing]\nscale = 0.25\n")
    (tmp_path / "labels.txt").write_text('up\ndown "\nl\u00e4ft\n??/\n')
    firmware(
        build(
            tmp_path / "fw",
            NamedModel(path=model),
            tests={LONE: tmp_path / "test.npz"},
            project_files={LONE: tmp_path / "recipe.toml"},
            labels={LONE: tmp_path / "labels.txt"},
            vectors=5,
        )
    )
    folder = tmp_path / "fw" / "models" / "relu"
    vectors = (folder / "test_vectors.h").read_text()
    taken = [int(each) for each in re.findall(r"-?\d+", vectors.split("= {")[1].split("};")[0])]
    # real = x * 0.25, in steps of 0.5 from -3; halves go away from zero.
    assert taken == [int(x * 0.5 + 0.5) - 3 for x in data.ravel()]
    assert "0.25f" in (folder / "preprocess.h").read_text()
    assert '"down \\""' in (folder / "model_settings.h").read_text()


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for place in ("here", "elsewhere"):
        model = relu(tmp_path / place)
        firmware(build(tmp_path / place / "fw", NamedModel(path=model)))
        made.append(files(tmp_path / place / "fw"))
    assert made[0] == made[1]
    assert not any(str(tmp_path).encode() in content for content in made[0].values())


def test_every_symbol_keeps_to_the_words_that_names_are_kept_from(tmp_path: Path) -> None:
    """So that no symbol of one model can be one of another (edgepack.emit.c.c_identifiers)."""
    firmware(build(tmp_path / "fw", NamedModel(path=reference("kws"), name="kws")))
    text = "".join(path.read_text() for path in (tmp_path / "fw" / "models").rglob("*.[ch]"))
    text += (tmp_path / "fw" / "self_test" / "main.cc").read_text()
    words = {found.lower() for found in re.findall(r"\b(?:kws|KWS)_([A-Za-z0-9]+)", text)}
    assert words <= FIRST_WORDS


def test_the_arena_takes_a_margin(tmp_path: Path) -> None:
    sizes = []
    for percent in (0.0, 10.0):
        out = tmp_path / str(percent)
        made = firmware(
            build(out, NamedModel(path=relu(tmp_path)), arena_margin_percent=percent)
        ).models["relu"]
        assert macro(out, "RELU_ARENA_BYTES") == made.arena_bytes
        sizes.append(made.arena_bytes)
    assert sizes[1] % 16 == 0
    assert 1.1 * sizes[0] <= sizes[1] < 1.1 * sizes[0] + 16


def test_decoded_weights_need_nothing_else(tmp_path: Path) -> None:
    """A file with TFLM's DECODE operator is firmware like any other."""
    path = tmp_path / "packed.tflite"
    path.write_bytes(decoding())
    report = firmware(build(tmp_path / "fw", NamedModel(path=path)))
    assert report.models["packed"].operators == ("FULLY_CONNECTED", "TFLM_DECODE")
    resolver = (tmp_path / "fw" / "models" / "packed" / "op_resolver.h").read_text()
    assert "resolver.AddDecode()" in resolver


def test_the_command_writes_what_it_says(edgepack: Edgepack, tmp_path: Path) -> None:
    done = edgepack("firmware", f"word={relu(tmp_path)}", "--target", NANO, "--output", "fw")
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


def test_a_model_that_edgepack_made_keeps_its_name(cnn: Bundle, tmp_path: Path) -> None:
    report = firmware(build(tmp_path / "fw", NamedModel(path=cnn.folder / "int8.tflite")))
    assert [*report.models] == ["cnn"]
    array = (cnn.folder / "firmware" / "cnn" / "model.c").read_bytes()
    assert (tmp_path / "fw" / "models" / "cnn" / "model.c").read_bytes() == array


def test_it_needs_no_tensorflow(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "from edgepack.cli import cli\n"
        f"cli(['firmware', {str(relu(tmp_path))!r}, '--target', {NANO!r},"
        f" '--output', {str(tmp_path / 'fw')!r}], standalone_mode=False)\n"
        "sys.exit('keras' in sys.modules)"
    )
    assert python("-c", code).returncode == 0


def test_a_model_too_large_is_written_and_fails(edgepack: Edgepack, tmp_path: Path) -> None:
    model = tmp_path / "wide.tflite"
    wide = Value((1, 400, 400), "int8", 0.5)
    model.write_bytes(one_operator("RELU", [wide], [wide], version=2))
    done = edgepack("firmware", model, "--target", "rp2040", "--output", "fw")
    assert done.returncode == 1
    assert "FAILED" in done.stdout
    assert "bytes of RAM" in done.stdout
    assert (tmp_path / "cwd" / "fw" / "CMakeLists.txt").is_file()


def refused(tmp_path: Path, *models: NamedModel, **options: object) -> str:
    """What is said of a build that cannot be made; nothing is written."""
    with pytest.raises(EdgepackError) as caught:
        firmware(build(tmp_path / "fw", *models, **options))
    assert not (tmp_path / "fw").exists()
    return str(caught.value)


def test_what_tflm_does_not_run_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "tile.tflite"
    times = Value((2,), "int32", values=[1, 2])
    path.write_bytes(
        one_operator("TILE", [TINY, times], [Value((1, 8), "int8", 0.5, zero_point=-3)])
    )
    said = refused(tmp_path, NamedModel(path=path))
    assert said.startswith(f"{path}: ")
    assert "TILE" in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("my-model", None),
        ("3d", None),
        ("mod\u00e8le", None),
        ("class", "'class' is a reserved word of C++; choose another name with NAME=MODEL.tflite"),
        ("loop", "'loop' is used by Arduino"),
        ("\u65e5\u672c", "a C identifier needs a letter from A to Z"),
        ('"; DROP', None),
        ("x" * 300, "its C name has 300 characters, more than 48"),
    ],
)
def test_names(tmp_path: Path, name: str, words: str | None) -> None:
    source = NamedModel(path=relu(tmp_path), name=name)
    if words:
        assert words in refused(tmp_path, source)
        return
    firmware(build(tmp_path / "fw", source))
    (folder,) = (path.parent for path in (tmp_path / "fw").rglob("model.c"))
    assert re.fullmatch("[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*", folder.name)
    compile_object(folder / "model.c", tmp_path / "model.o")


def test_models_that_collapse_into_one_name_are_refused(tmp_path: Path) -> None:
    names = ("my-model", "my model")
    sources = [NamedModel(path=relu(tmp_path), name=name) for name in names]
    assert "both become 'my_model' in C" in refused(tmp_path, *sources)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": "android-arm64"}, "runs no TensorFlow Lite Micro"),
        ({"target": "ethos-u55"}, "name a target without an NPU, such as corstone-300"),
        ({"target": "nano"}, "unknown target 'nano'"),
        ({"layout": "make"}, "the layouts are cmake, arduino, esp-idf, zephyr, platformio"),
        ({"tests": {LONE: Path("none.npz")}}, "none.npz"),
        ({"labels": {LONE: Path("none.txt")}}, "none.txt: no such file of labels"),
        ({"labels": {"door": Path("none.txt")}}, "there is no such model; the models are relu"),
        ({"project_files": {LONE: Path("none.toml")}}, "none.toml: no such project file"),
    ],
)
def test_bad_input_is_told_in_a_line(
    tmp_path: Path, options: dict[str, object], words: str
) -> None:
    said = refused(tmp_path, NamedModel(path=relu(tmp_path)), **options)
    assert words in said
    assert "\n" not in said


def test_labels_are_one_for_each_class(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    labels = {LONE: tmp_path / "labels.txt"}
    assert "2 labels" in refused(tmp_path, NamedModel(path=relu(tmp_path)), labels=labels)


@pytest.mark.parametrize(
    "options", [{"vectors": 0}, {"vectors": 10**9}, {"arena_margin_percent": float("nan")}]
)
def test_numbers_that_do_not_fit_are_refused(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"must be 1 to|is in percent"):
        build(tmp_path, NamedModel(path=tmp_path), **options)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a=b=c.tflite",), "b=c.tflite: no such .tflite file"),
        (("=x.tflite",), "write NAME=VALUE"),
        ((".",), ".: is a folder; give a .tflite file"),
        (("x.tflite", "--labels", "a.txt", "--labels", "b.txt"), "the labels are given twice"),
        (("x.tflite", "y.tflite", "--labels", "a.txt"), "does not say of which model"),
    ],
)
def test_mistyped_commands_say_what_to_write(
    edgepack: Edgepack, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    for name in ("x", "y"):
        relu(tmp_path / "cwd", name)
    done = edgepack("firmware", *arguments, "--target", NANO, "--output", "fw")
    assert done.returncode == 2
    assert words in done.stderr


def written(folder: Path, data: bytes, name: str = "relu") -> NamedModel:
    path = folder / f"{name}.tflite"
    path.write_bytes(data)
    return NamedModel(path=path)


def taking_nothing_besides() -> bytes:
    tiny = Tiny()
    taken = tiny.tensor("x", TINY)
    empty = tiny.tensor("e", Value((0,), "int8", 0.5))
    given = tiny.tensor("y", TINY)
    tiny.operator("RELU", [taken], [given], version=2)
    return tiny.to_bytes([taken, empty], [given])


def giving_nothing() -> bytes:
    tiny = Tiny()
    taken, given = tiny.tensor("x", TINY), tiny.tensor("y", TINY)
    tiny.operator("RELU", [taken], [given], version=2)
    return tiny.to_bytes([taken], [])


def doing_nothing() -> bytes:
    tiny = Tiny()
    taken = tiny.tensor("x", TINY)
    return tiny.to_bytes([taken], [taken])


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (giving_nothing, "the model gives no outputs: there is nothing to test"),
        (taking_nothing_besides, "e: its shape [0] holds no values"),
        (doing_nothing, "the model has no operators: it computes nothing"),
    ],
)
def test_a_model_of_nothing_is_refused(
    tmp_path: Path, model: Callable[[], bytes], words: str
) -> None:
    source = written(tmp_path, model())
    assert refused(tmp_path, source).startswith(f"{source.path}: {words}")


def test_what_overflows_is_no_test_vector(tmp_path: Path) -> None:
    real = Value((1, 4))
    source = written(tmp_path, one_operator("EXP", [real], [real]))
    np.savez(tmp_path / "test.npz", x=np.full((2, 4), 1000, np.float32))
    assert "overflows to infinity" in refused(tmp_path, source, tests={LONE: tmp_path / "test.npz"})


def test_data_without_samples_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "test.npz", x=np.zeros((0, 4), np.float32))
    said = refused(tmp_path, NamedModel(path=relu(tmp_path)), tests={LONE: tmp_path / "test.npz"})
    assert "is empty" in said


def test_labels_without_an_end_are_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes(b"a\0b\nc\nd\ne\n")
    labels = {LONE: tmp_path / "labels.txt"}
    assert "NUL" in refused(tmp_path, NamedModel(path=relu(tmp_path)), labels=labels)


def test_the_labelled_output_is_named_where_there_are_several(tmp_path: Path) -> None:
    tiny = Tiny()
    taken = tiny.tensor("x", TINY)
    given = [tiny.tensor("best", TINY), tiny.tensor("rest", Value((1, 1, 4, 1), "int8", 0.5))]
    shape = tiny.tensor("shape", Value((4,), "int32", values=[1, 1, 4, 1]))
    tiny.operator("RELU", [taken], given[:1], version=2)
    tiny.operator("RESHAPE", [taken, shape], given[1:])
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\n")
    source = written(tmp_path, tiny.to_bytes([taken], given))
    firmware(build(tmp_path / "fw", source, labels={LONE: tmp_path / "labels.txt"}))
    text = (tmp_path / "fw" / "models" / "relu" / "model_settings.h").read_text()
    assert "in the order of the output_best's values" in text


def test_a_file_may_have_a_name_as_long_as_files_can(tmp_path: Path) -> None:
    path = relu(tmp_path, "x" * (255 - len(".tflite")))
    firmware(build(tmp_path / "fw", NamedModel(path=path, name="door")))
    assert (tmp_path / "fw" / "models" / "door" / "model.c").is_file()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_many_models_make_names_that_every_system_takes(tmp_path: Path, layout: str) -> None:
    path = relu(tmp_path)
    sources = [NamedModel(path=path, name=f"{'n' * 45}{i:03}") for i in range(12)]
    firmware(build(tmp_path / "fw", *sources, layout=layout))
    (tmp_path / "fw" / "manifest.json").unlink()
    (tmp_path / "fw" / "report.json").unlink()
    for name, content in files(tmp_path / "fw").items():
        assert len(Path(name).name) <= 63 + len(".h")
        if Path(name).suffix in {".properties", ".json", ".yml", ".md"}:
            assert max(map(len, content.splitlines())) <= 255


def test_the_manifest_names_the_target_without_its_path(tmp_path: Path) -> None:
    target = tmp_path / "mine.toml"
    target.write_text((Path(__file__).parents[1] / "targets" / f"{NANO}.toml").read_text())
    firmware(build(tmp_path / "fw", NamedModel(path=relu(tmp_path)), target=str(target)))
    manifest = (tmp_path / "fw" / "manifest.json").read_text()
    assert json.loads(manifest)["firmware"]["target"] == "mine"
    assert str(tmp_path) not in manifest


def test_no_more_vectors_are_written_than_a_device_holds(tmp_path: Path) -> None:
    wide = Value((1, 1000, 1000), "int8", 0.5)
    source = written(tmp_path, one_operator("RELU", [wide], [wide], version=2))
    said = refused(tmp_path, source, vectors=100)
    assert "100 test vectors take 191 MiB, more than 16 MiB; give at most --vectors 8" in said
