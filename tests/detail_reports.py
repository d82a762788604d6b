"""Example reports of a comparison's details: validation and layer errors."""

from __future__ import annotations

from collections.abc import Sequence

from edgepack.checks import Result, Verdict
from edgepack.core.findings import Finding as CheckFinding
from edgepack.devices.target import load_target
from edgepack.evaluation.deviation import Deviation
from edgepack.evaluation.scores import Score
from edgepack.footprint import Arena, Footprint
from edgepack.layer_errors.result import (
    DebugReport,
    LayerFigures,
    LayerFinding,
    LayerReport,
    WorstScore,
)
from edgepack.report.data.target import TargetReport
from edgepack.report.data.validate import RuntimeValidation, ValidateReport
from edgepack.runtimes.latency import Latency
from edgepack.storage.artifact import Artifact

NANO = "nano-33-ble-sense"
SCORES = "scores"
"""The output with class scores."""


def file(size: int) -> Artifact:
    """Make a file of some size."""
    return Artifact(bytes=size, sha256=f"{size:064x}")


def validation(name: str, runtimes: Sequence[str], size: int) -> ValidateReport:
    """Make a validation on a board, which fails, and on a phone, which was not checked."""
    board = TargetReport(
        target=load_target(NANO),
        verdict=Verdict(
            results=(
                Result(
                    check="ram_fits",
                    findings=(CheckFinding(message=f"{name} is too large", cure="prune it"),),
                ),
                Result(
                    check="flash_fits",
                    findings=(CheckFinding(message=name, layer=name, is_note=True),),
                ),
                Result(check="xnnpack_takes_all", findings=(), why_not="it has no XNNPACK"),
            )
        ),
        flash_bytes=size + 87_000,
        ram_bytes=24_896,
        footprint=Footprint(
            arena=Arena(planned=16_000, scratch=0, persistent=6_820, total=22_820, least=22_832),
            runtime_flash_bytes=87_000,
            runtime_ram_bytes=2_048,
            flash_bytes=size + 87_000,
            ram_bytes=24_880,
            notes=(),
        ),
    )
    phone = TargetReport(
        target=load_target("android-arm64"),
        verdict=Verdict(results=(), missing=(f"{name} is not installed",)),
        flash_bytes=size,
        ram_bytes=None,
        footprint=None,
    )
    return ValidateReport(
        model=name,
        artifact=file(size),
        data="random",
        samples=3,
        comparison=None,
        runtimes={
            runtime: RuntimeValidation(
                version="1",
                failure=None,
                deviations={SCORES: Deviation(max_lsb=1, mean_lsb=0.1, argmax_disagreements=0)},
                latency=Latency(median_ms=2.6, p90_ms=2.7, runs=80, warm_up_runs=3, threads=1),
                latency_ratio=1.4,
                peak_memory_bytes=52 << 20,
            )
            for runtime in runtimes
        },
        targets={NANO: board, "android-arm64": phone},
        notes=(f"{name} was not compared",),
    )


def layers(name: str, count: int = 12) -> DebugReport:
    """Make the errors of some layers, half of them in float, the worst first."""
    return DebugReport(
        model=name,
        data="test",
        samples=64,
        kernels="optimized",
        outputs={
            SCORES: Score(
                value=None, agreement=0.98, sqnr_db=29.0, max_abs_error=1, mean_abs_error=0.1
            )
        },
        layers=tuple(_layer(f"{name}{index}", index) for index in reversed(range(count))),
        unmatched=(name,),
        notes=(f"a note of {name}",),
    )


def _layer(name: str, place: int) -> LayerReport:
    is_float = bool(place % 2)
    ends = (-1.0, 2.0)
    return LayerReport(
        figures=LayerFigures(
            name=name,
            place=place,
            operator="CONV_2D",
            tensor=name,
            dtype="float32" if is_float else "int8",
            sources=(name,),
            sqnr_db={"total": None if is_float else 30.0 - place, "own": 40.0},
            cosine=0.99,
            saturation=0.01,
            float_range=ends,
            bulk_range=ends,
            quantized_range=None if is_float else (-0.5, 1.5),
            best_range=None,
            gain_db=0.0,
            scale=None if is_float else 0.01,
            zero_point=None if is_float else 3,
            weight_dtype=None,
            weight_spread=None,
            histogram=tuple(range(64)),
        ),
        alone=WorstScore(sqnr_db=30.0, agreement=0.99),
        share=place / 20,
        finding=LayerFinding(cause="clipping", why=f"{name} is clipped", cure=f"widen {name}"),
    )
