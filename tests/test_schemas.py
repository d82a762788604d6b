"""The JSON Schemas of report.json: reports are valid, and every field is described."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from importlib.resources import files
from typing import Any, get_args, get_type_hints

import pytest
from comparison_reports import (
    LONG,
    complete_comparison,
    empty_comparison,
    metric,
)
from conftest import Bundle
from export_reports import EXPORT, SCORE
from jsonschema import Draft202012Validator, ValidationError

from edgepack.compression.pruning.settings import Pruning
from edgepack.compression.training.task import Trained
from edgepack.core.schema_version import SCHEMA
from edgepack.report.data.compare import CompareReport
from edgepack.report.data.compression import StepReport
from edgepack.report.data.export import ExportReport

WRITTEN_OTHERWISE = {
    # By to_dict: the results for a target without its definition, and settings in effect.
    "TargetReport": {"target", "ram_bytes"},
    "Target": None,
    "Score": {"class_losses"},
    "Verdict": {"results"},
    "Result": None,
    "Comparison": {"scheme"},
    "OutputComparison": {"float_value", "quantized"},
    "LayerReport": {"figures"},
    "QuantizationReport": {"settings"},
    "SparsityReport": {"float", "quantized"},
}
"""Fields that reports write in another way, by class; None for all of them."""


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        files("edgepack.report.data").joinpath(name).read_text("utf-8")
    )
    return found


def validator(name: str) -> Draft202012Validator:
    Draft202012Validator.check_schema(schema(name))
    return Draft202012Validator(schema(name))


COMPARISON, OF_EXPORT = validator("compare.schema.json"), validator("export.schema.json")


def as_json(report: CompareReport | ExportReport) -> Any:
    return json.loads(json.dumps(report.to_dict(), allow_nan=False))


@pytest.mark.parametrize(
    "report",
    [complete_comparison(), complete_comparison(LONG, 41), empty_comparison()],
    ids=["whole", "long", "bare"],
)
def test_a_comparison_fits_its_schema(report: CompareReport) -> None:
    COMPARISON.validate(as_json(report))


def test_a_comparison_without_finite_numbers_fits_its_schema() -> None:
    report = complete_comparison("m")
    stage = report.stages[-1]
    run = stage.runs["litert"]
    outputs = {
        name: replace(output, metrics={"accuracy": metric("accuracy", "error", None, None)})
        for name, output in run.outputs.items()
    }
    far = {
        name: replace(
            output,
            distance=output.distance and replace(output.distance, max_abs_error=float("inf")),
        )
        for name, output in outputs.items()
    }
    stages = (*report.stages[:-1], replace(stage, runs={"litert": replace(run, outputs=far)}))
    COMPARISON.validate(as_json(replace(report, stages=stages, budgets={})))


def test_an_export_fits_its_schema() -> None:
    OF_EXPORT.validate(as_json(EXPORT))
    trained = Trained(losses={"y": "mse"}, optimizer="adam", learning_rate=0.1, epochs=2)
    pruning = Pruning(way="wrappers", runtime="tf-keras", trained=trained, left_out={"a": "b"})
    steps = tuple(
        StepReport(technique="prune", stage=stage, record=pruning, outputs={"softmax": SCORE})
        for stage in ("pruned", "pruned 2")
    )
    for compression in (steps[:1], steps):
        OF_EXPORT.validate(as_json(replace(EXPORT, compression=compression, calibration=None)))


def test_a_real_export_fits_its_schema(pruned_digits: Bundle) -> None:
    OF_EXPORT.validate(pruned_digits.report)


@pytest.mark.parametrize("key", ["unknown", "stages", "schema"])
def test_unknown_fields_and_values_are_refused(key: str) -> None:
    report = as_json(complete_comparison("m"))
    report[key] = "something else"
    with pytest.raises(ValidationError):
        COMPARISON.validate(report)


def objects(node: Any) -> Iterator[dict[str, Any]]:
    """Return the objects that a schema describes field by field."""
    if isinstance(node, dict):
        if "properties" in node and isinstance(node["properties"], dict):
            yield node
        for each in node.values():
            yield from objects(each)
    elif isinstance(node, list):
        for each in node:
            yield from objects(each)


@pytest.mark.parametrize("name", ["compare.schema.json", "export.schema.json"])
def test_schemas_describe_every_field(name: str) -> None:
    for found in objects(schema(name)):
        assert found["description"]
        assert "additionalProperties" in found
        for field, described in found["properties"].items():
            assert described.get("description"), field


@pytest.mark.parametrize("name", ["compare.schema.json", "export.schema.json"])
def test_schemas_hold_the_version_that_is_written(name: str) -> None:
    versions = [
        found["properties"]["schema"]
        for found in objects(schema(name))
        if "schema" in found["properties"]
    ]
    assert versions
    assert all(each["const"] == SCHEMA for each in versions)


def classes(hint: Any) -> Iterator[type]:
    """Return the dataclasses in a type hint."""
    if isinstance(hint, type) and is_dataclass(hint):
        yield hint
    for each in get_args(hint):
        yield from classes(each)


@pytest.mark.parametrize(
    ("name", "root"),
    [("compare.schema.json", CompareReport), ("export.schema.json", ExportReport)],
)
def test_every_field_of_a_report_is_in_its_schema(name: str, root: type) -> None:
    described = [set(found["properties"]) for found in objects(schema(name))]
    todo, seen = [root], set()
    while todo:
        kind = todo.pop()
        otherwise = WRITTEN_OTHERWISE.get(kind.__name__, set())
        if kind in seen or otherwise is None:
            continue
        seen.add(kind)
        names = {field.name for field in fields(kind)} - otherwise
        assert any(names <= each for each in described), kind
        hints = get_type_hints(kind)
        todo += [
            inner
            for field in fields(kind)
            for inner in classes(hints[field.name])
            if field.name not in otherwise or kind.__name__ != "TargetReport"
        ]
    assert len(seen) > 10
