"""Models that the reference kernels reject fail on every target, unless the kernels are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from combinations import cases
from conftest import AVAILABLE
from convolutions import BOARD, PHONE, net, validated
from tiny import Value, one_operator

from edgepack import FirmwareConfig, InspectConfig, firmware, inspect
from edgepack.checks import documentation
from edgepack.checks.reference_refusal import contradictions, needs_litert_kernels
from edgepack.config.firmware import NamedModel
from edgepack.core.progress import ignore
from edgepack.pipeline.steps.run import Workload
from edgepack.pipeline.validation.reference_check import find_contradictions
from edgepack.runtimes import LITERT_KERNELS, REFERENCE
from edgepack.runtimes.installed import installed_runtimes
from edgepack.runtimes.processes import interpreters
from edgepack.runtimes.run_result import Run
from edgepack.tflite.parser import read_tflite

ONE = Value((1, 1, 1, 1), values=[1])


def with_too_large_stride(graph: Any) -> None:
    graph.operators[0].builtinOptions.strideH = 1000


def with_wider_input(graph: Any) -> None:
    graph.tensors[graph.inputs[0]].shape = [1, 8, 12, 3]


def test_a_model_that_tflm_runs_and_the_reference_kernels_reject_fails_everywhere(
    tmp_path: Path,
) -> None:
    report = validated(net(with_too_large_stride), tmp_path)
    assert report.runtimes["tflm"].failure is None
    assert not report.passed
    for name in (BOARD, PHONE):
        reasons = report.targets[name].verdict.reasons
        (reason,) = [each for each in reasons if "reject the model" in each]
        assert "of the layer 'deep'" in reason
    config = FirmwareConfig(
        models=(NamedModel(path=tmp_path / "model.tflite"),), target=BOARD, output=tmp_path / "out"
    )
    assert not firmware(config).passed


def test_shapes_that_do_not_follow_from_the_inputs_fail_everywhere(tmp_path: Path) -> None:
    report = validated(net(with_wider_input), tmp_path)
    assert not report.passed
    message = (
        "the tensor 'model/conv/Conv2D' has the shape [1, 6, 6, 4] in the file, but the operators"
        " compute 240 values"
    )
    for target in report.targets.values():
        assert any(message in reason for reason in target.verdict.reasons)
    assert validated(net(), tmp_path).passed


def test_dynamic_shapes_may_have_any_size(tmp_path: Path) -> None:
    shape, output = Value((2,), "int32", values=[4, 2]), Value((1, 1), signature=(-1, -1))
    data = one_operator("RESHAPE", [Value((1, 8)), shape], [output])
    assert validated(data, tmp_path, targets=(PHONE,)).passed


def test_a_valid_file_is_not_rejected_by_the_kernels_that_decide(tmp_path: Path) -> None:
    """Every case that a target's interpreter runs, and that does not contradict itself."""
    decided = 0
    with interpreters(AVAILABLE, jobs=2) as running:
        for name, case in cases().items():
            if name.endswith("unlike scales"):
                continue  # against the specification of int8: reference kernels may refuse it
            model = tmp_path / "one.tflite"
            model.write_bytes(case.data)
            runs = running.run(
                model=model, inputs={"x": case.inputs}, outputs=["y"], work=tmp_path, update=ignore
            )
            reference = runs.pop(REFERENCE.name, None)
            if needs_litert_kernels(reference) and any(
                run.failure is None for run in runs.values()
            ):
                decided += 1
                workload = Workload(
                    path=model,
                    model=read_tflite(case.data),
                    inputs={"x": case.inputs},
                    outputs=["y"],
                )
                findings = find_contradictions(running, workload, reference, tmp_path)
                assert findings == (), name
    assert decided >= 4


def test_an_operator_that_no_resolver_has_says_nothing_about_the_content(tmp_path: Path) -> None:
    custom = one_operator("Mine", [Value((1, 4))], [Value((1, 4))])
    newer = one_operator("CONV_2D", [Value((1, 1, 1, 1)), ONE], [Value((1, 1, 1, 1))], version=77)
    for data, expected in ((custom, []), (newer, ["no interpreter supports CONV_2D version 77"])):
        path = tmp_path / "one.tflite"
        path.write_bytes(data)
        shape = read_tflite(data).main.input_tensors[0].shape
        inputs = {"x": np.zeros((1, *shape[1:]), np.float32)}
        kernels = installed_runtimes([REFERENCE, LITERT_KERNELS])
        with interpreters(kernels) as running:
            finished = running.run(
                model=path, inputs=inputs, outputs=["y"], work=tmp_path, update=ignore
            )
        runs = [finished.get(each.name) for each in (REFERENCE, LITERT_KERNELS)]
        assert all(run is None or run.is_refused for run in runs)
        findings = contradictions(read_tflite(data), *runs)
        assert [finding.message for finding in findings] == expected


def test_a_limit_and_nan_are_no_rejection() -> None:
    model = read_tflite(net())
    stopped = Run(version="", failure="stopped after 1 s")
    refused = Run(version="", failure="no", is_refused=True)
    ran, resized = Run(version=""), Run(version="", resized={0: 7})
    assert not needs_litert_kernels(ran)
    assert all(map(needs_litert_kernels, (None, stopped, refused)))
    for first, second, count in (
        (ran, None, 0),
        (resized, None, 1),
        (None, ran, 0),
        (None, refused, 1),
        (stopped, stopped, 0),
        (stopped, refused, 1),
        (stopped, resized, 1),
        (refused, stopped, 0),
        (refused, ran, 0),
        (refused, refused, 1),
        (refused, None, 0),
    ):
        assert len(list(contradictions(model, first, second))) == count


def test_biases_of_2020_are_read_and_run_by_tflm_only(tmp_path: Path) -> None:
    def of_2020(graph: Any) -> None:
        for operator in graph.operators:
            graph.tensors[operator.inputs[2]].quantization.quantizedDimension = 3

    report = validated(net(of_2020), tmp_path)
    assert report.targets[BOARD].verdict.passed
    assert not report.targets[PHONE].verdict.passed
    assert inspect(InspectConfig(model=tmp_path / "model.tflite")).graphs[0].tensors[4].axis == 3


def test_the_rule_is_documented() -> None:
    assert "file_makes_sense" in documentation()
