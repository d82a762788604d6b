"""C identifiers of models, inputs and outputs are valid, short and distinct."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from compilers import HOSTS, compile_object, symbols

from edgepack.config.export import ExportConfig
from edgepack.core.errors import ConfigError
from edgepack.emit.c.c_identifiers import FIRST_WORDS, c_identifier, c_io_tensors, c_model_names
from edgepack.emit.tflm.c_array import array_header, array_source
from edgepack.pipeline.exporting.export import export
from edgepack.tflite.graph import Tensor

IDENTIFIERS = {
    "my-model": "my_model",
    "my model.v2": "my_model_v2",
    "3d": "m3d",
    "__x__": "x",
    "_x": "x",
    "a__b": "a_b",
    "modèle": "modele",
    "Ångström": "Angstrom",
    "ﬁle①": "file1",
    "k\u0131z": "k_z",  # a dotless i is a separate letter
    "İstanbul": "Istanbul",
    "straße": "stra_e",
    "ε-net": "net",
    '"; DROP': "DROP",
    "a\nb": "a_b",
    "a\\\n*/ b": "a_b",
    "../up": "up",
    "$x": "x",
    "KWS": "KWS",
}


@pytest.mark.parametrize("title", IDENTIFIERS)
def test_any_text_becomes_an_identifier(title: str) -> None:
    assert c_identifier(title) == IDENTIFIERS[title]
    assert c_model_names([title]) == [IDENTIFIERS[title]]


@pytest.mark.parametrize("title", ["", "-", "日本", "___", "\n", "ε", "🎤", "\u0301", "\udcff"])
def test_titles_without_ascii_letters_or_digits_are_refused(title: str) -> None:
    with pytest.raises(
        ConfigError, match="a C identifier needs a letter from A to Z or a digit"
    ) as caught:
        c_identifier(title)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("compiler", HOSTS, ids=str)
def test_the_identifiers_compile_in_one_program(tmp_path: Path, compiler: object) -> None:
    names = sorted(set(map(str.lower, IDENTIFIERS.values())))
    source = tmp_path / "all.c"
    source.write_text("".join(f'#include "{name}.h"\n' for name in names))
    for name in names:
        (tmp_path / f"{name}.h").write_text(array_header(f"{name}_model", b"a"))
        (tmp_path / f"{name}.c").write_text(array_source(f"{name}_model", b"a", f"{name}.h"))
        file = compile_object(tmp_path / f"{name}.c", tmp_path / "a.o", compiler=compiler)
        assert symbols(file)[f"{name}_model"] == b"a"
    compile_object(source, tmp_path / "all.o", compiler=compiler)


@pytest.mark.parametrize(
    ("title", "reason"),
    [
        ("class", "'class' is a reserved word of C++"),
        ("_class_", "'class' is a reserved word of C++"),
        ("int", "'int' is a reserved word of C"),
        ("typeof", "'typeof' is a reserved word of C"),
        ("co-await", "'co_await' is a reserved word of C++"),
        ("setup", "'setup' is used by Arduino, TensorFlow Lite or the program"),
        ("Main", "'Main' is used by"),
        ("tflite", "'tflite' is used by"),
        ("nul", "'nul' is a reserved device name on Windows"),
        ("x" * 300, "its C name has 300 characters, more than 48"),
    ],
)
def test_reserved_and_too_long_names_are_refused(title: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(reason)) as caught:
        c_model_names([title])
    message = str(caught.value)
    assert message.endswith("; choose another name with NAME=MODEL.tflite")
    assert len(message) < 200


@pytest.mark.parametrize(
    ("titles", "reason"),
    [
        (["my-model", "my_model"], "'my-model' and 'my_model': both become 'my_model' in C"),
        (["KWS", "x", "kws"], "'KWS' and 'kws': both become 'KWS' in C"),
        (["modèle", "modele"], "both become 'modele' in C"),
        (
            ["kws", "kws_model"],
            "'kws_model': its C name 'kws_model' begins like the symbols kws_model",
        ),
        (["KWS-Input-2", "kws"], "'KWS-Input-2': its C name 'KWS_Input_2' begins like the symbols"),
    ],
)
def test_models_whose_symbols_could_collide_are_refused(titles: list[str], reason: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(reason)) as caught:
        c_model_names(titles)
    assert "\n" not in str(caught.value)


def test_models_whose_symbols_differ_are_accepted() -> None:
    titles = ["kws", "kws_v2", "kws_models", "kw", "kws2", "classes", "mainly", "xy_model", "ic"]
    assert c_model_names(titles) == titles
    # A name such as kws_v2 is safe because no symbol of kws continues with v2.
    assert all(word.isalpha() for word in FIRST_WORDS)
    assert "x" * 48 in c_model_names(["x" * 48])


def input_names(*names: str) -> list[str]:
    tensors = [Tensor(name=name, shape=(1,), dtype="int8", quant=None, data=b"") for name in names]
    return [io.name for io in c_io_tensors(tensors, "input")]


def test_a_single_input_is_called_input() -> None:
    assert input_names("serving_default_anything:0") == ["input"]


@pytest.mark.parametrize(
    ("titles", "names"),
    [
        (("left", "Right eye"), ["input_left", "input_right_eye"]),
        (("serving_default_a:0", "serving_default_b:0"), ["input_a", "input_b"]),
        (
            ("StatefulPartitionedCall:0", "StatefulPartitionedCall:1"),
            ["input_0", "input_1"],
        ),
        (("A", "a", "b"), ["input_0", "input_1", "input_b"]),
        (("Identity", "Identity_1"), ["input_0", "input_1"]),
        (("x", "x_fixed", "y"), ["input_0", "input_1", "input_y"]),
        (("日本", "", "x" * 25, "0"), ["input_0", "input_1", "input_2", "input_m0"]),
        (("class", "int"), ["input_class", "input_int"]),
    ],
)
def test_several_inputs_are_named_by_title_or_index(
    titles: tuple[str, ...], names: list[str]
) -> None:
    assert input_names(*titles) == names


def test_titles_are_the_names_in_the_signature() -> None:
    tensor = Tensor(name="x:0", shape=(1,), dtype="int8", quant=None, data=b"")
    assert [io.title for io in c_io_tensors([tensor, tensor], "output")] == ["x:0#0", "x:0#1"]
    assert c_io_tensors([tensor], "output")[0].title == "x:0"


def test_an_export_refuses_an_unusable_name_before_it_starts(tmp_path: Path) -> None:
    model = tmp_path / "日本.h5"
    model.write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(ConfigError, match="a C identifier needs a letter from A to Z or a digit"):
        export(ExportConfig(model=model, output=tmp_path / "out"))
    assert not (tmp_path / "out").exists()
