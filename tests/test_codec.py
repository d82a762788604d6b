"""Values survive the round trip through JSON; values that do not fit are rejected."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, is_dataclass, replace
from enum import Enum
from inspect import isfunction
from pathlib import Path
from random import Random
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest
import tiny
from conftest import PHONE
from export_reports import EXPORT, FIRMWARE, SCORE, VALIDATION

import edgepack
from edgepack.calibration.activations.observe_service import ObserveService
from edgepack.calibration.datasets.read_service import ReadService
from edgepack.calibration.lint import LintFinding
from edgepack.config.quantization import DENSE, LAYER_SCHEMES, Quantization
from edgepack.config.validate import ValidateConfig
from edgepack.core.codec import as_json, restore
from edgepack.core.errors import EdgepackError
from edgepack.evaluation.results import (
    Change,
    ClassResult,
    Distance,
    Interval,
    MetricResult,
    OutputResult,
    Shown,
    WorstSample,
)
from edgepack.footprint.allocations import Allocations
from edgepack.layer_errors.debug_service import DebugService
from edgepack.layer_errors.result import DebugReport, LayerFigures, LayerReport, WorstScore
from edgepack.layer_errors.result import LayerFinding as Cause
from edgepack.pipeline.steps.model_service import ModelSession
from edgepack.report.data.lint import LintReport
from edgepack.report.data.validate import ValidateReport
from edgepack.runtimes.latency import Latency
from edgepack.runtimes.run_service import RunService
from edgepack.storage.artifact import Artifact
from edgepack.storage.manifest import CalibrationSettings
from edgepack.workers.client import Limits
from edgepack.workers.sandbox import Sandbox

OUTPUT = OutputResult(
    metrics={
        "accuracy": MetricResult(
            name="accuracy",
            title="accuracy",
            unit="fraction",
            is_more_better=True,
            value=1,
            interval=Interval(low=0.9, high=1),
            change=Change(loss=-0.5, interval=None, detectable=None, only_float=0),
        )
    },
    classes=(ClassResult(name="\u2028<b>", samples=3, precision=None, recall=1, f1=1, roc_auc=1),),
    confusion=((0, 0, 3), (1, 0, 1), (1, 1, 2)),
    distance=Distance(
        agreement=1.0, kl_divergence=None, sqnr_db=40.5, max_abs_error=1e-30, mean_abs_error=0
    ),
    worst=(
        WorstSample(
            index=7,
            wanted=None,
            of_float=Shown(label="a", score=0.5),
            of_other=Shown(label=None, score=None),
            distance=0.1,
        ),
    ),
)
FIGURES = LayerFigures(
    name="conv",
    place=1,
    operator="CONV_2D",
    tensor="conv;relu",
    dtype="int8",
    sources=("input",),
    sqnr_db={"total": 30.1, "own": None},
    cosine=0.99,
    saturation=0.0,
    float_range=(-1.0, 1.5),
    bulk_range=(0, 1),
    quantized_range=None,
    best_range=(-1.0, 1.0),
    gain_db=0.0,
    scale=None,
    zero_point=-128,
    weight_dtype=None,
    weight_spread=2.5,
    histogram=(1, 2, 3),
)
DEBUGGED = DebugReport(
    model="m",
    data="test",
    samples=4,
    kernels="reference",
    outputs={"scores": SCORE},
    layers=(
        LayerReport(
            figures=FIGURES,
            alone=WorstScore(sqnr_db=None, agreement=1.0),
            share=0.5,
            finding=Cause(cause="clipping", why="it clips", cure="widen it"),
        ),
    ),
    unmatched=("gone",),
)
LINTED = LintReport(
    model="m",
    samples={"test": 3},
    witnesses={"test": ("a Rescaling layer",)},
    findings=(),
)


def as_read(report: Any) -> Any:
    """Return the JSON values that are read back from the file of a report."""
    return json.loads(json.dumps(asdict(report)))


def test_a_validation_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    end = tiny.Value((1, 4), "int8", 0.5)
    path.write_bytes(tiny.one_operator("RELU", [end], [end]))
    report = edgepack.validate(ValidateConfig(model=path, targets=("nano-33-ble-sense", PHONE)))
    assert {target.word for target in report.targets.values()} == {"passed"}
    back = restore(ValidateReport, as_read(report))
    assert back == report
    assert back.to_dict() == report.to_dict()


REPORTS = [OUTPUT, DEBUGGED, LINTED, VALIDATION, EXPORT, FIRMWARE]


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: type(report).__name__)
def test_reports_come_back_as_they_were(report: Any) -> None:
    back = restore(type(report), as_read(report))
    assert back == report
    assert repr(back) == repr(report)  # 1 is 1, and not 1.0


def test_findings_of_the_linter_come_back() -> None:
    hints = LintFinding.__annotations__
    finding = LintFinding(**dict.fromkeys(hints, "x"))
    report = replace(LINTED, findings=(finding,))
    assert restore(LintReport, as_read(report)) == report


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to every value in a JSON document."""
    yield path
    if isinstance(value, dict | list):
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in entries:
            yield from places(each, (*path, key))


def damaged(value: Any, path: tuple[Any, ...], wrong: Any) -> Any:
    """Replace the value at a path by a wrong one."""
    if not path:
        return wrong
    changed = copy.copy(value)
    changed[path[0]] = damaged(value[path[0]], path[1:], wrong)
    return changed


@pytest.mark.parametrize("report", [OUTPUT, DEBUGGED], ids=["OutputResult", "DebugReport"])
def test_wrong_types_are_refused_everywhere(report: Any) -> None:
    read = as_read(report)
    for path in places(read):
        for wrong in ({"odd": [[]]}, [[[]]], True):
            if path[-1:] == ("is_more_better",) and wrong is True:
                continue
            why = r"is expected|fits none|missing or unknown|argument"
            with pytest.raises(ValueError, match=why):
                restore(type(report), damaged(read, path, wrong))


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        (Interval, {"low": 1}, "missing or unknown: high"),
        (Interval, {"low": 1, "high": 2, "__class__": 3}, "missing or unknown: __class__"),
        (Interval, {"low": 1, "high": "2"}, "str, where int or float is expected"),
        (Interval, {"low": 1, "high": None}, "NoneType, where int or float is expected"),
        (Interval, [1, 2], "list, where dict is expected"),
        (Latency, as_read(Latency(median_ms=1, p90_ms=1, runs=1, warm_up_runs=1, threads=1))
         | {"runs": 1.5}, "float, where int is expected"),
        (Quantization, as_read(Quantization()) | {"scheme": "int3"}, "choose one of"),
        (Quantization, as_read(Quantization()) | {"layers": [["a"]]}, "argument"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(kind: type[Any], value: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        restore(kind, value)


SERVICES = (ModelSession, ReadService, ObserveService, RunService, DebugService)
KEPT = (LintReport, ValidateReport, DebugReport, OutputResult)


def within(hint: Any) -> Iterator[type[Any]]:
    """Yield the dataclasses in a type hint, but not those nested in them."""
    if is_dataclass(hint):
        yield hint
    for each in get_args(hint):
        yield from within(each)


def crossing() -> set[type[Any]]:
    """Collect the dataclasses that are sent to a worker process and back, or are stored."""
    methods = [
        method
        for service in SERVICES
        for name, method in vars(service).items()
        if isfunction(method) and (name == "__init__" or not name.startswith("_"))
    ]
    hints = [hint for method in methods for hint in get_type_hints(method).values()]
    sent = {kind for hint in hints for kind in within(hint)}
    return sent | {Limits, Sandbox, Allocations, CalibrationSettings, Artifact, *KEPT}


class NoSuchValueError(Exception):
    """JSON cannot represent the type of a hint."""


def anything(hint: Any, random: Random) -> Any:
    """Make a random value of the type of a hint."""
    if is_dataclass(hint):
        return any_dataclass(hint, random)
    if (origin := get_origin(hint)) is not None:
        return any_of(origin, get_args(hint), random)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return random.choice(list(hint))
    plain: dict[Any, Any] = {
        str: random.choice(["", "a/b", "\u2028<b>", "\x00", "\udcff"]),
        bool: random.random() < 0.5,
        int: random.choice([0, -1, 2**63]),
        float: random.choice([0.0, -1e-300, 0.1, 3, float("inf")]),
        NoneType: None,
        Path: Path(random.choice(["a", "/b/c", "\udcff"])),
        Any: random.choice([None, [1], {"a": "b"}]),
    }
    if hint not in plain:
        raise NoSuchValueError(hint)
    return plain[hint]


def any_dataclass(kind: type[Any], random: Random) -> Any:
    if kind is Quantization:  # not every string is a scheme
        layers = tuple((str(n), random.choice(LAYER_SCHEMES)) for n in range(random.randrange(3)))
        dense = random.choice([None, *DENSE])
        return Quantization(scheme=random.choice(["int8", "int4"]), layers=layers, dense=dense)
    hints = get_type_hints(kind)
    while True:
        with suppress(EdgepackError):  # raised by the class itself
            return kind(**{name: anything(each, random) for name, each in hints.items()})


def any_of(origin: Any, arguments: tuple[Any, ...], random: Random) -> Any:
    many = range(random.randrange(3))
    if origin in (Union, UnionType):
        for each in random.sample(arguments, len(arguments)):
            with suppress(NoSuchValueError):
                return anything(each, random)
    if origin is tuple and arguments[-1] is not Ellipsis:
        return tuple(anything(each, random) for each in arguments)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        pairs = ([anything(each, random) for each in arguments] for _ in many)
        return dict(pairs)
    if origin not in (list, tuple, Sequence):
        raise NoSuchValueError(origin)
    made = [anything(arguments[0], random) for _ in many]
    return made if origin is list else tuple(made)


@pytest.mark.parametrize("kind", sorted(crossing(), key=lambda kind: kind.__name__))
def test_what_is_sent_to_another_process_comes_back_unchanged(kind: type[Any]) -> None:
    for seed in range(50):
        made = anything(kind, Random(seed))
        back = restore(kind, json.loads(json.dumps(as_json(made))))
        assert back == made
        assert repr(back) == repr(made)


def test_whole_numbers_may_be_keys() -> None:
    hint = dict[int, tuple[int, ...]]
    assert restore(hint, json.loads(json.dumps(as_json({3: (1, 2), -1: ()})))) == {
        3: (1, 2),
        -1: (),
    }
    with pytest.raises(ValueError, match="invalid literal"):
        restore(hint, {"x": []})


@pytest.mark.parametrize("value", [b"x", {1, 2}, np.zeros(1), object()])
def test_what_json_cannot_represent_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot be represented in JSON"):
        as_json([value])


def test_hints_that_json_cannot_represent_are_refused() -> None:
    with pytest.raises(TypeError, match="a set cannot be represented in JSON"):
        restore(set[int], [1])


class Color(Enum):
    RED = "red"


@dataclass(frozen=True)
class Odd:
    """Hints of every kind."""

    color: Color
    path: Path
    anything: Any
    numbers: Sequence[int]
    names: list[str]
    table: Mapping[str, Interval | str]


def test_hints_of_every_kind() -> None:
    value = {
        "color": "red",
        "path": "a/b",
        "anything": [{"x": None}],
        "numbers": [1, 2],
        "names": ["a"],
        "table": {"a": "b", "c": {"low": 0, "high": 1}},
    }
    assert restore(Odd, value) == Odd(
        color=Color.RED,
        path=Path("a/b"),
        anything=[{"x": None}],
        numbers=(1, 2),
        names=["a"],
        table={"a": "b", "c": Interval(low=0, high=1)},
    )
    for key, wrong in {"color": "blue", "path": 3, "numbers": [True], "table": {"a": 1}}.items():
        with pytest.raises(ValueError, match=r"is expected|fits none|not a valid"):
            restore(Odd, value | {key: wrong})
