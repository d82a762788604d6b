"""``edgepack firmware`` refuses models, names and options that cannot become firmware."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from compilers import compile_object
from conftest import Edgepack
from firmware_projects import (
    NANO,
    VECTOR,
    error_of,
    firmware_config,
    relu_model,
    written_model,
)
from tiny import Tiny, Value, one_operator

from edgepack.config.firmware import ONLY_MODEL, NamedModel
from edgepack.core.errors import ConfigError
from edgepack.pipeline.firmware_project.firmware import firmware


def test_a_model_that_tflm_cannot_run_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "tile.tflite"
    multiples = Value((2,), "int32", values=[1, 2])
    path.write_bytes(
        one_operator("TILE", [VECTOR, multiples], [Value((1, 8), "int8", 0.5, zero_point=-3)])
    )
    message = error_of(tmp_path, NamedModel(path=path))
    assert message.startswith(f"{path}: ")
    assert "TILE" in message
    assert "\n" not in message


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
def test_names_become_identifiers_or_are_refused(
    tmp_path: Path, name: str, words: str | None
) -> None:
    source = NamedModel(path=relu_model(tmp_path), name=name)
    if words:
        assert words in error_of(tmp_path, source)
        return
    firmware(firmware_config(tmp_path / "fw", source))
    (folder,) = (path.parent for path in (tmp_path / "fw").rglob("model.c"))
    assert re.fullmatch("[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*", folder.name)
    compile_object(folder / "model.c", tmp_path / "model.o")


def test_models_with_equal_identifiers_are_refused(tmp_path: Path) -> None:
    names = ("my-model", "my model")
    sources = [NamedModel(path=relu_model(tmp_path), name=name) for name in names]
    assert "both become 'my_model' in C" in error_of(tmp_path, *sources)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": "android-arm64"}, "does not run TensorFlow Lite Micro"),
        ({"target": "ethos-u55"}, "name a target without an NPU, such as corstone-300"),
        ({"target": "nano"}, "unknown target 'nano'"),
        ({"layout": "make"}, "choose one of cmake, arduino, esp-idf, zephyr, platformio"),
        ({"tests": {ONLY_MODEL: Path("none.npz")}}, "none.npz"),
        ({"labels": {ONLY_MODEL: Path("none.txt")}}, "none.txt: no such file of labels"),
        ({"labels": {"door": Path("none.txt")}}, "there is no such model; the models are relu"),
        ({"project_files": {ONLY_MODEL: Path("none.toml")}}, "none.toml: no such project file"),
    ],
)
def test_bad_input_is_reported_in_one_line(
    tmp_path: Path, options: dict[str, object], words: str
) -> None:
    message = error_of(tmp_path, NamedModel(path=relu_model(tmp_path)), **options)
    assert words in message
    assert "\n" not in message


def test_there_must_be_one_label_per_class(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    labels = {ONLY_MODEL: tmp_path / "labels.txt"}
    assert "2 labels" in error_of(tmp_path, NamedModel(path=relu_model(tmp_path)), labels=labels)


@pytest.mark.parametrize(
    "options", [{"vectors": 0}, {"vectors": 10**9}, {"arena_margin_percent": float("nan")}]
)
def test_numbers_out_of_range_are_refused(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"must be 1 to|must be 0 to 1000 percent"):
        firmware_config(tmp_path, NamedModel(path=tmp_path), **options)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a=b=c.tflite",), "b=c.tflite: no such .tflite file"),
        (("=x.tflite",), "write NAME=VALUE"),
        ((".",), ".: is a folder; give a .tflite file"),
        (
            ("x.tflite", "--labels", "a.txt", "--labels", "b.txt"),
            "--labels was given twice; give it once for each model",
        ),
        (("x.tflite", "y.tflite", "--labels", "a.txt"), "does not name its model"),
    ],
)
def test_errors_of_mistyped_commands_say_what_to_write(
    edgepack: Edgepack, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    for name in ("x", "y"):
        relu_model(tmp_path / "cwd", name)
    done = edgepack("firmware", *arguments, "--target", NANO, "--output", "fw")
    assert done.returncode == 2
    assert words in done.stderr


def model_with_an_empty_input() -> bytes:
    tiny = Tiny()
    x = tiny.tensor("x", VECTOR)
    empty = tiny.tensor("e", Value((0,), "int8", 0.5))
    y = tiny.tensor("y", VECTOR)
    tiny.operator("RELU", [x], [y], version=2)
    return tiny.to_bytes([x, empty], [y])


def model_without_outputs() -> bytes:
    tiny = Tiny()
    x, y = tiny.tensor("x", VECTOR), tiny.tensor("y", VECTOR)
    tiny.operator("RELU", [x], [y], version=2)
    return tiny.to_bytes([x], [])


def model_without_operators() -> bytes:
    tiny = Tiny()
    x = tiny.tensor("x", VECTOR)
    return tiny.to_bytes([x], [x])


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (model_without_outputs, "the model has no outputs: there is nothing to test"),
        (model_with_an_empty_input, "e: its shape [0] has no values"),
        (model_without_operators, "the model has no operators: it computes nothing"),
    ],
)
def test_a_model_that_computes_nothing_is_refused(
    tmp_path: Path, model: Callable[[], bytes], words: str
) -> None:
    source = written_model(tmp_path, model())
    assert error_of(tmp_path, source).startswith(f"{source.path}: {words}")


def test_vectors_whose_outputs_overflow_are_refused(tmp_path: Path) -> None:
    floats = Value((1, 4))
    source = written_model(tmp_path, one_operator("EXP", [floats], [floats]))
    np.savez(tmp_path / "test.npz", x=np.full((2, 4), 1000, np.float32))
    assert "overflows to infinity" in error_of(
        tmp_path, source, tests={ONLY_MODEL: tmp_path / "test.npz"}
    )


def test_data_without_samples_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "test.npz", x=np.zeros((0, 4), np.float32))
    message = error_of(
        tmp_path, NamedModel(path=relu_model(tmp_path)), tests={ONLY_MODEL: tmp_path / "test.npz"}
    )
    assert "is empty" in message


def test_labels_with_a_nul_are_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes(b"a\0b\nc\nd\ne\n")
    labels = {ONLY_MODEL: tmp_path / "labels.txt"}
    assert "NUL" in error_of(tmp_path, NamedModel(path=relu_model(tmp_path)), labels=labels)


def test_too_many_vectors_for_a_device_are_refused(tmp_path: Path) -> None:
    wide = Value((1, 1000, 1000), "int8", 0.5)
    source = written_model(tmp_path, one_operator("RELU", [wide], [wide], version=2))
    message = error_of(tmp_path, source, vectors=100)
    assert "100 test vectors take 191 MiB, more than 16 MiB; give at most --vectors 8" in message
