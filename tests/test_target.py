"""Targets are read from TOML files, by name or by path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import Edgepack

from edgepack.config.budgets import Budgets
from edgepack.core.errors import TargetError
from edgepack.devices.target import (
    ACCELERATORS,
    DATA_TYPES,
    load_target,
    load_targets,
    parse_target,
    target_names,
)
from edgepack.runtimes import RUNTIMES

GOOD = """
description = "d"
kind = "phone"
processor = "p"
clock_mhz = 1000
sources = ["s"]
quantization = "any"
data_types = ["int8"]
interpreters = { litert = "2.3.0" }
"""


@pytest.mark.parametrize("name", target_names())
def test_every_target_file_loads_and_names_where_its_figures_come_from(name: str) -> None:
    target = load_target(name)
    assert target.name == name
    assert set(target.interpreters) <= set(RUNTIMES)
    assert all(source.strip() for source in target.sources)
    assert target.sources
    if target.kind == "microcontroller":
        assert target.model_flash_bytes is not None
        assert target.flash_bytes is not None
        assert 0 < target.model_flash_bytes < target.flash_bytes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "flash_byte = 1", "unknown key 'flash_byte'"),
        (GOOD.replace('sources = ["s"]', ""), "the key 'sources' is missing"),
        (GOOD.replace("phone", "toaster"), "kind 'toaster': choose one of phone"),
        (GOOD.replace('"any"', '"int7"'), "quantization 'int7': choose one of full-integer, any"),
        (GOOD.replace("litert", "tflite"), "unknown interpreter 'tflite'"),
        (GOOD.replace('{ litert = "2.3.0" }', '"litert"'), "'interpreters' must be a table"),
        (GOOD.replace('{ litert = "2.3.0" }', "{}"), "no interpreter"),
        (GOOD + "ram_bytes = 'much'", "'ram_bytes' must be a whole number"),
        (GOOD + "ram_bytes = 0", "ram_bytes 0: must be greater than 0"),
        (GOOD + "application_ram_share = 1.0", "must be a fraction, 0 or greater and less than 1"),
        (GOOD + "delegates = ['tpu']", "unknown delegate 'tpu'"),
        (GOOD.replace("phone", "microcontroller"), "the key 'kernels' is missing"),
        (
            GOOD + "[budgets]\nmax_drops = 1",
            "did you mean 'max_drop'? [budgets] knows the keys",
        ),
        (GOOD + "[budgets]\nmax_drop = -1", "max_drop -1.0: must be 0 or greater"),
        (GOOD + "budgets = 3", "'budgets' must be a table"),
        ("kind = ", "not valid TOML"),
        ("a" + ".a" * 200_000 + " = 1", "not valid TOML: a key is nested too deeply"),
        ('"a"' + ' . "a"' * 200_000 + " = 1", "not valid TOML: a key is nested too deeply"),
        (GOOD.replace("2.3.0", "abc"), "litert 'abc' is not a release from 1.0.1 to 2.3.0"),
        (GOOD.replace("2.3.0", "0.9"), "litert '0.9' is not a release from"),
        (GOOD.replace("2.3.0", "99.0"), "litert '99.0' is not a release from"),
        (GOOD.replace("2.3.0", "9" * 5000), "is not a release from 1.0.1 to 2.3.0"),
        (GOOD + "accelerator = 'ethos-u99'", "accelerator 'ethos-u99': did you mean 'ethos-u55-"),
        (GOOD + "accelerator = ''", "accelerator '': choose one of"),
        (GOOD + "operators = ['CONV2D']", "unknown operator 'CONV2D': no interpreter supports it"),
        (GOOD.replace('["int8"]', '["int9"]'), "unknown data type 'int9'"),
        (GOOD.replace('["int8"]', "[]"), "data_types []: must have at least one entry"),
        (GOOD.replace('["s"]', '["s", " "]'), "sources ['s', ' ']: must have at least one entry"),
        (GOOD.replace('"d"', '""'), "description is empty"),
        (GOOD.replace('"p"', '" "'), "processor is empty"),
        (GOOD + "kernels = 'cmsis-nn'", "belong to tflm, which is not among the interpreters"),
        (
            GOOD + "layout = 'make'",
            "layout 'make': did you mean 'cmake'? choose one of cmake, arduino, esp-idf, zephyr",
        ),
        (GOOD + "layout = 'cmake'", "the target has no kernels: leave layout out"),
    ],
)
def test_a_malformed_target_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(TargetError, match="target 'mine'") as error:
        parse_target("mine", text)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("name", "layout"),
    [("nano-33-ble-sense", "arduino"), ("esp32-s3", "esp-idf"), ("nrf5340", "zephyr")],
)
def test_devices_with_their_own_build_system_name_its_layout(name: str, layout: str) -> None:
    assert load_target(name).layout == layout


def test_a_users_target_is_found_by_path_and_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "edgepack" / "targets"
    folder.mkdir(parents=True)
    (folder / "my-board.toml").write_text(GOOD + "[budgets]\nmax_arena = 20000")
    by_path = load_target(str(folder / "my-board.toml"))
    assert (by_path.name, by_path.budgets) == ("my-board", Budgets(max_arena=20000))

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert "my-board" in target_names()
    assert load_target("my-board") == by_path
    with pytest.raises(TargetError, match="no such target file"):
        load_target("./gone.toml")
    with pytest.raises(TargetError, match="'all' stands for every target: rename the file"):
        parse_target("all.toml", GOOD)


def test_an_invalid_users_target_is_reported_with_its_path_and_the_others_are_listed(
    tmp_path: Path, edgepack: Edgepack
) -> None:
    folder = tmp_path / "edgepack" / "targets"
    folder.mkdir(parents=True)
    for name, text in (("bad", "kind = 1"), ("good", GOOD), (".hidden", "kind = 1")):
        (folder / f"{name}.toml").write_text(text)
    done = edgepack("targets", env=os.environ | {"XDG_CONFIG_HOME": str(tmp_path)})
    assert done.returncode == 2
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert names == sorted({*target_names(), "good"})
    assert done.stderr == (
        f"error: target '{folder / 'bad.toml'}': the key 'description' is missing\n"
    )


def test_accelerators_and_data_types_are_those_of_vela_and_of_the_schema() -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    assert {name.lower() for name in vars(schema.TensorType) if name[0] != "_"} == {*DATA_TYPES}
    vela = pytest.importorskip("ethosu.vela.architecture_features")
    assert tuple(each.value for each in vela.Accelerator) == ACCELERATORS


def test_an_unknown_target_gets_the_nearest_name() -> None:
    with pytest.raises(TargetError, match="did you mean 'stm32f746'"):
        load_target("stm32f764")


def test_the_checks_are_listed_with_their_rules(edgepack: Edgepack) -> None:
    output = edgepack("targets", "--checks").stdout
    assert "flash_fits\n    The model and the runtime fit into the flash" in output


def test_two_targets_of_one_name_are_refused_until_one_is_left_out_or_renamed(
    tmp_path: Path,
) -> None:
    mine = tmp_path / "rp2040.toml"
    mine.write_text(GOOD)
    for other in ("rp2040", str(mine)):
        with pytest.raises(TargetError, match="'rp2040': leave one out, or rename its file"):
            load_targets(["rp2040", other])
        load_targets([other])
    renamed = mine.rename(tmp_path / "mine.toml")
    load_targets(["rp2040", str(renamed)])
