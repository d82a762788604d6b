"""A constant that only has to be low or high enough does not set a scale."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fills
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from conftest import INTERPRETERS, Edgepack, export, only

from edgepack.calibration.activations.fill_search import find_limits
from edgepack.calibration.activations.ranges import load_constants
from edgepack.calibration.activations.saturating_constants import FillLimits, limit_constants
from edgepack.calibration.activations.saturation import find_facts
from edgepack.core.errors import CalibrationError
from edgepack.core.progress import ignore
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.rewrite import Rewrite

COUNT = 60
TOLERANCE = 1e-6


def limits_of(model: bytes, arrays: list[np.ndarray], work: Path) -> FillLimits:
    paths = []
    for number, array in enumerate(arrays):
        paths.append(str(work / f"{number}.npy"))
        np.save(paths[-1], array)
    return find_limits(
        model, paths, samples=len(arrays[0]), work=work, update=ignore, verbose=False
    )


def run(model: bytes, arrays: list[np.ndarray]) -> np.ndarray:
    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    outputs = []
    for row in range(len(arrays[0])):
        for details, array in zip(interpreter.get_input_details(), arrays, strict=True):
            interpreter.set_tensor(details["index"], array[row : row + 1])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    return np.concatenate(outputs)


def constants(model: bytes) -> np.ndarray:
    """Return the values of all float constants."""
    rewrite = Rewrite(model)
    arrays = [rewrite.values(index) for index in range(len(rewrite.graph.tensors))]
    return np.concatenate(
        [each.ravel() for each in arrays if each is not None and each.dtype == np.float32]
    )


@pytest.mark.parametrize(
    ("kind", "fill"),
    [
        *((kind, fill) for kind in ("added", "padded") for fill in (-1e4, -np.inf, fills.LOWEST)),
        *((kind, -1e9) for kind in fills.CLIPPED),
    ],
)
def test_a_fill_is_clipped_to_what_is_enough_and_the_float_model_computes_the_same(
    kind: str, fill: float, tmp_path: Path
) -> None:
    model = fills.CLIPPED[kind](fill)
    limits = limits_of(model, fills.samples(kind, COUNT, seed=1), tmp_path)
    clipped = limit_constants(model, limits.constants)
    assert np.abs(constants(clipped)).max() < 100
    others = fills.samples(kind, COUNT, seed=2)
    outputs, again = run(model, others), run(clipped, others)
    # The bounds of a clamp are only known to be beyond the values that were seen.
    tolerance = 0.1 if kind == "clamped" else TOLERANCE
    assert np.abs(outputs - again).max() <= tolerance * np.abs(outputs).max()
    assert limits.notes
    assert all("cannot tell the two apart" in note for note in limits.notes)


@pytest.mark.parametrize("kind", fills.LEFT)
def test_a_fill_that_reaches_an_output_or_a_weighted_sum_is_left(kind: str, tmp_path: Path) -> None:
    model = fills.LEFT[kind](-1e9)
    assert limits_of(model, fills.samples(kind, COUNT, seed=1), tmp_path) == FillLimits()


def test_a_fill_whose_clipping_would_change_the_outputs_is_left_and_that_is_said(
    tmp_path: Path,
) -> None:
    model = fills.wholly_masked(-1e9, rows=2)
    limits = limits_of(model, fills.samples("added", COUNT, seed=1), tmp_path)
    assert limits.constants == {}
    (note,) = limits.notes
    assert note.startswith("the constant -1e+09 of ADD 'add_6' is quantized as it is, which makes")
    assert "it changes outputs on the representative dataset by 0." in note


def test_one_fill_that_must_be_left_does_not_keep_others_from_being_clipped(
    tmp_path: Path,
) -> None:
    model = fills.wholly_masked(-1e9, rows=2, clamped=True)
    limits = limits_of(model, fills.samples("added", COUNT, seed=1), tmp_path)
    assert len(limits.constants) == 1
    assert [("is quantized as it is" in note, "MINIMUM" in note) for note in limits.notes] == [
        (False, True),
        (True, False),
    ]


def test_a_mask_that_leaves_nothing_is_left(tmp_path: Path) -> None:
    model = fills.wholly_masked(-1e9)
    assert limits_of(model, fills.samples("added", COUNT, seed=1), tmp_path).constants == {}


def test_a_fill_that_is_not_much_larger_than_the_values_is_left(tmp_path: Path) -> None:
    arrays = [20 * each for each in fills.samples("added", COUNT, seed=1)]
    limits = limits_of(fills.added(-150.0), arrays, tmp_path)
    assert (limits.constants, limits.notes) == ({}, ())


def test_without_a_masked_sample_a_fill_is_left(tmp_path: Path) -> None:
    x, mask = fills.samples("multiplied", COUNT, seed=1)
    limits = limits_of(fills.multiplied(-1e9), [x, np.ones_like(mask)], tmp_path)
    assert limits.constants == {}


def test_models_without_fills_are_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise AssertionError

    monkeypatch.setattr("edgepack.calibration.activations.fill_search.Worker", refuse)
    model = fills.added(-1.0)
    assert limits_of(model, fills.samples("added", 2, seed=1), tmp_path) == FillLimits()


def test_the_notes_name_the_layer_both_values_and_the_operator(tmp_path: Path) -> None:
    limits = limits_of(fills.added(-1e9), fills.samples("added", COUNT, seed=1), tmp_path)
    (note,) = limits.notes
    (constant,) = limits.constants.values()
    assert note == (
        f"the constant -1e+09 of ADD 'add_4' is {constant.min:.4g} in the quantized model: SOFTMAX"
        " cannot tell the two apart, and the larger one would make the scale coarse"
    )


def test_each_side_is_explained_by_the_operator_that_saturates_there(tmp_path: Path) -> None:
    limits = limits_of(fills.clamped(-1e9), fills.samples("clamped", COUNT, seed=1), tmp_path)
    below, above = limits.notes
    assert "1e+09 of MINIMUM" in below
    assert ": MINIMUM cannot tell" in below
    assert "-1e+09 of MAXIMUM" in above
    assert ": MAXIMUM cannot tell" in above


@pytest.mark.parametrize("seed", range(20))
def test_facts_are_those_of_ordinary_values_alone(seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(scale=10.0 ** random.integers(-3, 12), size=random.integers(1, 20))
    special = random.choice([0.0, np.inf, -np.inf, np.nan, fills.LOWEST], size=3)
    array = np.concatenate([values, special]).astype(np.float32)
    ordinary = [float(each) for each in array if abs(each) < 1e6]
    facts = find_facts(array, 1e6)
    assert facts.is_known == bool(ordinary)
    assert facts.low == min(ordinary, default=np.inf)
    assert facts.high == max(ordinary, default=-np.inf)
    assert facts.positive == min((each for each in ordinary if each > 0), default=np.inf)
    assert facts.negative == max((each for each in ordinary if each < 0), default=-np.inf)


EXPORTED = {"multiplied": 25.0, "selected": 25.0, "padded": 30.0}
"""The least SQNR in dB of models with fills; as they are, they have less than 5 dB."""


@pytest.fixture(scope="module", params=EXPORTED)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A kind of model with its folder of inputs, and its export for all interpreters."""
    kind, folder = request.param, tmp_path_factory.mktemp("fills")
    model = folder / "model.tflite"
    model.write_bytes(fills.CLIPPED[kind](fills.LOWEST))
    arrays = fills.samples(kind, COUNT, seed=1)
    np.savez(folder / "data.npz", **{f"x{n}": array for n, array in enumerate(arrays)})
    bundle = export(folder / "out", model, "--representative", folder / "data.npz")
    return kind, folder, bundle


def test_every_interpreter_computes_a_model_with_fills_well(exported: Any) -> None:
    kind, _, bundle = exported
    measured = only(bundle.report)["int8"]
    assert measured.keys() == INTERPRETERS
    for name, scores in measured.items():
        assert scores["sqnr_db"] > EXPORTED[kind], name


def test_the_recorded_ranges_give_the_same_bytes_again(exported: Any, tmp_path: Path) -> None:
    _, folder, bundle = exported
    again = export(
        tmp_path / "again",
        folder / "model.tflite",
        *("--ranges", bundle.folder / "calibration.json", "--test", folder / "data.npz"),
    )
    for name in ("int8.tflite", "float.tflite"):
        assert (again.folder / name).read_bytes() == (bundle.folder / name).read_bytes()
    recorded = [
        json.loads((each / "calibration.json").read_text())["constants"]
        for each in (bundle.folder, again.folder)
    ]
    assert recorded[0] == recorded[1] != {}
    assert any("as calibration.json says" in note for note in again.report["notes"])


def test_the_float_model_is_written_as_given(exported: Any) -> None:
    _, folder, bundle = exported
    given_constants = constants((folder / "model.tflite").read_bytes())
    assert (constants((bundle.folder / "float.tflite").read_bytes()) == given_constants).all()


@pytest.mark.parametrize(
    ("constants", "message"),
    [
        ([], "'constants' must have a range by the name of each constant"),
        ({"model/other": {"min": 0, "max": 1}}, "has no float32 constant 'model/other'"),
        ({"x0": {"min": 0, "max": 1}}, "has no float32 constant 'x0'"),
        ({"model/constant_3/Op": {"min": 1, "max": 0}}, "1 to 0, is empty"),
        ({"model/constant_3/Op": {"min": 0}}, "needs a finite number as 'min' and as 'max'"),
    ],
)
def test_invalid_ranges_of_constants_are_refused(
    constants: Any, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps({"schema": 1, "activations": {}, "constants": constants}))
    with pytest.raises(CalibrationError, match=message):
        load_constants(path, read_tflite(fills.added(-1e9)).main)


def test_debug_compares_with_the_clipped_constant_and_blames_no_layer_for_it(
    tmp_path: Path, edgepack: Edgepack
) -> None:
    (tmp_path / "model.tflite").write_bytes(fills.added(-1e9))
    np.savez(tmp_path / "data.npz", x0=fills.samples("added", COUNT, seed=1)[0])
    done = edgepack(
        *("debug", tmp_path / "model.tflite", "--representative", tmp_path / "data.npz"),
        *("--output", tmp_path / "out"),
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "debug.json").read_text())
    (added,) = (layer for layer in report["layers"] if layer["operator"] == "ADD")
    assert added["saturation"] == 0
    assert added["sqnr_db"]["total"] > 30
    assert any("cannot tell the two apart" in note for note in report["notes"])
