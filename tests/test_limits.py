"""Interpreters run within limits of time and memory, and may crash without harm."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from conftest import AVAILABLE, Bundle, needs_tflite_runtime, python

from edgepack.core.errors import WorkerCrashError, WorkerLimitError
from edgepack.core.packages import Package
from edgepack.core.progress import ignore
from edgepack.runtimes import REFERENCE, RUNTIMES, Runtime
from edgepack.runtimes.failing_operator import RunOutcome, find_failing_operator
from edgepack.runtimes.latency import latencies
from edgepack.runtimes.processes import LIMITS, interpreters
from edgepack.runtimes.random_inputs import random_inputs
from edgepack.runtimes.run_result import Run
from edgepack.storage.arrays import Arrays
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.rewrite import Rewrite, quantization
from edgepack.workers.client import Limits, Worker

TFLITE, LITERT, TFLM = (RUNTIMES[name] for name in ("tflite-runtime", "litert", "tflm"))
NUMPY = Package(distribution="numpy", module="numpy", lost="")
SLEEPER = Runtime(name="sleeper", package=NUMPY, module="sleeper")
IMAGES = np.random.default_rng(0).integers(-128, 128, (4, 8, 8, 1), np.int8)


BLOCKED = "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])"


def serving(**limits: Any) -> Worker:
    return Worker("services:Service", label="the service", limits=Limits(**limits))


@pytest.mark.parametrize("method", ["sleep", "hang_in_native_code"])
def test_a_call_without_progress_is_stopped_and_the_limit_named(method: str) -> None:
    with serving(time_s=0.5) as worker:
        with pytest.raises(
            WorkerLimitError, match=rf"^the service was stopped after 0\.5 s in the step '{method}'"
        ) as stopped:
            worker.call(method)
        assert stopped.value.resource == "time"


@pytest.mark.parametrize("how", ["signal.signal(signal.SIGALRM, signal.SIG_IGN)", BLOCKED])
def test_time_is_limited_even_if_the_process_that_asks_ignores_the_signal(how: str) -> None:
    code = f"""
import signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from edgepack.workers.client import Limits, Worker
{how}
with Worker("services:Service", label="it", limits=Limits(time_s=0.5)) as worker:
    worker.call("sleep")
"""
    done = python("-c", code, timeout=60)
    assert "WorkerLimitError: it was stopped after 0.5 s in the step 'sleep'" in done.stderr


def test_a_call_that_reports_progress_goes_on() -> None:
    with serving(time_s=1.0) as worker:
        assert worker.call("work_for_long") == "done"
        time.sleep(1.1)  # the limit does not apply between calls
        assert worker.call("greet", name="you") == "hello you"


def test_memory_has_a_limit_that_is_named_and_the_worker_goes_on() -> None:
    with serving(memory_bytes=1 << 29) as worker:
        assert worker.call("take", size=1 << 20) == 1 << 20
        message = r"^the service cannot do the step 'take' within its memory limit of 512 MiB$"
        with pytest.raises(WorkerLimitError, match=message) as refused:
            worker.call("take", size=1 << 30)
        assert refused.value.resource == "memory"
        assert worker.call("greet", name="you") == "hello you"
        with pytest.raises(WorkerLimitError, match="within its memory limit"):
            worker.call("abort_without_memory")


def test_a_crash_names_its_signal_and_leaves_no_core_dump() -> None:
    with serving() as worker:
        assert worker.call("core_dump_bytes") == 0
        with pytest.raises(WorkerCrashError) as crash:
            worker.call("abort_without_memory")  # there is no limit that it could exceed
        assert crash.value.signal == "SIGABRT"


def run(
    model: bytes,
    work: Path,
    runtimes: Sequence[Runtime],
    inputs: Arrays | None = None,
    **options: Any,
) -> dict[str, Run]:
    path = work / "model.tflite"
    path.write_bytes(model)
    with interpreters(runtimes, **options) as running:
        return running.run(
            model=path,
            inputs=inputs or {"image": IMAGES},
            outputs=["scores"],
            work=work,
            update=ignore,
        )


def modified(cnn: Bundle, change: Callable[[Rewrite], None]) -> bytes:
    rewrite = Rewrite((cnn.folder / "int8.tflite").read_bytes())
    change(rewrite)
    return rewrite.to_bytes()


def without_beta(rewrite: Rewrite) -> None:
    rewrite.graph.operators[-1].builtinOptions.beta = 0.0


def test_a_crash_names_its_operator_and_the_others_go_on(cnn: Bundle, tmp_path: Path) -> None:
    runs = run(modified(cnn, without_beta), tmp_path, AVAILABLE)
    aborting = runs.keys() & {REFERENCE.name, "tflm"}
    for name in aborting:
        crash = runs[name].failing_operator
        assert crash is not None
        assert (runs[name].signal, crash.operator, crash.position) == ("SIGABRT", "SOFTMAX", 4)
        assert runs[name].failure == (
            f"{name} was killed by SIGABRT in SOFTMAX of the layer {crash.layer!r}"
        )
    for name in runs.keys() - aborting:
        assert runs[name].failure is None
        assert runs[name].outputs is not None


def without_kernel(rewrite: Rewrite) -> None:
    softmax = rewrite.graph.operators[-1]
    code = rewrite.model.operatorCodes[softmax.opcodeIndex]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.TILE
    shape = rewrite.add_tensor("multiples", [2], "int32", values=np.array([1, 1], np.int32))
    softmax.inputs = [softmax.inputs[0], shape]
    softmax.builtinOptions, softmax.builtinOptionsType = None, 0


def too_new(rewrite: Rewrite) -> None:
    rewrite.model.operatorCodes[rewrite.graph.operators[-1].opcodeIndex].version = 99


def with_dead_output(rewrite: Rewrite) -> None:
    index = rewrite.graph.operators[0].outputs[0]
    rewrite.graph.tensors[index].quantization.scale = np.array([7.8e-9], np.float32)


@pytest.mark.parametrize(
    ("change", "runtime", "operator", "message"),
    [
        (without_kernel, TFLM, "TILE", "Didn't find op for builtin opcode 'TILE'"),
        (too_new, LITERT, "SOFTMAX", "Registration failed."),
        pytest.param(
            *(too_new, TFLITE, "SOFTMAX", "Registration failed."), marks=needs_tflite_runtime
        ),
        (with_dead_output, LITERT, "CONV_2D", "failed to create XNNPACK runtime"),
    ],
)
def test_a_refusal_names_its_operator_and_layer(
    cnn: Bundle,
    tmp_path: Path,
    change: Callable[[Rewrite], None],
    runtime: Runtime,
    operator: str,
    message: str,
) -> None:
    (result,) = run(modified(cnn, change), tmp_path, [runtime]).values()
    refused = result.failing_operator
    assert refused is not None
    assert (result.signal, refused.operator) == (None, operator)
    assert str(result.failure).startswith(f"{operator} of the layer {refused.layer!r}: ")
    assert message in str(result.failure)


def test_no_operator_is_named_that_may_be_innocent(cnn: Bundle) -> None:
    model = (cnn.folder / "int8.tflite").read_bytes()

    def outcomes(*crashing: int, refused: int = -1) -> Callable[[bytes], RunOutcome]:
        def outcome(cut: bytes) -> RunOutcome:
            count = len(read_tflite(cut).main.operators)
            return RunOutcome.CRASHED if count in crashing else RunOutcome((count == refused) + 1)

        return outcome

    def position(
        model: bytes, outcome: Callable[[bytes], RunOutcome], time_s: float = 60.0
    ) -> int | None:
        failing_operator = find_failing_operator(model, outcome, RunOutcome.CRASHED, time_s)
        return None if failing_operator is None else failing_operator.position

    assert position(model, outcomes(1, 2, 3, 4, 5)) == 0
    assert position(model, outcomes(3, 4, 5)) == 2
    assert position(model, outcomes(5)) == 4
    assert position(model, outcomes()) is None
    assert position(model, outcomes(0, 1, 2, 3, 4, 5)) is None
    assert position(model, outcomes(3, 4, 5, refused=2)) is None
    assert position(model, outcomes(3, 4, 5), time_s=-1.0) is None
    assert position(model[:-1000], outcomes(5)) is None


def test_a_runtime_that_hangs_is_stopped_and_the_others_go_on(cnn: Bundle, tmp_path: Path) -> None:
    model = (cnn.folder / "int8.tflite").read_bytes()
    runs = run(model, tmp_path, [SLEEPER, TFLM], limits=Limits(time_s=1.5))
    assert runs["sleeper"].failure == "sleeper was stopped after 1.5 s in the step 'run'"
    assert (runs["sleeper"].signal, runs["sleeper"].failing_operator) == (None, None)
    assert runs["tflm"].outputs is not None
    assert (runs["tflm"].peak_memory_bytes or 0) > 10 << 20


def test_a_model_that_exceeds_the_memory_limit_fails_with_a_message(tmp_path: Path) -> None:
    runs = run(
        outer_sum(20_000),
        tmp_path,
        [each for each in AVAILABLE if each is not TFLITE],
        {"a": np.zeros((1, 20_000, 1), np.int8), "b": np.zeros((1, 1, 20_000), np.int8)},
        limits=Limits(memory_bytes=1 << 29),
    )
    for name, result in runs.items():
        assert result.failure is not None, name
        assert "memory limit" in result.failure
        assert "512 MiB" in result.failure


def outer_sum(size: int) -> bytes:
    """Write a model that adds each of ``size`` numbers to each of as many others."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [0, 1], [2]
    model.version, model.operatorCodes, model.buffers = 3, [], [schema.BufferT()]
    model.subgraphs = [graph]
    rewrite = Rewrite.__new__(Rewrite)
    rewrite.model, rewrite.graph = model, graph
    for name, shape in (("a", [1, size, 1]), ("b", [1, 1, size]), ("sum", [1, size, size])):
        rewrite.add_tensor(name, shape, "int8", quantization=quantization([0.1], [0]))
    graph.operators.append(rewrite.operator("ADD", 2, [0, 1], [2]))
    return rewrite.to_bytes()


def test_no_more_processes_run_at_a_time_than_jobs(cnn: Bundle, tmp_path: Path) -> None:
    model = (cnn.folder / "int8.tflite").read_bytes()
    pair = [SLEEPER, Runtime(name="other", package=NUMPY, module="sleeper")]
    started = time.monotonic()
    runs = run(model, tmp_path, pair, {"x": np.zeros((3, 1), np.int8)}, jobs=1)
    assert time.monotonic() - started > 6 * 0.15
    assert all(result.outputs is not None for result in runs.values())


def test_models_are_run_and_timed_in_one_pool(cnn: Bundle, tmp_path: Path) -> None:
    models = {name: cnn.folder / f"{name}.tflite" for name in ("float", "int8")}
    inputs = {
        name: random_inputs(read_tflite(path.read_bytes()), 3, 0, 1 << 20)
        for name, path in models.items()
    }
    on = [each for each in (REFERENCE, TFLM) if each in AVAILABLE]
    with interpreters(on, jobs=2, limits=LIMITS) as running:
        started = {
            name: running.start(
                model=path, inputs=inputs[name], outputs=["y"], work=tmp_path, update=ignore
            )
            for name, path in models.items()
        }
        measured = running.latencies(models=models, inputs=inputs, work=tmp_path, on=on)
        runs = {name: finish() for name, finish in started.items()}
    for name, dtype in (("float", "float32"), ("int8", "int8")):
        outputs = [result.outputs["y"] for result in runs[name].values() if result.outputs]
        assert [each.dtype for each in outputs] == [dtype] * len(on)
        np.testing.assert_allclose(outputs[0], outputs[-1], rtol=1e-5)
    assert measured.keys() == {"tflm"}  # the reference kernels are slow by design
    for latency in (each for by_model in measured.values() for each in by_model.values()):
        assert 0 < latency.median_ms <= latency.p90_ms
        assert latency.runs >= 10
        assert (latency.warm_up_runs, latency.threads) == (3, 1)


class ClockedModel:
    """A model whose runs advance a simulated clock by some seconds."""

    def __init__(self, clock: list[int], seconds: float) -> None:
        self.clock, self.seconds, self.runs = clock, seconds, 0

    def invoke_again(self) -> None:
        self.clock[0] += int(self.seconds * 1e9)
        self.runs += 1


@pytest.mark.parametrize(("seconds", "timed", "warm_up"), [(40.0, 1, 0), (6.0, 2, 0), (1.0, 10, 3)])
def test_slow_models_are_timed_in_fewer_runs(
    seconds: float, timed: int, warm_up: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0]
    monkeypatch.setattr("time.perf_counter_ns", lambda: clock[0])
    model, other = ClockedModel(clock, seconds), ClockedModel(clock, 0.01)
    latency, _ = latencies([model, other], 1, ignore)
    assert (latency.runs, latency.warm_up_runs) == (timed, warm_up)
    assert latency.median_ms == pytest.approx(seconds * 1000)
    assert model.runs <= 1.5 * (timed + warm_up) + 10
