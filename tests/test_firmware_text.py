"""The files of a firmware compile everywhere, say what the model says, and test themselves."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
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
    link_program,
    run_program,
    sections,
    symbols,
    undefined_symbols,
)
from firmware import (
    CXX,
    FILES,
    STUB,
    made_model,
    mlperf_model,
    operator,
    stub_model,
    tensor,
    write_firmware,
)

from edgepack.core.errors import ModelError
from edgepack.devices.op_registry import highest_version, measured_operators, measured_versions
from edgepack.emit.c.firmware_model import FirmwareModel, Vector
from edgepack.emit.c.source_text import C_TYPES
from edgepack.emit.tflm import test_vectors
from edgepack.emit.tflm.main_cc import main_cc
from edgepack.emit.tflm.model_files import array_files, model_files
from edgepack.emit.tflm.model_settings import model_settings_h
from edgepack.emit.tflm.op_resolver import op_resolver_h, registration_method, registration_methods
from edgepack.storage.text_files import write_texts
from edgepack.tflite.graph import Graph, Model, Operator, QuantParams

ODD = ('"; DROP', "a\nb", "what??/", "*/ int x;", "schön", "\\", "%s %n", "\t", "5" * 300)
FREESTANDING = ("-fno-exceptions", "-fno-rtti")
STRICTER = ("-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wundef", "-Wdouble-promotion")
"""What firmware that is compiled more strictly than asked for may have besides."""

NEWEST = measured_versions("tflm")[-1]
CUSTOM = [
    name for name in measured_operators() if highest_version("tflm", NEWEST, f"CUSTOM {name}")
]
BUILTIN = [name for name in measured_operators() if highest_version("tflm", NEWEST, name)]
INT8 = QuantParams(scale=(0.05,), zero_point=(-3,))
INT16 = QuantParams(scale=(1 / 32768,), zero_point=(0,))


Program = Callable[..., tuple[int, list[str]]]
"""Runs the self-test with models of the stub; gives its status and its lines."""


def small() -> FirmwareModel:
    """Two inputs and outputs, one of them a scalar, whose titles and labels are odd."""
    inputs = [tensor('l"; DROP\n*/', (1, 2, 3), "int8", INT8), tensor("r??/", (), "float32")]
    outputs = [tensor("%d", (1, 9), "int16", INT16), tensor("ü\\", (2,), "float32")]
    names = ["ADD", "QUANTIZE", "ADD"]
    model = made_model("small", inputs, outputs, [*map(operator, names)])
    return replace(model, labels=ODD)


def every_type() -> FirmwareModel:
    """Inputs and outputs of every type."""
    ends = [tensor(dtype, (1, 7), dtype) for dtype in C_TYPES]
    return made_model("types", ends, ends, [operator("CAST")])


def with_variable() -> FirmwareModel:
    """A model that keeps a variable, in a subgraph that an operator calls as well."""
    model = made_model(
        "state", [tensor("x", (1, 4), "int8", INT8)], [tensor("y", (4,), "int32")], []
    )
    main = replace(model.model.main, operators=(operator("CALL_ONCE"), operator("READ_VARIABLE")))
    called = Graph(tensors=(), operators=(operator("VAR_HANDLE"),), inputs=(), outputs=())
    return replace(model, model=Model(subgraphs=(main, called)))


def every_model() -> list[FirmwareModel]:
    return [*map(mlperf_model, ("kws", "ic", "ad")), small(), every_type(), with_variable()]


def test_all_files_compile_everywhere(tmp_path: Path) -> None:
    models = every_model()
    for model in models:
        write_firmware(model, tmp_path)
    headers = [name for name in FILES if name.endswith(".h") and name not in CXX]
    source = tmp_path / "all.c"
    source.write_text(
        "".join(f'#include "{m.name}/{name}"\n' for m in models for name in (*headers, "model.c"))
    )
    for file in compile_everywhere(source, tmp_path, includes=[tmp_path]).values():
        held = symbols(file)
        assert all(held[f"{model.name}_model"] == model.data for model in models)

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
        # Nothing runs before main(), and nothing waits to be destroyed after it.
        assert not [name for name in sections(file) if "init_array" in name or "ctors" in name]
        assert not {name for name in undefined_symbols(file) if "guard" in name or "exit" in name}


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".h")])
@pytest.mark.parametrize("compiler", HOSTS, ids=str)
def test_a_header_needs_no_other(tmp_path: Path, name: str, compiler: Compiler) -> None:
    write_firmware(small(), tmp_path)
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
    texts = [[*model_files(small()).values(), main_cc([small()], entry)] for _ in range(2)]
    assert texts[0] == texts[1]
    assert all(text.isascii() and text.endswith("\n") for text in texts[0])
    lines = [line for text in texts[0] for line in text.splitlines() if "5555" not in line]
    assert max(map(len, lines)) <= 100
    assert not [line for line in lines if line != line.rstrip()]


def printed(folder: Path, formats: str, *, dialect: str = "c99") -> list[str]:
    """Compile and run a program that prints what the headers say of the small model."""
    source = folder / "print.c"
    source.write_text(
        '#include <stdio.h>\n#include "small/model_settings.h"\n'
        f"int main(void) {{\n{formats}\nreturn 0; }}\n"
    )
    program = build_program([source], folder / "print", dialect=dialect, includes=[folder])
    return run_program(program).stdout.split("\0")[:-1]


def test_settings_say_what_the_model_says(tmp_path: Path) -> None:
    model = write_firmware(small(), tmp_path) and small()
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
        told = printed(tmp_path, "\n".join(lines), dialect=dialect)
        assert told[:4] == ["16384", "2", "2", "9"]
        assert told[4:12] == ["0", "3", "6", "6", "1", "0", "1", "4"]
        assert told[12:20] == ["0", "2", "9", "18", "1", "1", "2", "8"]
        assert told[20:22] == ["-3", "0"]
        assert np.array_equal(np.float32(told[22:24]), np.float32([0.05, 1 / 32768]))
        assert told[24:27] == [model.inputs[0].title, model.inputs[1].title, "ü\\"]
        assert told[27:29] == ["1 2 3 1", "3"]
        assert tuple(told[29:]) == ODD


def test_settings_say_what_integers_mean() -> None:
    text = model_settings_h(mlperf_model("kws"))
    assert "SCALE * (q - ZERO_POINT):\n   -128 is -123.372, 127 is 25.7269. */" in text
    assert "LABELS" not in text
    assert "q - ZERO_POINT" not in model_settings_h(every_type())


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"dtype": "string"}, "no type for string"), ({"shape": (1, 0)}, "holds no values")],
)
def test_ends_that_c_cannot_hold_are_refused(changes: dict[str, Any], words: str) -> None:
    model = small()
    io = replace(model.inputs[1], tensor=replace(model.inputs[1].tensor, **changes))
    with pytest.raises(ModelError, match=re.escape(io.title) + f": .*{words}"):
        model_settings_h(replace(model, inputs=(io,)))


@pytest.mark.parametrize("compiler", HOSTS, ids=str)
@pytest.mark.parametrize("dialect", ["c99", "c++17"])
def test_vectors_come_back_to_the_bit(tmp_path: Path, compiler: Compiler, dialect: str) -> None:
    model = every_type()
    write_firmware(model, tmp_path)
    names = [io.name for io in (*model.inputs, *model.outputs)]
    written = [
        f"fwrite(types_vectors_{name}, sizeof types_vectors_{name}, 1, stdout);" for name in names
    ]
    source = tmp_path / "write.c"
    source.write_text(
        '#include <stdio.h>\n#include "types/test_vectors.h"\n'
        f"int main(void) {{ {' '.join(written)} return TYPES_VECTORS; }}\n"
    )
    done = build_program(
        [source], tmp_path / "write", compiler=compiler, dialect=dialect, includes=[tmp_path]
    )
    told = subprocess.run([done], capture_output=True, check=False)
    sides = [[v.inputs for v in model.vectors], [v.outputs for v in model.vectors]]
    ends = [arrays for side in sides for arrays in zip(*side, strict=True)]
    assert told.stdout == b"".join(array.tobytes() for arrays in ends for array in arrays)
    assert told.returncode == 2


def test_lines_are_short_with_names_of_two_words() -> None:
    quant = QuantParams(scale=(float(np.float32(1.23456789e-05)),), zero_point=(0,))
    ends = [tensor(name, (1, 4), "int16", quant) for name in ("sensor_left", "sensor_right")]
    model = made_model("pretrained_resnet", ends, ends[:1], [operator("CONV_2D")])
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
def test_vectors_that_are_no_numbers_are_refused(value: float) -> None:
    model = small()
    first = model.vectors[0]
    odd = (first.outputs[0], np.float32([0, value]))
    model = replace(model, vectors=(Vector(inputs=first.inputs, outputs=odd),))
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
def test_the_resolver_holds_exactly_what_the_model_uses(name: str, methods: str) -> None:
    model = mlperf_model(name)
    assert registration_methods(model) == [f"Add{method}" for method in methods.split()]
    text = op_resolver_h(model)
    assert f"#define {model.macro}_OPERATORS {len(methods.split())}\n" in text
    assert text.count("resolver.Add") == len(methods.split())


def test_operators_of_all_subgraphs_are_registered() -> None:
    assert registration_methods(with_variable()) == [
        "AddCallOnce",
        "AddReadVariable",
        "AddVarHandle",
    ]


@pytest.mark.parametrize("places", ["", " - 1"])
def test_every_operator_of_tflm_can_be_registered(tmp_path: Path, places: str) -> None:
    every = [
        *map(operator, BUILTIN),
        *(operator(name, is_custom=True) for name in (*CUSTOM, "ethos-u")),
    ]
    assert len(every) > 100
    text = op_resolver_h(made_model("all", [], [], every))
    source = tmp_path / "main.cc"
    source.write_text(
        text.replace("<ALL_OPERATORS>", f"<ALL_OPERATORS{places}>")
        + "int main() { all_op_resolver resolver; return all_register_operators(resolver)"
        f" == kTfLiteOk && ALL_OPERATORS == {len(every)} ? 0 : 1; }}"
    )
    program = build_program([source, STUB / "stub.cc"], tmp_path / "main", includes=[STUB])
    assert run_program(program).returncode == (1 if places else 0)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (operator("CONV_3D"), "operator CONV_3D: TensorFlow Lite Micro has no kernel"),
        (operator("MyOp", is_custom=True), "custom operator 'MyOp': .* AddCustom"),
        (operator("CONV_2D", is_custom=True), "custom operator 'CONV_2D'"),
        (operator("TFLM_DECODE"), "operator TFLM_DECODE"),
    ],
)
def test_operators_that_tflm_has_not_are_refused(made: Operator, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        registration_method(made)


def self_test(
    models: list[FirmwareModel], folder: Path, entry: str = "main", driver: str = ""
) -> Program:
    """Build the self-test, to be run with what stands for the models in TFLM's stub."""
    for model in models:
        write_firmware(model, folder)
    (folder / "main.cc").write_text(main_cc(models, entry) + driver)
    objects = [
        compile_object(
            source, folder / f"{source.stem}.o", dialect="c++17", includes=[folder, STUB]
        )
        for source in (folder / "main.cc", STUB / "stub.cc")
    ]

    def run(*stands_in: FirmwareModel) -> tuple[int, list[str]]:
        held = []
        for model in stands_in:
            write_texts(folder, array_files(model.name, model.data))
            file = folder / f"{model.name}.o"
            held.append(compile_object(folder / model.name / "model.c", file))
        done = run_program(link_program([*objects, *held], folder / "self-test"))
        return done.returncode, done.stdout.splitlines()

    return run


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return self_test([small(), with_variable()], tmp_path_factory.mktemp("self-test"))


def test_right_models_pass(program: Program) -> None:
    assert program(stub_model(small()), stub_model(with_variable())) == (
        0,
        [
            "target initialized",
            "small: 1000 of 16384 bytes of the arena are used",
            "PASS small: 2 vectors",
            "state: 1000 of 16384 bytes of the arena are used",
            "PASS state: 2 vectors",
        ],
    )


OTHER_TYPE = replace(small().outputs[0], tensor=tensor("%d", (1, 18), "int8"))


@pytest.mark.parametrize(
    ("stands_in", "words"),
    [
        (stub_model(small(), schema=4), "its schema has version 4, that of this TFLM 3"),
        (
            stub_model(small(), arena=16385),
            "AllocateTensors() failed, with an arena of 16384 bytes",
        ),
        (
            stub_model(small(), operator="CONV_2D"),
            "AllocateTensors() failed, with an arena of 16384 bytes",
        ),
        (stub_model(small(), fail="invoke"), "vector 0: Invoke() failed"),
        (
            stub_model(small(), input="9 6"),
            "it has other inputs or outputs than model_settings.h",
        ),
        (
            stub_model(replace(small(), outputs=(OTHER_TYPE, small().outputs[1]))),
            "%d is not of the type and 18 bytes of model_settings.h",
        ),
    ],
)
def test_a_model_that_cannot_run_fails(
    program: Program, stands_in: FirmwareModel, words: str
) -> None:
    status, lines = program(stands_in, stub_model(with_variable()))
    assert status == 1
    assert [line for line in lines if "FAIL" in line] == [f"FAIL small: {words}"]
    assert lines[-1] == "PASS state: 2 vectors"  # one model's failure does not stop the other


def changed(model: FirmwareModel, outputs: Callable[[Any], Any]) -> FirmwareModel:
    """Give the model whose outputs are computed of those that were."""
    vectors = (
        Vector(inputs=v.inputs, outputs=tuple(map(outputs, v.outputs))) for v in model.vectors
    )
    return replace(model, vectors=tuple(vectors))


def test_wrong_outputs_fail_and_say_where(program: Program) -> None:
    first, second = small().vectors
    integers, floats = (array.copy() for array in second.outputs)
    integers[0, 3:5] += np.int16([1, -7])
    floats[1] = np.nextafter(floats[1], np.float32(0))
    wrong = Vector(inputs=second.inputs, outputs=(integers, floats))
    stands_in = stub_model(replace(small(), vectors=(first, wrong)))
    status, lines = program(stands_in, stub_model(with_variable()))
    assert status == 1
    was, largest = second.outputs[0][0, 3], 0x7F7FFFFF
    of_integers = (
        f"element 3 is {was + 1} and should be {was}; 2 of 9 elements differ, by at most 7"
    )
    of_floats = (
        f"element 1 is {largest - 1} and should be {largest}; 1 of 2 elements differ, by at most 1"
    )
    assert lines[2:5] == [
        f"small: vector 1, %d: {of_integers}",
        f"small: vector 1, ü\\: {of_floats}",
        "FAIL small: 1 of 2 vectors",
    ]


def test_values_of_every_type_are_told_apart(tmp_path: Path) -> None:
    def near(array: Any) -> Any:
        """Change the last value by the least that there is, and of floats a zero's sign."""
        array = array.copy()
        array.view(f"i{array.itemsize}")[0, -1] ^= 1
        if array.dtype.kind == "f":
            assert np.signbit(array[0, 3])
            array[0, 3] = 0
        return array

    model = every_type()
    status, lines = self_test([model], tmp_path)(stub_model(changed(model, near)))
    assert status == 1
    told = [line for line in lines if "vector 1" in line]
    assert len(told) == len(model.outputs) == len(C_TYPES)
    for line in told:
        differing = 2 if "float" in line else 1
        assert line.endswith(f"; {differing} of 7 elements differ, by at most 1"), line


@pytest.mark.parametrize(
    ("entry", "driver"),
    [
        ("app_main", "int main() { app_main(); }"),
        ("arduino", "int main() { setup(); loop(); }"),
    ],
)
def test_other_entries_run_the_same_test(tmp_path: Path, entry: str, driver: str) -> None:
    model = replace(small(), vectors=())
    _, lines = self_test([model], tmp_path, entry, driver)(stub_model(model))
    assert lines[0] == "target initialized"
    assert lines[-1] == "PASS small: 0 vectors"


def test_a_self_test_that_may_not_print_compiles(tmp_path: Path) -> None:
    write_firmware(small(), tmp_path)
    main = tmp_path / "main.cc"
    main.write_text(main_cc([small()], "main"))
    for compiler in HOSTS:
        compile_object(
            main,
            tmp_path / "main.o",
            compiler=compiler,
            dialect="c++17",
            includes=[tmp_path, STUB],
            options=["-DTF_LITE_STRIP_ERROR_STRINGS"],
        )
