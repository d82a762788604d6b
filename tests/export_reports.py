"""Example reports of exports, validations and firmware."""

from __future__ import annotations

from edgepack.checks import Result, Verdict
from edgepack.config.quantization import Quantization
from edgepack.core.findings import Finding
from edgepack.devices.target import load_target
from edgepack.evaluation.deviation import Deviation
from edgepack.evaluation.scores import Comparison, OutputComparison, Score
from edgepack.footprint import Arena, Footprint
from edgepack.report.data.export import (
    CalibrationReport,
    ExportReport,
    QuantizationReport,
    RuntimeReport,
    SparsityReport,
)
from edgepack.report.data.firmware import FirmwareReport, ModelReport
from edgepack.report.data.target import TargetReport
from edgepack.report.data.validate import RuntimeValidation, ValidateReport
from edgepack.runtimes.latency import Latency
from edgepack.storage.artifact import Artifact
from edgepack.tflite.sparsity import Sparsity

NANO = "nano-33-ble-sense"
SCORE = Score(value=0.9, agreement=0.99, sqnr_db=29.04, max_abs_error=0.155, mean_abs_error=0.01)
OUTPUT = OutputComparison(
    metric="accuracy", float_value=0.92, pruned=None, quantized={"tflm": SCORE}
)
DEVIATION = {"softmax": Deviation(max_lsb=0, mean_lsb=0.0, argmax_disagreements=0)}
INT8 = Quantization()


def on_nano(*reasons: str, arena: int = 22832) -> TargetReport:
    """Make the report of a board on which the model needs an arena and fails for these reasons."""
    findings = tuple(Finding(message=reason) for reason in reasons)
    footprint = Footprint(
        arena=Arena(planned=16000, scratch=0, persistent=6820, total=22820, least=arena),
        runtime_flash_bytes=87000,
        runtime_ram_bytes=2048,
        flash_bytes=134672,
        ram_bytes=arena + 2048,
        notes=(),
    )
    return TargetReport(
        target=load_target(NANO),
        verdict=Verdict(results=(Result(check="ram_fits", findings=findings),)),
        flash_bytes=134672,
        ram_bytes=arena + 2048,
        footprint=footprint,
    )


def comparison_of(output: OutputComparison = OUTPUT, samples: int = 400) -> Comparison:
    """Make the comparison of one output with float."""
    return Comparison(scheme="int8", data="test", samples=samples, outputs={"softmax": output})


def file(size: int) -> Artifact:
    """Make a file of some size."""
    return Artifact(bytes=size, sha256=f"{size:064x}")


EXPORT = ExportReport(
    model="kws",
    float_runtime="Keras",
    artifacts={"float.tflite": file(98888), "int8.tflite": file(47728)},
    quantization=QuantizationReport(settings=INT8, in_float=(), dense="per-channel"),
    comparison=comparison_of(),
    compression=(),
    calibration=CalibrationReport(observer="min-max", samples=100, growth=(), activations={}),
    runtimes={
        "tflm": RuntimeReport(version="1", deviations=DEVIATION, arena_bytes=22832, failure=None)
    },
    sparsity=SparsityReport(
        float=Sparsity(overall=0.5, layers={}), quantized=Sparsity(overall=0.5, layers={})
    ),
    targets={NANO: on_nano()},
    notes=(),
)
VALIDATION = ValidateReport(
    model="int8.tflite",
    artifact=file(47728),
    data="test",
    samples=400,
    comparison=comparison_of(),
    runtimes={
        "tflm": RuntimeValidation(
            version="1",
            failure=None,
            deviations=DEVIATION,
            latency=Latency(median_ms=2.6, p90_ms=2.7, runs=80, warm_up_runs=3, threads=1),
            latency_ratio=1.4,
            peak_memory_bytes=52 << 20,
        )
    },
    targets={NANO: on_nano()},
    notes=(),
)
MODEL = ModelReport(
    file="kws.tflite",
    artifact=file(53936),
    inputs=(),
    outputs=(),
    operators=("CONV_2D", "SOFTMAX"),
    arena_bytes=22848,
    ram_bytes=24896,
    vectors=4,
    data="random",
    target=on_nano(),
)
FIRMWARE = FirmwareReport(
    target=load_target(NANO),
    layout="cmake",
    models={"kws": MODEL},
    files={"kws/model.c": file(300000)},
    flash_bytes=141409,
)
