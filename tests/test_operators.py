"""Which operators interpreters support, and which versions a file needs by its content."""

from __future__ import annotations

import importlib.util
import json
import sys
from importlib.machinery import SourceFileLoader
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import MLPERF, ROOT, Bundle
from tiny import Tiny, Value, one_operator

from edgepack.checks.locations import places
from edgepack.checks.operators import data_types_are_taken, operators_are_known, operators_are_taken
from edgepack.core.errors import TargetError
from edgepack.core.findings import Finding
from edgepack.devices.target import Target, load_target, target_names
from edgepack.runtimes import RUNTIMES
from edgepack.runtimes.supported_operators import (
    first_release,
    from_json,
    highest_version,
    to_json,
    version_key,
)
from edgepack.tflite.graph import Model
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.required_op_versions import content_version, needed_version
from edgepack.tflite.rewrite import Rewrite

MICRO = "0.dev20261023182759"
PERMUTATION = Value((6,), "int32", values=range(6))


def target(**changes: Any) -> Target:
    values = {
        "name": "mine",
        "description": "",
        "kind": "board",
        "processor": "",
        "clock_mhz": 1.0,
        "sources": (),
        "interpreters": dict.fromkeys(RUNTIMES, "9"),
        "quantization": "any",
        "data_types": ("int8", "int32", "float32"),
    }
    return Target(**values | changes)


def read(path: Path) -> Model:
    return read_tflite(path.read_bytes())


def version_by_content(data: bytes) -> int:
    (place,) = places(read_tflite(data))
    return content_version(place.call)


def dense(
    activations: str = "float32",
    weights: str = "int8",
    *,
    scales: int = 4,
    version: int = 1,
    **more: Any,
) -> bytes:
    """Write a dense layer of 8 inputs and 4 outputs, asymmetric where activations are float."""
    scale = None if activations == "float32" else 0.1
    return one_operator(
        "FULLY_CONNECTED",
        [
            Value((1, 8), activations, scale),
            Value((4, 8), weights, [0.1] * scales, values=np.ones((4, 8)), **more),
            None,
        ],
        [Value((1, 4), activations, scale)],
        version=version,
        table="FullyConnectedOptions",
        asymmetricQuantizeInputs=activations == "float32",
    )


def test_the_table_agrees_with_the_installed_interpreters() -> None:
    loader = SourceFileLoader("operators", str(ROOT / "scripts" / "operators"))
    spec = importlib.util.spec_from_loader("operators", loader)
    assert spec
    script = importlib.util.module_from_spec(spec)
    loader.exec_module(script)
    some = ("ADD", "BROADCAST_TO", "FULLY_CONNECTED", "GELU", "STABLEHLO_ADD", "TILE", "VAR_HANDLE")
    measured = script.measure(sys.executable, [*some, "CUSTOM TFLM_DECODE", "CUSTOM Mfcc"])
    assert measured.keys() == {name for name, runtime in RUNTIMES.items() if runtime.version()}
    for name, versions in measured.items():
        for version, highest in versions.items():
            for operator, number in highest.items():
                known = highest_version(name, version, operator)
                assert (bool(known) == bool(number)) if name == "tflm" else (known == number)


def test_the_file_holds_only_changes_in_order() -> None:
    text = (ROOT / "edgepack" / "runtimes" / "operators.json").read_text()
    assert to_json(from_json(json.loads(text))) == text
    for versions in json.loads(text)["measured"].values():
        assert versions == sorted(versions, key=version_key)


def test_a_release_that_was_not_measured_counts_as_the_previous_one() -> None:
    assert highest_version("tflite-runtime", "2.14.0", "GELU") == 2
    assert highest_version("tflite-runtime", "2.14.0", "FULLY_CONNECTED") == 10
    assert highest_version("tflite-runtime", "2.12.5", "ADD") == 4
    assert highest_version("tflite-runtime", "3.0", "ADD") == 5
    assert highest_version("litert", "2.3.0", "CUSTOM FlexTile") == 0
    assert highest_version("tflm", MICRO, "GELU") == 0
    assert highest_version("tflm", MICRO, "FULLY_CONNECTED") > 100
    assert first_release("litert", "ADD", 6) == "2.1.6"
    assert first_release("tflm", "TILE", 1) is None


def test_a_release_older_than_all_measured_ones_is_an_error_that_names_them() -> None:
    with pytest.raises(
        TargetError, match=r"^tflite-runtime 2\.5\.0.*measured releases are 2\.7\.0, 2\.8"
    ):
        highest_version("tflite-runtime", "2.5.0.post1", "ADD")
    with pytest.raises(TargetError, match="version 'newest' of an interpreter: write it like"):
        highest_version("litert", "newest", "ADD")


def test_releases_sort_like_package_versions() -> None:
    ordered = [
        *("0.dev20231010131554", "0.dev20261023182759", "2.0.2.dev1", "2.0.2a1", "2.1.0rc1"),
        *("2.1.0", "2.1.0.post1", "2.1.4", "2.9.1", "2.14"),
    ]
    assert all(version_key(older) < version_key(newer) for older, newer in pairwise(ordered))
    assert version_key("2.14") == version_key("2.14.0")


@pytest.mark.parametrize(
    ("data", "version"),
    [
        (dense("float32", "float32", scales=0), 1),
        (dense("int8"), 4),
        (dense("int8", "int4"), 10),
        (dense(scales=1), 9),
        (dense(), 12),
        (dense("int16", "int4"), 13),
        (dense("float32", "float32", scales=0, is_sparse=True), 8),
        (one_operator("ADD", [Value((1,), "int8", 1.0)] * 2, [Value((1,), "int8", 1.0)]), 2),
        (one_operator("ADD", [Value((1,), "int16")] * 2, [Value((1,), "int16")]), 5),
        (one_operator("DEQUANTIZE", [Value((2, 2), "int8", [1, 2])], [Value((2, 2))]), 5),
        (one_operator("DEQUANTIZE", [Value((2, 2), "float16")], [Value((2, 2))]), 3),
        (one_operator("QUANTIZE", [Value((2,), "int8", 1)], [Value((2,), "int16", 1)]), 2),
        (one_operator("CAST", [Value((2,), "bfloat16")], [Value((2,))]), 7),
        (one_operator("TRANSPOSE", [Value((1,) * 6), PERMUTATION], [Value((1,) * 6)]), 6),
        (one_operator("MAXIMUM", [Value((1,) * 5), Value((1,))], [Value((1,) * 5)]), 3),
        (one_operator("WHERE", [Value((2,))], [Value((2, 1), "int64")]), 2),
        (one_operator("Mine", [Value((2,), "int8", 1)], [Value((2,), "int8", 1)]), 1),
        (one_operator("UNIQUE", [], []), 1),
    ],
)
def test_the_version_follows_from_the_content(data: bytes, version: int) -> None:
    assert version_by_content(data) == version


def test_versions_by_content_are_those_that_tensorflow_writes(
    cnn: Bundle, quantized: Path, models: Path
) -> None:
    files = [
        *(cnn.folder / name for name in ("float.tflite", "int8.tflite")),
        *(quantized / f"plain-{name}.tflite" for name in ("dynamic-range", "float16")),
        *(quantized / f"{name}.tflite" for name in ("float", "int8", "dynamic-range-per-channel")),
        models / "loop.tflite",
        *sorted(MLPERF.glob("*/reference_*.tflite")),
    ]
    highest: dict[tuple[str, str, int], int] = {}
    for path in files:
        for place in places(read(path)):
            operator = place.call.operator
            version = content_version(place.call)
            assert version <= operator.version, (path, operator)
            key = (path.stem, operator.name, operator.version)
            highest[key] = max(version, highest.get(key, 0))
    # A file declares one version for all uses of an operator: that of the most demanding one.
    lower = {key for key, version in highest.items() if version < key[2]}
    assert lower <= {("reference_float32", "FULLY_CONNECTED", 3)}  # by an old converter
    assert {("int8", "FULLY_CONNECTED", 4), ("int8", "CONV_2D", 3)} <= highest.keys()


def test_a_file_that_declares_version_1_throughout_is_judged_by_content(quantized: Path) -> None:
    for name in ("int8", "int4", "dynamic-range-per-channel", "float16"):
        declared = read(quantized / f"{name}.tflite")
        rewrite = Rewrite((quantized / f"{name}.tflite").read_bytes())
        for code in rewrite.model.operatorCodes:
            code.version = 1
        undeclared = read_tflite(rewrite.to_bytes())
        assert {place.call.operator.version for place in places(undeclared)} == {1}
        needed = [
            {p.operator: needed_version(p.call) for p in places(model)}
            for model in (declared, undeclared)
        ]
        assert needed[0] == needed[1]


def one(findings: Any) -> Finding:
    (finding,) = findings
    assert isinstance(finding, Finding)
    return finding


def test_an_operator_that_tflm_does_not_support_is_named_with_layer_and_cure() -> None:
    micro = target(interpreters={"tflm": MICRO, "litert": "2.3.0"})
    for operator, cure in (("GELU", "another activation"), ("TILE", "concatenate the tensor")):
        tiny = Tiny()
        tensors = [tiny.tensor(f"model/act_{i}/{operator}", Value((1, 4))) for i in range(9)]
        more = {"GELU": [], "TILE": [tiny.tensor("times", Value((2,), "int32", values=[1, 1]))]}
        for before, after in pairwise(tensors):
            tiny.operator(operator, [before, *more[operator]], [after])
        finding = one(
            operators_are_known(read_tflite(tiny.to_bytes(tensors[:1], tensors[-1:])), micro)
        )
        assert finding.message == f"tflm {MICRO} does not support {operator}"
        assert cure in str(finding.cure)
        assert finding.operator == operator
        assert finding.layer == "act_1, act_2, act_3, act_4, act_5 and 3 more"


def test_a_version_too_new_for_tflite_runtime_is_found_whatever_the_file_declares() -> None:
    old = target(interpreters={"tflite-runtime": "2.14.0", "litert": "2.3.0"})
    finding = one(operators_are_known(read_tflite(dense(version=12)), old))
    assert finding.message == (
        "FULLY_CONNECTED is needed in version 12; tflite-runtime 2.14.0 supports it up to 10"
    )
    assert finding.cure == "quantize with --dense per-tensor"
    assert finding.layer == "layer"
    undeclared = one(operators_are_known(read_tflite(dense(version=1)), old))
    assert undeclared.message.startswith(finding.message)
    assert "the file declares version 1, so it runs, possibly with wrong" in undeclared.message
    assert list(operators_are_known(read_tflite(dense(scales=1)), old)) == []


def test_the_oldest_release_decides_and_the_cure_names_one_that_supports_it() -> None:
    data = one_operator("GELU", [Value((1, 4))], [Value((1, 4))])
    old = target(interpreters={"tflite-runtime": "2.7.0"})
    finding = one(operators_are_known(read_tflite(data), old))
    assert finding.message == "tflite-runtime 2.7.0 does not support GELU"
    assert str(finding.cure).endswith("tflite-runtime supports it from 2.8.0 on")


def test_custom_operators_are_distinguished_from_builtin_ones() -> None:
    both = target(interpreters={"tflm": MICRO, "litert": "2.3.0"})
    flex = one_operator("FlexErf", [Value((1, 4))], [Value((1, 4))])
    findings = list(operators_are_known(read_tflite(flex), both))
    assert [finding.message for finding in findings] == [
        f"tflm {MICRO} does not support the custom operator FlexErf",
        "litert 2.3.0 does not support the custom operator FlexErf",
    ]
    assert "without SELECT_TF_OPS" in str(findings[0].cure)
    decode = one_operator("TFLM_DECODE", [Value((1, 4))], [Value((1, 4))])
    assert one(operators_are_known(read_tflite(decode), both)).message.startswith("litert")


def test_a_target_may_support_fewer_operators_and_data_types() -> None:
    model = read_tflite(dense("int16"))
    few = target(operators=("CONV_2D",))
    assert str(one(operators_are_taken(model, few))).startswith(
        "the target does not support FULLY_CONNECTED (layer); "
    )
    assert one(data_types_are_taken(model, target())).message == (
        "the target does not support int16 tensors, which FULLY_CONNECTED has"
    )
    assert list(data_types_are_taken(model, target(data_types=("int8", "int16")))) == []


def test_models_of_edgepack_and_mlperf_are_supported_everywhere(
    cnn: Bundle, quantized: Path
) -> None:
    files = [cnn.folder / "int8.tflite", quantized / "int8.tflite", quantized / "int16.tflite"]
    for path in (*files, *sorted(MLPERF.glob("*/reference_int8.tflite"))):
        model = read(path)
        for name in target_names():
            device = load_target(name)
            for check in (operators_are_known, data_types_are_taken):
                if device.accelerator is None:
                    assert list(check(model, device)) == [], (path, name)
