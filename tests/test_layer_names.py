"""The layers of a Keras model have their own names in the .tflite file, reports and options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import Edgepack, script, told_by

KERASES = ("keras", "tf_keras")
OWN = ["conv2d", "conv2d_1", "flatten", "dense", "dense_1"]


@pytest.fixture(scope="module")
def named() -> dict[str, Any]:
    return told_by("named.py")


@pytest.mark.parametrize("kit", [*KERASES, "ported"])
def test_names_are_those_of_the_layers_and_each_means_that_layer_only(
    named: dict[str, Any], kit: str
) -> None:
    found = named[f"{kit}: plain"]
    assert found["operators"] == OWN
    assert found["layers"] == {name: [name] for name in OWN}


@pytest.mark.parametrize("kit", [*KERASES, "ported"])
def test_a_layer_that_is_called_twice_has_one_name_and_nested_layers_follow_their_model(
    named: dict[str, Any], kit: str
) -> None:
    layers = named[f"{kit}: nested"]["layers"]
    assert layers["dense"] == ["dense/MatMul", "dense/MatMul_1"]
    assert layers["dense_1"] == ["dense_1"]
    assert layers["backbone/dense_1"] == layers["backbone"] == ["backbone/dense_1"]
    assert layers["last"] == ["last"]


@pytest.mark.parametrize("kit", [*KERASES, "ported"])
def test_the_name_of_a_layer_means_no_operations_of_that_name_in_other_layers(
    named: dict[str, Any], kit: str
) -> None:
    layers = named[f"{kit}: nested"]["layers"]
    for name in ("add", "add_1"):
        assert layers[name]
        assert {each.split("/")[0] for each in layers[name]} == {name}


@pytest.mark.parametrize("kit", KERASES)
def test_an_unrolled_layer_is_reached_by_its_name_with_all_its_steps(
    named: dict[str, Any], kit: str
) -> None:
    found = named[f"{kit}: recurrent"]
    steps = [name for name in found["operators"] if name.startswith("lstm/")]
    assert found["layers"]["lstm"] == steps
    assert [*steps, "dense"] == found["operators"]
    assert len(steps) > 10


@pytest.mark.parametrize("kit", KERASES)
def test_the_layers_of_a_subclassed_model_keep_the_scopes_of_its_code(
    named: dict[str, Any], kit: str
) -> None:
    found = named[f"{kit}: subclassed"]
    names = ["encoder/conv2d", "encoder/conv2d_1", "flatten", "dense"]
    assert found["operators"] == names
    assert found["layers"] == {name.split("/")[-1]: [name] for name in names}


def test_the_command_line_quantizes_the_layer_of_the_model_that_it_names(
    edgepack: Edgepack, tmp_path: Path
) -> None:
    folder = script("tests/named.py", tmp_path)
    data = ("--representative", folder / "data.npz", "--output", tmp_path / "out")
    for layer in ("conv2d", "conv2d_1"):
        done = edgepack(
            *("quantize", folder / "plain.keras", *data, "--force", "--layer", f"{layer}=int16")
        )
        assert done.returncode == 0, done.stderr
        rows = [line.split() for line in done.stdout.splitlines()]
        types = {row[0]: row[1] for row in rows if row[1:2] in (["int8"], ["int16"])}
        assert {name: types[name] for name in OWN} == dict.fromkeys(OWN, "int8") | {layer: "int16"}
