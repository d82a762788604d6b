"""What `edgepack debug` advises has been tried, gains what it says, and is accepted as printed."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import AVAILABLE, Bundle, python
from test_debug import BASE
from tiny import Value, one_operator

from edgepack.config.export import ExportConfig
from edgepack.config.quantization import Quantization
from edgepack.devices.scheme_support import why_refused
from edgepack.devices.target import load_target
from edgepack.evaluation.scores import Score
from edgepack.layer_errors.causes import SEE_DEBUG, LayerCase, diagnose
from edgepack.layer_errors.remedies import remedies
from edgepack.layer_errors.result import (
    DebugReport,
    LayerReport,
    Trial,
    Trials,
    WorstScore,
)
from edgepack.pipeline.trial_scores import OutputView, TrialJudge, TrialOutcome, is_helpful
from edgepack.pipeline.tried_cures import with_tried_cures
from edgepack.quantization.layer_patterns import assign_patterns
from edgepack.report.text.layer_errors import render_debug
from edgepack.runtimes import REFERENCE
from edgepack.runtimes.run_result import Run
from edgepack.tflite.layer_names import layer_names
from edgepack.tflite.parser import read_tflite

TARGETS = ("android-arm64", "nano-33-ble-sense")


def debug_residual(models: Path, folder: Path, *options: str) -> Bundle:
    done = python(
        *("-m", "edgepack", "debug", models / "residual.h5", "--scheme", "int4"),
        *("--representative", models / "cnn.npz", "--output", folder, *options),
    )
    assert done.returncode == 0, done.stderr
    return Bundle(folder, json.loads((folder / "debug.json").read_text()), done.stdout, done.stderr)


@pytest.fixture(scope="module")
def tried(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Debug a residual network in int4, for the default targets."""
    return debug_residual(models, tmp_path_factory.mktemp("trials") / "int4 model")


@pytest.mark.parametrize("option", ["--layer", "--ranges"])
def test_options_that_are_printed_give_what_they_promise(
    tried: Bundle, models: Path, tmp_path: Path, option: str
) -> None:
    trials = tried.report["trials"]
    lines = [line for line in tried.stdout.splitlines() if line.startswith("  --")]
    helpful = [each for each in trials["tried"] if each["helps"]]
    lines = lines[: len(helpful)]
    line, trial = next(
        (line, each)
        for line, each in zip(lines, helpful, strict=True)
        if each["options"].startswith(option)
    )
    before, after = trials["before"]["sqnr_db"], trial["after"]["sqnr_db"]
    options, _, gains = line.partition(": ")
    assert gains.startswith(f"SQNR {before:.1f} dB -> {after:.1f} dB, agreement ")
    followed = debug_residual(models, tmp_path / "followed", *shlex.split(options))
    assert followed.report["trials"]["before"] == trial["after"]


def test_all_that_was_tried_is_printed_and_the_best_is_the_cure(tried: Bundle) -> None:
    trials = tried.report["trials"]
    assert trials["interpreters"] == [each.name for each in AVAILABLE if each is not REFERENCE]
    before = trials["before"]["sqnr_db"]
    helpful = [each for each in trials["tried"] if each["helps"]]
    assert helpful == trials["tried"][: len(helpful)]
    assert all(each["after"]["sqnr_db"] >= before + 1 for each in helpful)
    useless = {each["options"] for each in trials["tried"]} - {each["options"] for each in helpful}
    assert useless
    in_vain = tried.stdout.partition("No other gains 1 dB without losing agreement:")[2]
    assert all(f"  {options}: " in in_vain for options in useless)
    scores = next(each for each in tried.report["layers"] if each["name"] == "scores")
    assert scores["finding"]["cure"] == "--layer scores=int8"
    kept = {path.name for path in tried.folder.glob("ranges-*.json")}
    assert kept == {each["ranges_file"] for each in helpful if each["ranges_file"]}


def test_layers_are_accepted_by_the_names_that_reports_print(tried: Bundle) -> None:
    graph = read_tflite((tried.folder / "float.tflite").read_bytes()).main
    names = layer_names(graph)
    for operator in graph.operators:
        name = names[operator.outputs[0]]
        assigned = assign_patterns(graph, "int8", [(name, "float")])
        assert assigned[graph.tensors[operator.outputs[0]].name] == "float", name
    assert "softmax" in names.values()  # its tensor is StatefulPartitionedCall:0


CONFIG = ExportConfig(model=Path("m.h5"), output=Path("m"), representative="x.npz")
EFFECT = WorstScore(sqnr_db=20.0, agreement=None)


def layers(**changes: Any) -> list[LayerReport]:
    """A layer that has all of the error, and one that consumes it."""
    first = replace(BASE, sources=(), **changes)
    second = replace(BASE, name="c[1]", sources=("b",))
    by_name = {"b": first, "c[1]": second}
    return [
        LayerReport(
            figures=figures,
            alone=EFFECT,
            share=share,
            finding=diagnose(LayerCase(figures=figures, share=share, layers=by_name)),
        )
        for figures, share in ((first, 0.9), (second, 0.0))
    ]


@pytest.mark.parametrize(
    ("changes", "quantization", "expected"),
    [
        ({}, {}, ["--layer b=int16 --layer 'c[[]1]=int16'", "--layer b=float"]),
        ({"best_range": (0, 9), "gain_db": 4.0}, {}, ["--ranges"]),
        ({"operator": "input"}, {}, ["--scheme int16"]),
        ({"weight_spread": 99.0}, {"scheme": "dynamic-range"}, ["--dense per-channel"]),
        ({"weight_dtype": "int4"}, {"scheme": "int4"}, ["--layer b=int8", "--scheme int8"]),
    ],
)
def test_what_may_help_is_tried(
    changes: dict[str, Any], quantization: dict[str, Any], expected: list[str]
) -> None:
    settings = replace(CONFIG, quantization=Quantization(**quantization))
    options = [each.options for each in remedies(layers(**changes), settings)]
    assert set(expected) <= set(options)
    assert len(set(options)) == len(options)


def test_what_the_settings_have_is_not_tried_again() -> None:
    changed = replace(CONFIG, observer="mse", quantization=Quantization(scheme="int16"))
    options = {each.options for each in remedies(layers(), changed)}
    assert not options & {"--observer mse", "--scheme int16"}
    with_ranges = replace(CONFIG, ranges=Path("calibration.json"))
    assert not any("observer" in each.options for each in remedies(layers(), with_ranges))


@pytest.mark.parametrize(
    ("target", "layer_scheme", "is_refused"),
    [
        ("android-arm64", "int16", True),  # tflite-runtime computes mixed models incorrectly
        ("iphone-15", "int16", False),
        ("nano-33-ble-sense", "float", True),
        ("android-arm64", "float", False),
    ],
)
def test_what_a_target_does_not_support_is_not_tried(
    target: str, layer_scheme: str, is_refused: bool
) -> None:
    settings = Quantization(layers=(("b", layer_scheme),))
    assert (why_refused(settings, load_target(target)) is not None) == is_refused


def report(sqnr_db: float, agreement: float, *trials: Trial) -> DebugReport:
    score = Score(
        value=None, agreement=agreement, sqnr_db=sqnr_db, max_abs_error=1, mean_abs_error=1
    )
    return DebugReport(
        model="m",
        data="test",
        samples=64,
        kernels="reference",
        outputs={"y": score},
        layers=tuple(layers()),
        unmatched=(),
        trials=Trials(
            before=WorstScore(sqnr_db=sqnr_db, agreement=agreement),
            interpreters=("litert",),
            tried=trials,
            untried=3,
        ),
    )


def trial(options: str, after_db: float, *, helps: bool) -> Trial:
    return Trial(
        options=options,
        ranges_file=None,
        layers=(),
        after=WorstScore(sqnr_db=after_db, agreement=0.991),
        failure=None,
        helps=helps,
    )


def test_what_helps_is_printed_with_what_it_gave() -> None:
    text = render_debug(report(24.1, 0.972, trial("--observer mse", 31.0, helps=True)))
    assert "Tried 1 change of the options (3 more left out), run on litert." in text
    assert "  --observer mse: SQNR 24.1 dB -> 31.0 dB, agreement 97.20% -> 99.10%" in text
    assert "little is left to gain" not in text


@pytest.mark.parametrize(
    ("trials", "cure"),
    [
        (None, "there is no option to try for it"),
        ([trial("--observer mse", 20.0, helps=False)], "nothing that was tried helps"),
        ([trial("--observer mse", 50.0, helps=True)], "--observer mse"),
    ],
)
def test_cures_are_the_outcome_of_trials(trials: list[Trial] | None, cure: str) -> None:
    before = report(24.1, 0.9, *(trials or ()))
    after = with_tried_cures(before, before.trials if trials else None)
    assert cure in after.layers[0].finding.cure
    assert SEE_DEBUG not in render_debug(after)


def test_advice_that_needs_no_options_is_not_taken_back() -> None:
    before = report(24.1, 0.9)
    wide = layers(quantized_range=(0.0, 900.0), dtype="int8")
    assert wide[0].finding.cure == f"calibrate with samples like these; {SEE_DEBUG}"
    after = with_tried_cures(replace(before, layers=tuple(wide)), None)
    assert after.layers[0].finding.cure == "calibrate with samples like these"


@pytest.mark.parametrize(
    ("sqnr_db", "agreement", "is_close"), [(45.0, 1.0, True), (45.0, 0.9, False), (30.0, 1, False)]
)
def test_that_little_is_left_to_gain_is_said_only_of_close_models(
    sqnr_db: float, agreement: float, is_close: bool
) -> None:
    useless = trial("--observer mse", sqnr_db, helps=False)
    text = render_debug(report(sqnr_db, agreement, useless))
    assert "None gains 1 dB without losing agreement:\n  --observer mse: SQNR " in text
    assert ("little is left to gain" in text) == is_close
    helpful = trial("--scheme int16", 70.0, helps=True)
    assert "little is left" not in render_debug(report(sqnr_db, agreement, helpful))


def test_a_sample_that_changes_class_is_no_evidence_against_a_change() -> None:
    gained = replace(
        trial("--scheme int16", 29.8, helps=True),
        after=WorstScore(sqnr_db=29.8, agreement=1 - 1 / 64),
    )
    lost = replace(
        trial("--observer mse", 30.0, helps=False), after=WorstScore(sqnr_db=30.0, agreement=0.75)
    )
    failed = replace(trial("--dense", 0.0, helps=False), after=None, failure="no kernel")
    text = render_debug(report(25.9, 1.0, gained, lost, failed))
    assert (
        "  --scheme int16: SQNR 25.9 dB -> 29.8 dB, agreement 100.00% -> 98.44% (no more than"
        " chance)\n"
    ) in text
    assert "  --observer mse: SQNR 25.9 dB -> 30.0 dB, agreement 100.00% -> 75.00%\n" in text
    assert "  --dense: failed: no kernel" in text


@pytest.mark.parametrize(
    ("before", "after", "helps"),
    [(20.0, 21.0, True), (20.0, 20.9, False), (20.0, inf, True), (inf, inf, False)],
)
def test_a_change_helps_if_it_gains_a_decibel(before: float, after: float, *, helps: bool) -> None:
    """Without noise there is nothing to gain."""
    outcomes = (
        TrialOutcome(score=WorstScore(sqnr_db=each, agreement=None), sqnr_db=each, agreeing={})
        for each in (before, after)
    )
    assert is_helpful(*outcomes) == helps


def test_a_change_whose_outputs_are_not_finite_helps_nothing() -> None:
    floats = np.linspace(1, 9, 30, dtype=np.float32).reshape(10, 3)
    model = read_tflite(one_operator("RELU", [Value((1, 3))], [Value((1, 3))]))
    judge = TrialJudge([OutputView(output=0)], [floats])
    noisy, overflowed, same = (
        judge.outcome(model, {"litert": Run(version="", outputs={"0": outputs})})
        for outputs in (floats + 1, floats * np.float32(np.inf), floats)
    )
    assert not is_helpful(noisy, overflowed)
    assert is_helpful(noisy, same)
    assert is_helpful(overflowed, noisy)


def test_a_cure_of_several_layers_is_printed_once() -> None:
    before = report(24.1, 0.9, trial("--observer mse", 20.0, helps=False))
    first, second = before.layers
    noisy = replace(second, share=0.5, finding=first.finding)
    text = render_debug(
        with_tried_cures(replace(before, layers=(first, noisy)), before.trials),
    )
    assert text.count("nothing that was tried helps") == 1
    assert "To do for each: nothing that was tried helps" in text


@pytest.mark.parametrize(
    ("others", "cure"),
    [
        ((trial("--scheme int16", 29.3, helps=True),), "--scheme int16"),
        ((), "nothing that was tried helps"),
    ],
)
def test_splitting_an_output_is_no_cure_of_a_layer(others: tuple[Trial, ...], cure: str) -> None:
    before = report(0.0, 1.0, trial("--split-outputs", 39.6, helps=True), *others)
    cures = [each.finding.cure for each in with_tried_cures(before, before.trials).layers]
    assert any(cure in each for each in cures)
    assert not any("--split-outputs" in each for each in cures)


@pytest.mark.parametrize("agreement", [None, 0.5])
def test_without_classes_there_is_no_agreement(agreement: float | None) -> None:
    before = report(24.1, 0.9)
    effect = WorstScore(sqnr_db=20.0, agreement=agreement)
    layers = tuple(replace(each, alone=effect) for each in before.layers)
    text = render_debug(replace(before, layers=layers, trials=None))
    assert ("agreement" in text) == (agreement is not None)
    assert "on 64 test samples, with LiteRT's reference kernels" in " ".join(text.split())
