"""A target is a file."""

from __future__ import annotations

import pytest

from edgepack.errors import TargetError
from edgepack.runtimes import RUNTIMES
from edgepack.target import load_target, parse_target, target_names

GOOD = """
description = "d"
kind = "phone"
interpreters = ["litert"]
source = "s"
"""


@pytest.mark.parametrize("name", target_names())
def test_every_target_file_loads_and_names_known_interpreters(name: str) -> None:
    target = load_target(name)
    assert target.name == name
    assert set(target.interpreters) <= set(RUNTIMES)
    assert target.source


def test_a_microcontroller_states_its_memory() -> None:
    for target in map(load_target, target_names()):
        if target.kind == "microcontroller":
            assert target.flash_bytes
            assert target.ram_bytes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "flash_byte = 1", "unknown key 'flash_byte'"),
        (GOOD.replace('source = "s"', ""), "the key 'source' is missing"),
        (GOOD.replace("phone", "toaster"), "kind 'toaster' is not one of"),
        (GOOD.replace('["litert"]', '["tflite"]'), "unknown interpreter 'tflite'"),
        (GOOD.replace('["litert"]', '"litert"'), "'interpreters' must be a list of texts"),
        (GOOD + "ram_bytes = 'much'", "'ram_bytes' must be a whole number"),
        ("kind = ", "not valid TOML"),
    ],
)
def test_a_malformed_target_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(TargetError, match="target 'mine'") as error:
        parse_target("mine", text)
    assert said in str(error.value)


def test_an_unknown_target_gets_the_nearest_name() -> None:
    with pytest.raises(TargetError, match="did you mean 'cortex-m4'"):
        load_target("cortex-m5")
