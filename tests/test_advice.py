"""Advice that messages give is followed, and the complaint is gone."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import click
import pytest
from conftest import ROOT, Edgepack, export

from edgepack.calibration.activations.observers import make_observer
from edgepack.checks.alternatives import _CURES, _VERSIONS, cure_of
from edgepack.checks.full_integer import nothing_is_left_in_float
from edgepack.checks.operators import operators_are_known
from edgepack.checks.type_combinations import combinations_are_run, combinations_come_out_right
from edgepack.cli import cli
from edgepack.compression.pruning.settings import Prune
from edgepack.config.compare import CompareConfig, NamedModel
from edgepack.config.compression_step import FineTune
from edgepack.config.export import ExportConfig
from edgepack.config.quantization import DENSE, SCHEMES, Quantization
from edgepack.config.validate import ValidateConfig
from edgepack.conversion.to_tflite import _explain
from edgepack.core.errors import ConfigError, TargetError
from edgepack.core.findings import Finding
from edgepack.devices.scheme_support import (
    require_supported,
    supporting_runtimes,
    supporting_targets,
    why_unsupported,
)
from edgepack.devices.target import load_target, target_names
from edgepack.pipeline.steps.job import require_data
from edgepack.runtimes.supported_operators import highest_version, measured_versions
from edgepack.tflite.graph import Operator
from edgepack.tflite.parser import read_tflite

CHECKS = (
    *(operators_are_known, combinations_are_run, combinations_come_out_right),
    nothing_is_left_in_float,
)
BOARD, PHONE, LINUX = "nano-33-ble-sense", "android-arm64", "linux-arm64"


def findings(file: Path, target_name: str) -> list[Finding]:
    model, target = read_tflite(file.read_bytes()), load_target(target_name)
    checks = CHECKS if target.quantization == "full-integer" else CHECKS[:-1]
    return list(chain.from_iterable(check(model, target) for check in checks))


@pytest.mark.parametrize(
    ("name", "target", "advice", "followed"),
    [
        ("float", BOARD, "edgepack export, or edgepack quantize --scheme int8", "int8"),
        ("dynamic-range", BOARD, "edgepack quantize --scheme int8, with a rep", "int8"),
        ("plain-dynamic-range", BOARD, "too: edgepack quantize --scheme int8", "int8"),
        ("float16", BOARD, "quantize to int8: edgepack quantize --scheme int8", "int8"),
        ("float-layer", BOARD, "leave --layer NAME=float out", "int8"),
        ("dynamic-range-per-channel", LINUX, "quantize with --dense per-tensor", "dynamic-range"),
        ("int4-per-channel", PHONE, "quantize with --dense per-tensor", "int4"),
        ("int4-per-channel", BOARD, "or keep weights in int8", "int8"),
        ("int8-and-int16", PHONE, "keep the whole model in one of the two", "int8"),
        ("int8-and-int16", PHONE, "keep the whole model in one of the two", "int16"),
    ],
)
def test_a_file_quantized_as_advised_passes(
    quantized: Path, name: str, target: str, advice: str, followed: str
) -> None:
    complaints = findings(quantized / f"{name}.tflite", target)
    assert any(advice in str(each.cure) for each in complaints)
    assert findings(quantized / f"{followed}.tflite", target) == []


ALTERNATIVES = {
    "BATCH_MATMUL": {"FULLY_CONNECTED"},
    "CONV_3D": {"CONV_2D"},
    "CONV_3D_TRANSPOSE": {"CONV_2D", "TRANSPOSE_CONV"},
    "FAKE_QUANT": {"QUANTIZE", "DEQUANTIZE"},
    "GELU": {"RELU", "HARD_SWISH", "MUL", "LOGISTIC"},
    "TILE": {"CONCATENATION", "ADD", "MUL"},
    "TOPK_V2": {"ARG_MAX"},
    "WHERE": {"SELECT_V2"},
}
"""The operators that each cure leads to; the others lead out of the model, or are unrolled."""

UNROLLED = {"FULLY_CONNECTED", "ADD", "MUL", "LOGISTIC", "TANH", "SPLIT", "UNPACK", "RESHAPE"}


@pytest.mark.parametrize("name", _CURES)
def test_interpreters_have_the_operators_that_are_advised(name: str) -> None:
    cure = _CURES[name]
    led_to = UNROLLED if "unroll" in cure else ALTERNATIVES.get(name, set())
    assert led_to or "application" in cure or "outside" in cure or "SPARSITY" in cure
    for interpreter in ("tflm", "litert", "tflite-runtime"):
        oldest = measured_versions(interpreter)[0]
        assert [op for op in led_to if not highest_version(interpreter, oldest, op)] == []


@pytest.mark.parametrize(("name", "version"), _VERSIONS)
def test_a_version_that_is_too_new_has_advice_of_its_own(name: str, version: int) -> None:
    operator = Operator(name=name, version=version, inputs=(), outputs=())
    assert cure_of(operator, version) == _VERSIONS[name, version]
    assert highest_version("litert", measured_versions("litert")[-1], name) >= version - 1


COMPLETE = ExportConfig(model=Path("m.h5"), output=Path("m"), representative="x.npz")


@pytest.mark.parametrize(
    ("config", "advice", "followed"),
    [
        ({"representative": None}, "give --representative", {"representative": "x.npz"}),
        (
            {"representative": None},
            "or --ranges",
            {"ranges": Path("calibration.json"), "test": "x.npz"},
        ),
        (
            {"observer": "mse", "ranges": Path("calibration.json")},
            "leave one of the two out",
            {"ranges": None},
        ),
        (
            {"observer": "mse", "ranges": Path("calibration.json")},
            "leave one of the two out",
            {"observer": "min-max"},
        ),
        (
            {"observer": "mse", "quantization": Quantization(scheme="float16")},
            "leave it out",
            {"observer": "min-max"},
        ),
        (
            {"ranges": Path("r.json"), "quantization": Quantization(scheme="float16")},
            "leave --ranges out",
            {"ranges": None},
        ),
        (
            {"representative": None, "quantization": Quantization(scheme="float16")},
            "give --test or --representative",
            {"test": "x.npz"},
        ),
    ],
)
def test_an_export_is_accepted_as_advised(
    config: dict[str, Any], advice: str, followed: dict[str, Any]
) -> None:
    refused = replace(COMPLETE, **config)
    with pytest.raises(ConfigError, match=re.escape(advice)):
        require_data(refused)
    require_data(replace(refused, **followed))


def by_scheme(name: str) -> dict[str, str]:
    return {"scheme": name}


@pytest.mark.parametrize(
    ("settings", "advice", "followed"),
    [
        (
            {"scheme": "float16", "input_type": "int8"},
            "choose the scheme int8, int16 or int4",
            [{"scheme": scheme} for scheme in ("int8", "int16", "int4")],
        ),
        ({"input_type": "int16"}, "needs the scheme int16", [{"scheme": "int16"}]),
        (
            {"scheme": "dynamic-range", "layers": (("a", "int8"),)},
            "can only be excluded, with float",
            [{"layers": (("a", "float"),)}],
        ),
        ({"scheme": "int9"}, "did you mean 'int8'? ", [{"scheme": "int8"}]),
        ({"scheme": "int9"}, f"choose one of {', '.join(SCHEMES)}", [*map(by_scheme, SCHEMES)]),
    ],
)
def test_settings_are_accepted_as_advised(
    settings: dict[str, Any], advice: str, followed: Iterable[dict[str, Any]]
) -> None:
    with pytest.raises(ConfigError, match=re.escape(advice)):
        Quantization(**settings)
    for changes in followed:
        Quantization(**settings | changes)


TUNED = {"compress": (Prune(sparsity=0.5, fine_tune=FineTune()),), "train": "x.npz"}
EXPORT = partial(ExportConfig, model=Path("m.h5"), output=Path("m"))
VALIDATE = partial(ValidateConfig, model=Path("m.tflite"))
QUANTIZED = NamedModel(path=Path("m.tflite"))
COMPARE = partial(CompareConfig, model=Path("m.h5"), candidates=(QUANTIZED,), test="x.npz")


@pytest.mark.parametrize(
    ("make", "settings", "advice", "followed"),
    [
        (EXPORT, TUNED | {"train": None}, "give --train", {"train": "x.npz"}),
        (EXPORT, TUNED | {"resume": True}, "give the --checkpoints", {"checkpoints": Path("c")}),
        (
            VALIDATE,
            {"targets": ()},
            "name at least one, such as 'android-arm64'",
            {"targets": (PHONE,)},
        ),
        (
            COMPARE,
            {"targets": ()},
            "name at least one, such as 'android-arm64'",
            {"targets": (PHONE,)},
        ),
        (COMPARE, {"candidates": ()}, "give at least one", {"candidates": (QUANTIZED,)}),
        (
            COMPARE,
            {"folds": 3, "candidates": (QUANTIZED,) * 2},
            "give one quantized file",
            {"candidates": (QUANTIZED,)},
        ),
        (COMPARE, {"folds": 1}, "at least 2 are needed", {"folds": 2}),
        (Prune, {"sparsity": 0.5, "threshold": 0.1}, "choose one", {"threshold": None}),
        (Prune, {"n_of_m": (2, 4), "block": (1, 4)}, "choose one", {"block": None}),
        (Prune, {"threshold": 0.1, "block": (1, 4)}, "choose one", {"block": None}),
        (
            Prune,
            {"threshold": 0.1, "fine_tune": FineTune()},
            "set a sparsity",
            {"threshold": None, "sparsity": 0.5},
        ),
    ],
)
def test_configurations_are_accepted_as_advised(
    make: Callable[..., object], settings: dict[str, Any], advice: str, followed: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match=re.escape(advice)):
        make(**settings)
    make(**settings | followed)


@pytest.mark.parametrize(
    ("name", "advice", "followed"),
    [
        ("percentile:x", "write percentile:NUMBER", "percentile:99"),
        ("mse:3", "write mse", "mse"),
        ("minmax", "did you mean 'min-max'", "min-max"),
    ],
)
def test_observers_are_accepted_as_advised(name: str, advice: str, followed: str) -> None:
    with pytest.raises(ConfigError, match=advice):
        make_observer(name)
    make_observer(followed)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("dense", [None, *DENSE])
def test_targets_and_interpreters_that_are_named_support_the_quantization(
    scheme: str, dense: str | None
) -> None:
    if scheme == "float16" and dense:
        return
    settings = Quantization(scheme=scheme, dense=dense)
    for target in supporting_targets(settings, target_names()):
        require_supported(settings, [target])
    for name in supporting_runtimes(settings):
        assert why_unsupported(settings, name) is None
    assert supporting_runtimes(settings)  # "edgepack quantize without --target runs it on ..."


@pytest.mark.parametrize("scheme", ["int4", "int16"])
def test_dense_layers_are_supported_without_per_channel(scheme: str) -> None:
    refused = Quantization(scheme=scheme, dense="per-channel")
    with pytest.raises(TargetError, match="leave --dense per-channel out"):
        require_supported(refused, [load_target(PHONE)])
    require_supported(replace(refused, dense=None), [load_target(PHONE)])


def test_a_state_that_is_passed_is_exported_and_one_that_is_kept_is_refused(
    edgepack: Edgepack, models: Path, tmp_path: Path
) -> None:
    done = edgepack(
        *("export", models / "stateful.h5", "--representative", models / "steps.npz"),
        *("--output", tmp_path / "kept"),
    )
    assert done.returncode == 1
    assert "the layer 'lstm' keeps a state from one inference to the next" in done.stderr
    assert "random" not in done.stderr
    passed = export(
        tmp_path / "passed",
        models / "states.h5",
        *("--representative", models / "states.npz"),
    )
    assert len(passed.report["comparison"]["outputs"]) == 3


def test_a_random_number_generator_is_told_from_the_state_of_a_layer() -> None:
    said = "Input 0 of node net/noise/AssignVariableOp was passed {} from net/noise/Read:0"
    assert "'noise' changes an integer variable" in _explain(ValueError(said.format("int64")))
    assert "'noise' keeps a state" in _explain(ValueError(said.format("float")))


def commands(group: click.Group) -> set[str]:
    return {
        name
        for command in group.commands.values()
        for option in command.params
        for name in (*option.opts, *option.secondary_opts)
    }


VALUES: dict[str, Callable[[str], object]] = {
    "--scheme": lambda value: Quantization(scheme=value),
    "--dense": lambda value: Quantization(dense=value),
    "--observer": make_observer,
}
ELSEWHERE = {
    *("--accelerator-config", "--system-config", "--memory-mode", "--output-dir"),
    *("--force-reinstall", "--version"),
}
"""Options of Vela, which edgepack runs, of pip and of compilers; what is emitted names others."""

OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z0-9-]+\w)(?: ([\w-]+))?")


def test_every_option_that_a_message_names_exists() -> None:
    known = commands(cli) | {"--help"}
    unknown, named = {}, set()
    files = {*ROOT.glob("edgepack/**/*.py"), *ROOT.glob("calibration/**/*.py")}
    for file in sorted(files - {*ROOT.glob("edgepack/emit/**/*.py")}):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
                continue
            for option, value in OPTION.findall(node.value):
                named.add(option)
                if option not in known | ELSEWHERE:
                    unknown[f"{file.relative_to(ROOT)}:{node.lineno}"] = option
                if option in VALUES and value in (*SCHEMES, *DENSE, "mse", "lp", "min-max"):
                    VALUES[option](value)
    assert unknown == {}
    assert len(named) > 30
