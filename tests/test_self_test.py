"""The emitted self-test passes for right models, and says what is wrong with others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compilers import HOSTS, compile_object, link_program, run_program
from firmware import (
    STUB,
    model_of_every_type,
    model_with_variable,
    small_model,
    stub_model,
    tensor,
    write_firmware,
)

from edgepack.emit.c.source_text import C_TYPES
from edgepack.emit.tflm.firmware_model import FirmwareModel, GoldenVector
from edgepack.emit.tflm.main_cc import main_cc
from edgepack.emit.tflm.model_files import array_files
from edgepack.storage.text_files import write_texts

Program = Callable[..., tuple[int, list[str]]]
"""Runs the self-test with models of the stub; returns its exit status and output lines."""


def self_test(
    models: list[FirmwareModel], folder: Path, entry: str = "main", driver: str = ""
) -> Program:
    """Build the self-test of models; it is then run with models of TFLM's stub in their place."""
    for model in models:
        write_firmware(model, folder)
    (folder / "main.cc").write_text(main_cc(models, entry) + driver)
    objects = [
        compile_object(
            source, folder / f"{source.stem}.o", dialect="c++17", includes=[folder, STUB]
        )
        for source in (folder / "main.cc", STUB / "stub.cc")
    ]

    def run(*stub_models: FirmwareModel) -> tuple[int, list[str]]:
        arrays = []
        for model in stub_models:
            write_texts(folder, array_files(model.name, model.data))
            file = folder / f"{model.name}.o"
            arrays.append(compile_object(folder / model.name / "model.c", file))
        done = run_program(link_program([*objects, *arrays], folder / "self-test"))
        return done.returncode, done.stdout.splitlines()

    return run


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return self_test([small_model(), model_with_variable()], tmp_path_factory.mktemp("self-test"))


def test_right_models_pass(program: Program) -> None:
    assert program(stub_model(small_model()), stub_model(model_with_variable())) == (
        0,
        [
            "target initialized",
            "small: uses 1000 of 16384 bytes of the arena",
            "PASS small: 2 vectors",
            "state: uses 1000 of 16384 bytes of the arena",
            "PASS state: 2 vectors",
        ],
    )


OTHER_TYPE = replace(small_model().outputs[0], tensor=tensor("%d", (1, 18), "int8"))


@pytest.mark.parametrize(
    ("stub", "words"),
    [
        (stub_model(small_model(), schema=4), "its schema version is 4, but this TFLM supports 3"),
        (
            stub_model(small_model(), arena=16385),
            "AllocateTensors() failed, with an arena of 16384 bytes",
        ),
        (
            stub_model(small_model(), operator="CONV_2D"),
            "AllocateTensors() failed, with an arena of 16384 bytes",
        ),
        (stub_model(small_model(), fail="invoke"), "vector 0: Invoke() failed"),
        (
            stub_model(small_model(), input="9 6"),
            "inputs or outputs do not match model_settings.h",
        ),
        (
            stub_model(replace(small_model(), outputs=(OTHER_TYPE, small_model().outputs[1]))),
            "type or size of %d does not match model_settings.h (18 bytes)",
        ),
    ],
)
def test_a_model_that_cannot_run_fails(program: Program, stub: FirmwareModel, words: str) -> None:
    status, lines = program(stub, stub_model(model_with_variable()))
    assert status == 1
    assert [line for line in lines if "FAIL" in line] == [f"FAIL small: {words}"]
    assert lines[-1] == "PASS state: 2 vectors"  # one model's failure does not stop the other


def with_outputs(model: FirmwareModel, outputs: Callable[[Any], Any]) -> FirmwareModel:
    """Return the model with test vectors whose outputs are changed by a function."""
    vectors = (
        GoldenVector(inputs=v.inputs, outputs=tuple(map(outputs, v.outputs))) for v in model.vectors
    )
    return replace(model, vectors=tuple(vectors))


def test_wrong_outputs_fail_and_are_located(program: Program) -> None:
    first, second = small_model().vectors
    integers, floats = (array.copy() for array in second.outputs)
    integers[0, 3:5] += np.int16([1, -7])
    floats[1] = np.nextafter(floats[1], np.float32(0))
    wrong = GoldenVector(inputs=second.inputs, outputs=(integers, floats))
    stub = stub_model(replace(small_model(), vectors=(first, wrong)))
    status, lines = program(stub, stub_model(model_with_variable()))
    assert status == 1
    value, largest = second.outputs[0][0, 3], 0x7F7FFFFF
    in_integers = (
        f"element 3 is {value + 1} and should be {value}; 2 of 9 elements differ, by at most 7"
    )
    in_floats = (
        f"element 1 is {largest - 1} and should be {largest}; 1 of 2 elements differ, by at most 1"
    )
    assert lines[2:5] == [
        f"small: vector 1, %d: {in_integers}",
        f"small: vector 1, ü\\: {in_floats}",
        "FAIL small: 1 of 2 vectors",
    ]


def test_the_smallest_change_of_every_type_is_found(tmp_path: Path) -> None:
    def with_smallest_change(array: Any) -> Any:
        """Change the last value by one step, and in floats also the sign of a zero."""
        array = array.copy()
        array.view(f"i{array.itemsize}")[0, -1] ^= 1
        if array.dtype.kind == "f":
            assert np.signbit(array[0, 3])
            array[0, 3] = 0
        return array

    model = model_of_every_type()
    status, lines = self_test([model], tmp_path)(
        stub_model(with_outputs(model, with_smallest_change))
    )
    assert status == 1
    messages = [line for line in lines if "vector 1" in line]
    assert len(messages) == len(model.outputs) == len(C_TYPES)
    for line in messages:
        differing = 2 if "float" in line else 1
        assert line.endswith(f"; {differing} of 7 elements differ, by at most 1"), line


@pytest.mark.parametrize(
    ("entry", "driver"),
    [
        ("app_main", "int main() { app_main(); }"),
        ("arduino", "int main() { setup(); loop(); }"),
    ],
)
def test_other_entry_points_run_the_same_test(tmp_path: Path, entry: str, driver: str) -> None:
    model = replace(small_model(), vectors=())
    _, lines = self_test([model], tmp_path, entry, driver)(stub_model(model))
    assert lines[0] == "target initialized"
    assert lines[-1] == "PASS small: 0 vectors"


def test_a_self_test_without_messages_compiles(tmp_path: Path) -> None:
    write_firmware(small_model(), tmp_path)
    main = tmp_path / "main.cc"
    main.write_text(main_cc([small_model()], "main"))
    for compiler in HOSTS:
        compile_object(
            main,
            tmp_path / "main.o",
            compiler=compiler,
            dialect="c++17",
            includes=[tmp_path, STUB],
            options=["-DTF_LITE_STRIP_ERROR_STRINGS"],
        )
