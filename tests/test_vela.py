"""Arm's compiler Vela compiles models for Ethos-U; its failures are findings."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from conftest import Bundle, reference_model

from edgepack.checks.delegation import npu_plan_fits, npu_takes_all
from edgepack.checks.evidence import Evidence
from edgepack.core.errors import MissingToolError, TargetError
from edgepack.core.packages import VELA
from edgepack.devices import ethos_u
from edgepack.devices.delegates import Undelegated
from edgepack.devices.ethos_u import Compilation, NpuPlan, compile_for
from edgepack.devices.target import load_target
from edgepack.tflite.graph import Graph, Model
from edgepack.workers.client import Limits

NPU = load_target("ethos-u55")
ACCELERATOR = "ethos-u55-128"
EMPTY = Model(subgraphs=(Graph(tensors=(), operators=(), inputs=(), outputs=()),))


@pytest.fixture
def installed() -> None:
    """Skip without Vela, but fail in CI, where it must be installed."""
    if message := VELA.missing():
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("name", ["kws", "ic", "ad"])
def test_the_npu_runs_every_operator_of_mlperf_tiny(name: str) -> None:
    model = reference_model(name).read_bytes()
    compiled = compile_for(ACCELERATOR, model)
    assert compiled.plan
    assert compiled.plan.left == ()
    # The activations alone take 16,000, 49,152 and 768 bytes.
    least = {"kws": 16_000, "ic": 49_152, "ad": 768}[name]
    assert least <= compiled.plan.sram_bytes <= 1.5 * least
    assert compiled.plan.cycles / compiled.plan.clock_hz == pytest.approx(compiled.plan.inference_s)
    evidence = Evidence(model=EMPTY, model_bytes=0, compilations={ACCELERATOR: compiled})
    assert not [*npu_takes_all(NPU, evidence), *npu_plan_fits(NPU, evidence)]


@pytest.mark.usefixtures("installed")
def test_what_stays_on_the_cpu_is_named_with_its_layer_and_the_reason(cnn: Bundle) -> None:
    compiled = compile_for(ACCELERATOR, (cnn.folder / "float.tflite").read_bytes())
    assert compiled.plan
    assert len(compiled.plan.left) == compiled.plan.operators
    assert compiled.plan.left[0].why == "Operation has tensor with unsupported DataType Float32"
    assert compiled.plan.left[0].layer
    quantized = compile_for(ACCELERATOR, (cnn.folder / "int8.tflite").read_bytes())
    assert quantized.plan
    assert not quantized.plan.left


@pytest.mark.usefixtures("installed")
def test_an_unknown_accelerator_is_refused(cnn: Bundle) -> None:
    data = (cnn.folder / "int8.tflite").read_bytes()
    with pytest.raises(TargetError, match="'ethos-u99'; Vela knows ethos-u55-32, ethos-u55-64"):
        compile_for("ethos-u99", data)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import os; os.kill(os.getpid(), 11)", "was killed by SIGSEGV"),
        ("raise RuntimeError('Compilation failed')", "fails: Compilation failed"),
        ("import sys; sys.exit(9)", "fails: status 9"),
        ("import time; time.sleep(9)", "took longer than 0.5 s"),
    ],
)
def test_a_vela_that_fails_is_a_finding(
    program: str, message: str, cnn: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ethos_u, "_BOOT", program)
    data = (cnn.folder / "int8.tflite").read_bytes()
    compiled = compile_for(ACCELERATOR, data, limits=Limits(time_s=0.5))
    assert compiled.plan is None
    assert compiled.failure == message
    evidence = Evidence(model=EMPTY, model_bytes=0, compilations={ACCELERATOR: compiled})
    (finding,) = [*npu_takes_all(NPU, evidence), *npu_plan_fits(NPU, evidence)]
    assert not finding.is_note
    assert message in finding.message


def test_without_vela_the_error_names_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ethos_u, "VELA", replace(VELA, module="no_such_module"))
    with pytest.raises(MissingToolError, match="pip install 'ethos-u-vela>="):
        compile_for(ACCELERATOR, b"")


def test_operators_left_are_a_note_and_a_plan_that_does_not_fit_is_a_failure() -> None:
    plan = NpuPlan(
        operators=9,
        left=(
            Undelegated(index=3, operator="GATHER", layer="embedding", why="Unsupported opType"),
        ),
        sram_bytes=1 << 21,
        file_bytes=1 << 21,
        cycles=1,
        inference_s=1.0,
        system="",
        clock_hz=1.0,
    )
    compiled = Compilation(accelerator=ACCELERATOR, version="5", plan=plan)
    evidence = Evidence(model=EMPTY, model_bytes=0, compilations={ACCELERATOR: compiled})
    (note,) = npu_takes_all(NPU, evidence)
    assert note.is_note
    assert note.layer == "embedding"
    assert note.message == (
        "the NPU runs 8 of 9 operators; the CPU runs GATHER (Unsupported opType)"
    )
    ram, flash = npu_plan_fits(NPU, evidence)
    assert not ram.is_note
    assert "2,097,152 of 1,572,864 bytes of RAM" in ram.message
    assert "2,097,152 of 1,572,864 bytes of flash" in flash.message
    assert not list(npu_takes_all(load_target("corstone-300"), evidence))
