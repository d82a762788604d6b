"""The firmware files of a model compile everywhere and describe the model exactly."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compilers import (
    HOSTS,
    Compiler,
    build_program,
    compile_everywhere,
    compile_object,
    run_program,
    sections,
    symbols,
    undefined_symbols,
)
from firmware import (
    CXX,
    FILES,
    ODD_LABELS,
    STUB,
    all_models,
    mlperf_model,
    model_of_every_type,
    model_with_variable,
    operator,
    small_model,
    synthetic_model,
    tensor,
    write_firmware,
)

from edgepack.core.errors import ModelError
from edgepack.emit.tflm import test_vectors
from edgepack.emit.tflm.firmware_model import GoldenVector
from edgepack.emit.tflm.main_cc import main_cc
from edgepack.emit.tflm.model_files import model_files
from edgepack.emit.tflm.model_settings import model_settings_h
from edgepack.emit.tflm.op_resolver import op_resolver_h, registration_method, registration_methods
from edgepack.runtimes.supported_operators import (
    highest_version,
    measured_operators,
    measured_versions,
)
from edgepack.tflite.graph import Operator, QuantParams

FREESTANDING = ("-fno-exceptions", "-fno-rtti")
STRICTER = ("-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wundef", "-Wdouble-promotion")
"""Stricter warnings than edgepack promises, which projects may use."""

NEWEST = measured_versions("tflm")[-1]
CUSTOM = [
    name for name in measured_operators() if highest_version("tflm", NEWEST, f"CUSTOM {name}")
]
BUILTIN = [name for name in measured_operators() if highest_version("tflm", NEWEST, name)]


def test_all_files_compile_everywhere(tmp_path: Path) -> None:
    models = all_models()
    for model in models:
        write_firmware(model, tmp_path)
    headers = [name for name in FILES if name.endswith(".h") and name not in CXX]
    source = tmp_path / "all.c"
    source.write_text(
        "".join(f'#include "{m.name}/{name}"\n' for m in models for name in (*headers, "model.c"))
    )
    for file in compile_everywhere(source, tmp_path, includes=[tmp_path]).values():
        constants = symbols(file)
        assert all(constants[f"{model.name}_model"] == model.data for model in models)

    main = tmp_path / "main.cc"
    main.write_text(main_cc(models, "main"))
    objects = compile_everywhere(
        main,
        tmp_path,
        dialects=["c++17"],
        includes=[tmp_path, STUB],
        options=[*FREESTANDING, *STRICTER],
    )
    for file in objects.values():
        # Nothing runs before main(), and there are no destructors to run after it.
        assert not [name for name in sections(file) if "init_array" in name or "ctors" in name]
        assert not {name for name in undefined_symbols(file) if "guard" in name or "exit" in name}


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".h")])
@pytest.mark.parametrize("compiler", HOSTS, ids=str)
def test_each_header_is_self_contained(tmp_path: Path, name: str, compiler: Compiler) -> None:
    write_firmware(small_model(), tmp_path)
    source = tmp_path / "one.c"
    source.write_text(f'#include "small/{name}"\n#include "small/{name}"\nint unused;\n')
    dialects = ["c++17"] if name in CXX else ["c99", "c++17"]
    for dialect in dialects:
        compile_object(
            source,
            tmp_path / "one.o",
            compiler=compiler,
            dialect=dialect,
            includes=[tmp_path, STUB],
            options=STRICTER,
        )


@pytest.mark.parametrize("entry", ["main", "app_main", "arduino"])
def test_the_text_is_ascii_and_the_same_each_time(entry: str) -> None:
    texts = [
        [*model_files(small_model()).values(), main_cc([small_model()], entry)] for _ in range(2)
    ]
    assert texts[0] == texts[1]
    assert all(text.isascii() and text.endswith("\n") for text in texts[0])
    lines = [line for text in texts[0] for line in text.splitlines() if "5555" not in line]
    assert max(map(len, lines)) <= 100
    assert not [line for line in lines if line != line.rstrip()]


def printed(folder: Path, statements: str, *, dialect: str = "c99") -> list[str]:
    """Run statements that print settings of the small model, with a NUL after each."""
    source = folder / "print.c"
    source.write_text(
        '#include <stdio.h>\n#include "small/model_settings.h"\n'
        f"int main(void) {{\n{statements}\nreturn 0; }}\n"
    )
    program = build_program([source], folder / "print", dialect=dialect, includes=[folder])
    return run_program(program).stdout.split("\0")[:-1]


def test_settings_describe_the_model(tmp_path: Path) -> None:
    model = small_model()
    write_firmware(model, tmp_path)
    ints = "ARENA_BYTES INPUTS OUTPUTS LABELS"
    for io in ("INPUT_0", "INPUT_1", "OUTPUT_0", "OUTPUT_1"):
        ints += f" {io}_INDEX {io}_RANK {io}_ELEMENTS {io}_BYTES"
    ints += " INPUT_0_ZERO_POINT OUTPUT_0_ZERO_POINT"
    lines = [f'printf("%d%c", (int)SMALL_{name}, 0);' for name in ints.split()]
    lines += [
        f'printf("%.9g%c", (double)SMALL_{name}_SCALE, 0);' for name in ("INPUT_0", "OUTPUT_0")
    ]
    lines += [
        f'printf("%s%c", SMALL_{name}_NAME, 0);' for name in ("INPUT_0", "INPUT_1", "OUTPUT_1")
    ]
    lines += ["const int shape[] = SMALL_INPUT_0_SHAPE, scalar[] = SMALL_INPUT_1_SHAPE;"]
    lines += ['printf("%d %d %d %d%c", shape[0], shape[1], shape[2], scalar[0], 0);']
    lines += ['printf("%d%c", (int)(sizeof(small_input_0_t) + sizeof(small_output_0_t)), 0);']
    lines += ['for (int i = 0; i < SMALL_LABELS; ++i) printf("%s%c", small_labels[i], 0);']
    for dialect in ("c99", "c++17"):
        values = printed(tmp_path, "\n".join(lines), dialect=dialect)
        assert values[:4] == ["16384", "2", "2", "9"]
        assert values[4:12] == ["0", "3", "6", "6", "1", "0", "1", "4"]
        assert values[12:20] == ["0", "2", "9", "18", "1", "1", "2", "8"]
        assert values[20:22] == ["-3", "0"]
        assert np.array_equal(np.float32(values[22:24]), np.float32([0.05, 1 / 32768]))
        assert values[24:27] == [model.inputs[0].title, model.inputs[1].title, "ü\\"]
        assert values[27:29] == ["1 2 3 1", "3"]
        assert tuple(values[29:]) == ODD_LABELS


def test_settings_explain_quantized_integers() -> None:
    text = model_settings_h(mlperf_model("kws"))
    assert "-128 represents -123.372, and 127 represents 25.7269. */" in text
    assert "LABELS" not in text
    assert "q - ZERO_POINT" not in model_settings_h(model_of_every_type())


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"dtype": "string"}, "no type for string"), ({"shape": (1, 0)}, "has no values")],
)
def test_tensors_that_c_cannot_represent_are_refused(changes: dict[str, Any], words: str) -> None:
    model = small_model()
    io = replace(model.inputs[1], tensor=replace(model.inputs[1].tensor, **changes))
    with pytest.raises(ModelError, match=re.escape(io.title) + f": .*{words}"):
        model_settings_h(replace(model, inputs=(io,)))


@pytest.mark.parametrize("compiler", HOSTS, ids=str)
@pytest.mark.parametrize("dialect", ["c99", "c++17"])
def test_vectors_are_preserved_bit_for_bit(
    tmp_path: Path, compiler: Compiler, dialect: str
) -> None:
    model = model_of_every_type()
    write_firmware(model, tmp_path)
    names = [io.name for io in (*model.inputs, *model.outputs)]
    statements = [
        f"fwrite(types_vectors_{name}, sizeof types_vectors_{name}, 1, stdout);" for name in names
    ]
    source = tmp_path / "write.c"
    source.write_text(
        '#include <stdio.h>\n#include "types/test_vectors.h"\n'
        f"int main(void) {{ {' '.join(statements)} return TYPES_VECTORS; }}\n"
    )
    program = build_program(
        [source], tmp_path / "write", compiler=compiler, dialect=dialect, includes=[tmp_path]
    )
    done = subprocess.run([program], capture_output=True, check=False)
    sides = [[v.inputs for v in model.vectors], [v.outputs for v in model.vectors]]
    by_tensor = [arrays for side in sides for arrays in zip(*side, strict=True)]
    assert done.stdout == b"".join(array.tobytes() for arrays in by_tensor for array in arrays)
    assert done.returncode == 2


def test_lines_are_short_with_long_names() -> None:
    quant = QuantParams(scale=(float(np.float32(1.23456789e-05)),), zero_point=(0,))
    tensors = [tensor(name, (1, 4), "int16", quant) for name in ("sensor_left", "sensor_right")]
    model = synthetic_model("pretrained_resnet", tensors, tensors[:1], [operator("CONV_2D")])
    for text in (model_settings_h(model), test_vectors.test_vectors_h(model)):
        assert max(map(len, text.splitlines())) <= 100
    signatures = [
        line
        for text in model_files(model).values()
        for line in text.splitlines()
        if line.startswith("static inline")
    ]
    assert max(map(len, signatures)) <= 100


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_vectors_with_nan_or_infinity_are_refused(value: float) -> None:
    model = small_model()
    first = model.vectors[0]
    outputs = (first.outputs[0], np.float32([0, value]))
    model = replace(model, vectors=(GoldenVector(inputs=first.inputs, outputs=outputs),))
    with pytest.raises(ModelError, match="contains NaN or infinity"):
        test_vectors.test_vectors_h(model)


@pytest.mark.parametrize(
    ("name", "methods"),
    [
        ("kws", "Conv2D DepthwiseConv2D AveragePool2D Reshape FullyConnected Softmax"),
        ("ic", "Conv2D Add AveragePool2D Reshape FullyConnected Softmax"),
        ("ad", "FullyConnected"),
    ],
)
def test_the_resolver_has_exactly_the_models_operators(name: str, methods: str) -> None:
    model = mlperf_model(name)
    assert registration_methods(model) == [f"Add{method}" for method in methods.split()]
    text = op_resolver_h(model)
    assert f"#define {model.macro}_OPERATORS {len(methods.split())}\n" in text
    assert text.count("resolver.Add") == len(methods.split())


def test_operators_of_all_subgraphs_are_registered() -> None:
    assert registration_methods(model_with_variable()) == [
        "AddCallOnce",
        "AddReadVariable",
        "AddVarHandle",
    ]


@pytest.mark.parametrize("size_change", ["", " - 1"])
def test_every_operator_of_tflm_can_be_registered(tmp_path: Path, size_change: str) -> None:
    every = [
        *map(operator, BUILTIN),
        *(operator(name, is_custom=True) for name in (*CUSTOM, "ethos-u")),
    ]
    assert len(every) > 100
    text = op_resolver_h(synthetic_model("all", [], [], every))
    source = tmp_path / "main.cc"
    source.write_text(
        text.replace("<ALL_OPERATORS>", f"<ALL_OPERATORS{size_change}>")
        + "int main() { all_op_resolver resolver; return all_register_operators(resolver)"
        f" == kTfLiteOk && ALL_OPERATORS == {len(every)} ? 0 : 1; }}"
    )
    program = build_program([source, STUB / "stub.cc"], tmp_path / "main", includes=[STUB])
    assert run_program(program).returncode == (1 if size_change else 0)


@pytest.mark.parametrize(
    ("unsupported", "words"),
    [
        (operator("CONV_3D"), "operator CONV_3D: TensorFlow Lite Micro has no kernel"),
        (operator("MyOp", is_custom=True), "custom operator 'MyOp': .* AddCustom"),
        (operator("CONV_2D", is_custom=True), "custom operator 'CONV_2D'"),
        (operator("TFLM_DECODE"), "operator TFLM_DECODE"),
    ],
)
def test_operators_that_tflm_lacks_are_refused(unsupported: Operator, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        registration_method(unsupported)
