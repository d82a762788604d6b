"""Debug knows where a range comes from, and blames the samples only for what they gave."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from test_debug import BASE
from test_ranges import statistics
from test_scale_limits import WIDTH, Dense
from tiny import Value

from edgepack.calibration.activations.activation_statistics import Observed
from edgepack.calibration.activations.ranges import Calibration, choose_ranges
from edgepack.calibration.activations.scale_limits import usable_ranges
from edgepack.layer_errors.causes import LayerCase, diagnose
from edgepack.layer_errors.range_origins import RangeOrigin, range_origins
from edgepack.tflite.parser import read_tflite

CLIPPED = {"sqnr_db": BASE.sqnr_db | {"clipping": 10}, "quantized_range": (0, 30)}
LITTLE = {"float_range": (0, 5), "bulk_range": (0, 5)}
SEEN = RangeOrigin(asked=(0, 64), observed=(0, 64))


@pytest.mark.parametrize(
    ("changes", "origin", "cause", "why"),
    [
        (CLIPPED, replace(SEEN, clipped_by="MINIMUM"), "clipped", "clips them anyway"),
        (CLIPPED, SEEN, "range cut", "0 to 64, which TensorFlow's quantizer replaced"),
        (CLIPPED, replace(SEEN, asked=(0, 30)), "range too narrow", "observer left the outermost"),
        (LITTLE, replace(SEEN, no_finer_than="those of a"), "widened range", "than those of a"),
        (LITTLE, replace(SEEN, shares_with="c"), "range of another", "the range of c"),
    ],
)
def test_samples_are_not_blamed_for_a_range_that_comes_from_elsewhere(
    changes: dict[str, Any], origin: RangeOrigin, cause: str, why: str
) -> None:
    figures = replace(BASE, **changes)
    finding = diagnose(LayerCase(figures=figures, share=0.5, layers={"b": figures}, origin=origin))
    assert finding.cause == cause
    assert why in finding.why
    assert "calibrate" not in finding.cure


@pytest.mark.parametrize(("changes", "seen"), [(CLIPPED, (0, 30)), (LITTLE, (0, 64))])
def test_samples_are_blamed_for_ranges_that_they_gave(
    changes: dict[str, Any], seen: tuple[float, float]
) -> None:
    figures, origin = replace(BASE, **changes), RangeOrigin(asked=seen, observed=seen)
    finding = diagnose(LayerCase(figures=figures, share=0.5, layers={"b": figures}, origin=origin))
    assert finding.cure.startswith("calibrate with samples")


def test_ranges_are_traced_to_where_they_come_from() -> None:
    model = Dense()
    x = model.tensor("x", Value((1, WIDTH)))
    wide, small = model.layer(x, "wide"), model.layer(x, "small")
    joined = model.tensor("model/joined/concat", Value((1, 2 * WIDTH)))
    model.operator("CONCATENATION", [wide, small], [joined], table="ConcatenationOptions", axis=1)
    alike = model.apply("SUB", wide, wide, name="alike", table="SubOptions")
    clipped = model.apply("RELU", model.layer(x, "steep"), name="positive")
    bound = model.tensor("bound", Value((1,), values=[1.0]))
    least = model.apply("MINIMUM", clipped, bound, name="least", table="MaximumMinimumOptions")
    graph = read_tflite(model.to_bytes([x], [joined, alike, least])).main
    observed = Observed(
        samples=1,
        activations={
            name: statistics(*ends)
            for name, ends in {
                "x": (-1, 1),
                "model/wide/BiasAdd": (-1e6, 1e6),
                "model/small/BiasAdd": (-1, 1),
                "model/joined/concat": (-1e6, 1e6),
                "model/alike/Op": (-1e-3, 1e-3),
                "model/steep/BiasAdd": (-3, 3),
                "model/positive/Op": (0, 3),
                "model/least/Op": (0, 1),
            }.items()
        },
        growth=(),
    )
    chosen = choose_ranges(graph, observed, "min-max")
    calibration = Calibration(ranges=usable_ranges(graph, chosen), observed=observed, chosen=chosen)
    origins = range_origins(graph, calibration)
    assert origins["x"] == RangeOrigin(asked=(-1, 1), observed=(-1, 1))
    assert origins["small"].shares_with == "wide"
    assert origins["positive"].clipped_by == "MINIMUM"
    assert origins["alike"].no_finer_than == (
        "SUB can compute from the steps of wide, whose range is -1e+06 to 1e+06"
    )
    assert {name for name, each in origins.items() if each.no_finer_than} == {"alike"}
