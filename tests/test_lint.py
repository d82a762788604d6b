"""The linter finds mistakes in data, names the cure, and reports nothing for good data."""

from __future__ import annotations

import json
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from conftest import MLPERF, ROOT, Edgepack, python

from edgepack.calibration.lint import REPRESENTATIVE, TEST, LintFinding
from edgepack.calibration.lint.data_rules import lint_data
from edgepack.calibration.lint.dataset_profile import Profile, profile_dataset
from edgepack.core.signature import Signature, TensorSpec
from edgepack.storage.dataset import Dataset

RANDOM = np.random.default_rng(0)
GOOD = RANDOM.normal(size=(200, 4, 4, 3)).astype(np.float32)
LABELS = np.arange(200) % 4


def profile_of(
    x: np.ndarray, y: np.ndarray | None = None, *, role: str = REPRESENTATIVE
) -> Profile:
    signature = Signature(
        inputs=(TensorSpec(name="x", shape=x.shape[1:], dtype=x.dtype.name),),
        outputs=(TensorSpec(name="y", shape=(4,), dtype="float32"),),
    )
    labels = {} if y is None else {"y": y}
    return profile_dataset(role, Dataset(source=Path(), inputs={"x": x}, labels=labels), signature)


def lint(x: np.ndarray, y: np.ndarray | None = None, test: np.ndarray | None = None) -> list[str]:
    return [finding.rule for finding in findings(x, y, test)]


def findings(
    x: np.ndarray, y: np.ndarray | None = None, test: np.ndarray | None = None
) -> list[LintFinding]:
    tests = [] if test is None else [profile_of(test, role=TEST)]
    return lint_data(profile_of(x, y), *tests)


def test_good_data_have_no_findings() -> None:
    digits_like = RANDOM.integers(0, 17, (100, 64)).astype(np.float32)
    digits_like[:, :20] = 0  # the border
    tokens = RANDOM.integers(0, 9, (100, 5))
    tokens[:, 0] = 1  # each starts with the same token
    for x in (GOOD, GOOD[:24], digits_like, tokens, RANDOM.normal(size=50)):
        assert lint(x) == []
    assert lint(GOOD, LABELS, RANDOM.normal(size=(50, 4, 4, 3))) == []
    assert lint(GOOD, np.zeros((200, 4))) == []  # no class numbers


def test_too_few_samples_are_reported_with_the_probability_of_exceeding_their_range() -> None:
    (finding,) = findings(GOOD[:9])
    assert finding.rule == "few-samples"
    assert "9 samples" in finding.sentence
    assert "probability of 20%" in finding.sentence


def test_duplicates_are_counted() -> None:
    (finding,) = findings(np.concatenate([GOOD, GOOD[:30]]))
    assert finding.rule == "duplicates"
    assert finding.sentence == "30 of 230 samples are duplicates of earlier ones"


def test_a_constant_channel_is_reported() -> None:
    dead = GOOD.copy()
    dead[..., 1] = 0.5
    (finding,) = findings(dead)
    assert finding.rule == "constant-channels"
    assert finding.name == "x"
    assert "is constant in channels 1 (always 0.5), 1 of 3" in finding.sentence
    assert lint(np.ones((1, 3), np.float32)) == ["few-samples"]
    assert "constant-channels" in lint(np.ones((50, 8, 8, 1), np.float32))
    columns = RANDOM.normal(size=(50, 64)).astype(np.float32)
    columns[:, 10:] = 0
    assert lint(columns) == ["constant-channels"]


def test_a_mask_and_categories_are_no_lost_sensors() -> None:
    lengths = RANDOM.integers(3, 8, (200, 1))  # of sequences of up to 10 steps
    mask = (np.arange(10) < lengths).astype(np.float32)
    one_hot = np.eye(6, dtype=np.float32)[RANDOM.integers(0, 5, (200, 4))]
    for x in (mask, one_hot):
        assert "constant-channels" not in lint(x)
        assert "constant-channels" in lint(x * 0 + 1)
        (finding,) = (each for each in findings(x * 0.5) if each.rule == "constant-channels")
        assert finding.cure == "check for a sensor or column that was lost"
    beside_a_sensor = np.concatenate([one_hot[:, 0], RANDOM.normal(size=(200, 1))], axis=1)
    (finding,) = findings(beside_a_sensor.astype(np.float32))
    assert "is constant in channels 5 (always 0), 1 of 7" in finding.sentence


def test_class_imbalance_is_reported() -> None:
    (finding,) = findings(GOOD, np.where(LABELS == 3, 2, 0))
    assert finding.rule == "class-imbalance"
    assert finding.sentence.startswith("class 0 of 'y' has 150 of 200 samples")
    (finding,) = findings(GOOD, LABELS % 3)
    assert finding.sentence == "no sample belongs to class 3 of 'y'"


def test_test_data_are_compared_with_the_representative_dataset() -> None:
    others = RANDOM.normal(size=(50, 4, 4, 3)).astype(np.float32)
    (finding,) = findings(GOOD, test=np.concatenate([others, GOOD[:25]]))
    assert (finding.rule, finding.dataset) == ("overlap", TEST)
    assert finding.sentence.startswith("25 of 75 samples")
    assert lint(GOOD, test=others * 255) == ["other-scale"]


def test_memory_does_not_grow_with_the_data() -> None:
    peaks = []
    for samples in (20, 80):
        x = np.zeros((samples, 1 << 18), np.float32)
        tracemalloc.start()
        profile_of(x)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] == pytest.approx(peaks[0], rel=0.05)


@pytest.fixture(scope="module")
def linted(digits: Path, request: pytest.FixtureRequest) -> dict[str, list[list[str]]]:
    folders = [digits]
    if MLPERF.is_dir():
        folders += [MLPERF, request.getfixturevalue("mlperf")]
    done = python(ROOT / "tests" / "linted.py", *folders)
    assert done.returncode == 0, done.stderr
    findings_by_case: dict[str, list[list[str]]] = json.loads(done.stdout.splitlines()[-1])
    return findings_by_case


@pytest.mark.parametrize("kit", ["keras", "tf_keras"])
@pytest.mark.parametrize(
    ("model", "good", "bad", "rule", "cure"),
    [
        ("sequential", 1, 255, "training-statistics", "divide"),
        ("nested", 1, 255, "training-statistics", "divide"),
        ("subclassed", 1, 255, "training-statistics", "divide"),
        ("rescaled", 255, 1, "rescaling", "multiply"),
        ("standardized", 255, 1, "training-statistics", "multiply"),
    ],
)
def test_layers_reveal_the_scale_of_their_training_data(
    linted: dict[str, list[list[str]]],
    *,
    kit: str,
    model: str,
    good: int,
    bad: int,
    rule: str,
    cure: str,
) -> None:
    assert linted[f"{kit} {model} on 0..{good}"] == []
    ((actual_rule, actual_cure),) = linted[f"{kit} {model} on 0..{bad}"]
    assert actual_rule == rule
    assert actual_cure.startswith(cure)
    assert actual_cure.endswith("by 255")


@pytest.mark.parametrize("kit", ["keras", "tf_keras"])
def test_swapped_inputs_are_found_and_untrained_layers_are_ignored(
    linted: dict[str, list[list[str]]], kit: str
) -> None:
    assert linted[f"{kit} swapped"] == [["training-statistics", "swap 'left' and 'right'"]]
    assert linted[f"{kit} untrained"] == []


def assert_scale_is_checked(linted: dict[str, list[list[str]]], name: str) -> int:
    """Check that, of all datasets of a model, only scaled ones have a finding, with the cure.

    Returns the number of cases.
    """
    cases = {case: found for case, found in linted.items() if case.startswith(f"{name} ")}
    for case, found in cases.items():
        if "as it is" in case:
            assert found == [], case
        elif "times 255" in case or "over 255" in case:
            ((_, cure),) = found
            verb = "divide" if "times" in case else "multiply"
            assert cure == f"{verb} 'input_1' by 255", case
    return len(cases)


def test_outputs_reveal_the_scale_where_no_layer_does(linted: dict[str, list[list[str]]]) -> None:
    assert assert_scale_is_checked(linted, "digits") == 12
    ((rule, cure),) = linted["digits calibration times 16"]
    assert rule == "saturated-outputs"
    assert cure == "divide 'input_1' by its largest value, 16"


@pytest.mark.usefixtures("mlperf")
@pytest.mark.parametrize(("name", "cases"), [("kws", 16), ("ic", 12), ("ad", 4)])
def test_real_models_reveal_how_their_data_were_scaled(
    linted: dict[str, list[list[str]]], name: str, cases: int
) -> None:
    assert assert_scale_is_checked(linted, name) == cases


def test_lint_reports_no_findings_for_good_data(edgepack: Edgepack, digits: Path) -> None:
    files = (digits / "digits.h5", digits / "calibration.npz", "--test", digits / "test.npz")
    done = edgepack("lint", *files, "--strict")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "no findings"
    assert "test data: 400 samples, compared with probabilities, labels" in done.stdout


def test_lint_shows_each_finding_with_its_cure(
    edgepack: Edgepack, digits: Path, tmp_path: Path
) -> None:
    test = np.load(digits / "test.npz")
    np.savez(tmp_path / "wrong.npz", x=test["x"] * 255, y=test["y"])
    files = (digits / "digits.h5", tmp_path / "wrong.npz")
    done = edgepack("lint", *files, "--test", digits / "test.npz")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("saturated-outputs\n  representative dataset: the output")
    assert re.search(r"at odds of 1e20 to 1 or .*, with the fix below [\d,]+ to 1\n", done.stdout)
    assert "\n  likely cure: divide 'input_1' by 255\n" in done.stdout
    assert "\nother-scale\n" in done.stdout
    assert done.stdout.splitlines()[-1] == "2 findings"

    strict = edgepack("lint", *files, "--strict", "--json")
    assert strict.returncode == 1
    report = json.loads(strict.stdout)
    assert report["witnesses"] == {REPRESENTATIVE: ["probabilities", "labels"]}
    assert [finding["rule"] for finding in report["findings"]] == ["saturated-outputs"]


def test_an_export_warns_and_a_strict_one_writes_nothing(
    edgepack: Edgepack, models: Path, tmp_path: Path
) -> None:
    data = np.load(models / "vector.npz")["x"]
    np.savez(tmp_path / "few.npz", x=data[[0, 1, 2, 3, 3]])
    command = ("export", models / "autoencoder.h5", "--representative", tmp_path / "few.npz")
    command += ("--output", tmp_path / "out")
    strict = edgepack(*command, "--strict")
    assert strict.returncode == 2
    (error,) = [line for line in strict.stderr.splitlines() if line.startswith("error: ")]
    assert "with 5 samples, the next one exceeds" in error
    assert error.endswith("(and 1 more: see edgepack lint)")
    assert not (tmp_path / "out").exists()

    done = edgepack(*command, "--target", "android-arm64")
    assert done.returncode == 0, done.stderr
    assert "\nwarning: representative dataset: with 5 samples" in done.stdout
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert len(report["lint"]) == 2
