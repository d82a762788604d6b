"""Pruning, in every way: on models of both Kerases, and by the command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Bundle, Edgepack, export, only, told_by

from edgepack.compression.pruning.settings import Prune
from edgepack.config.export import FineTune, Recipe, Schedule
from edgepack.core.errors import ConfigError
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.sparsity import weight_tensors

KERASES = ("keras", "tf_keras")


@pytest.fixture(scope="module")
def pruned() -> dict[str, Any]:
    """What became of small models (tests/pruned.py), by Keras and way of pruning."""
    return told_by("pruned.py")


@pytest.fixture(params=KERASES)
def kit(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def weights(told: dict[str, Any], name: str, stage: str = "weights") -> np.ndarray:
    return np.array(told[stage][name])


def zeros(told: dict[str, Any]) -> dict[str, float]:
    return {name: float((weights(told, name) == 0).mean()) for name in told["weights"]}


def test_in_one_shot_the_smallest_weights_of_each_layer_go(
    pruned: dict[str, Any], kit: str
) -> None:
    told = pruned[f"{kit}: one shot"]
    for name in ("conv", "nested/inside", "scores"):
        before, after = weights(told, name, "given"), weights(told, name)
        gone = after == 0
        assert gone.mean() == pytest.approx(0.5, abs=0.05)
        np.testing.assert_array_equal(after[~gone], before[~gone])
        assert np.abs(before[gone]).max() <= np.abs(before[~gone]).min()


def test_the_report_says_which_way_was_used_and_what_was_left_out(
    pruned: dict[str, Any],
) -> None:
    for name, told in pruned.items():
        if name == "replicas" or "error" in told:
            continue
        if told["way"] == "threshold":
            assert told["left_out"] == {}
            continue
        if name == "keras: noisy":
            assert told["way"] == "callback"
            assert "rebuilt in tf-keras for TFMOT, the model's outputs differ by" in told["why"]
            assert zeros(told)["scores"] == pytest.approx(0.5, abs=0.05)
            continue
        is_subclassed = "subclassed" in name
        way = "carried" if name.startswith("keras") else "wrappers"
        assert told["way"] == ("callback" if is_subclassed else way)
        assert told["why"] == ("code, not a graph, calls its layers" if is_subclassed else None)
        if not is_subclassed and "two" not in name and "noisy" not in name:
            assert told["left_out"]["depthwise"] == "TFMOT does not prune such layers"


def test_patterns_choose_the_sparsity_and_the_last_one_counts(
    pruned: dict[str, Any], kit: str
) -> None:
    found = zeros(pruned[f"{kit}: patterns"])
    assert found["conv"] == 0
    assert found["nested/inside"] == pytest.approx(0.25, abs=0.02)
    assert found["scores"] == pytest.approx(0.75, abs=0.03)
    assert pruned[f"{kit}: unknown pattern"]["error"] == (
        "no layer is named 'convolution'; the layers with weights are conv, depthwise,"
        " nested/inside, scores"
    )


@pytest.mark.parametrize("name", ["2 of 4", "2 of 4, trained"])
def test_two_of_four_neighbours_go(pruned: dict[str, Any], kit: str, name: str) -> None:
    told = pruned[f"{kit}: {name}"]
    rows = weights(told, "nested/inside").T.reshape(-1, 4)
    assert ((rows == 0).sum(axis=1) == 2).all()


def test_blocks_go_as_a_whole(pruned: dict[str, Any], kit: str) -> None:
    told = pruned[f"{kit}: blocks"]
    gone = weights(told, "scores") == 0
    blocks = gone.reshape(2, 4, 3).sum(axis=1)
    assert set(blocks.ravel()) == {0, 4}
    assert told["left_out"]["conv"] == "blocks need weights of two dimensions"


def test_a_threshold_acts_on_every_layer_that_is_not_left_out(
    pruned: dict[str, Any], kit: str
) -> None:
    told = pruned[f"{kit}: threshold"]
    for name in ("conv", "depthwise", "nested/inside"):
        before, after = weights(told, name, "given"), weights(told, name)
        np.testing.assert_array_equal(after, np.where(np.abs(before) < 0.2, 0, before))
    np.testing.assert_array_equal(weights(told, "scores"), weights(told, "scores", "given"))


@pytest.mark.parametrize(
    "name",
    [
        *("trained", "constant", "optimizer", "loss", "distilled", "mirrored"),
        *("two, trained", "two, distilled", "subclassed, trained"),
    ],
)
def test_training_ends_at_the_wanted_sparsity(pruned: dict[str, Any], kit: str, name: str) -> None:
    told = pruned[f"{kit}: {name}"]
    found = zeros(told)
    found.pop("depthwise", None)
    assert all(value == pytest.approx(0.5, abs=0.05) for value in found.values())
    assert told["trained"]["epochs"] == 6
    assert told["said"][0].startswith("1/18 loss ")
    assert told["said"][-1].startswith("18/18 loss ")
    assert told["said"][-1].endswith("sparsity 50.0%")
    changed = [(weights(told, n) != weights(told, n, "given")).mean() for n in found]
    assert min(changed) > 0.9  # the weights that stayed were trained


def test_layers_that_are_not_trained_are_pruned_all_the_same(
    pruned: dict[str, Any], kit: str
) -> None:
    told = pruned[f"{kit}: two, one taught"]
    assert list(told["trained"]["losses"]) == ["kind"]
    assert zeros(told)["value"] == pytest.approx(0.5, abs=0.05)
    assert zeros(told)["scores"] == pytest.approx(0.5, abs=0.05)


def sparsities(told: dict[str, Any]) -> list[str]:
    return [said.rpartition(" ")[2] for said in told["said"]]


def test_schedules_keep_to_their_steps(pruned: dict[str, Any], kit: str) -> None:
    constant = sparsities(pruned[f"{kit}: constant"])
    assert constant[0] == "0.0%"
    assert set(constant[2:]) == {"50.0%"}
    gradual = sparsities(pruned[f"{kit}: frequency"])
    assert set(gradual[:6]) == {"0.0%"}  # at its first step, the fourth, none go
    assert gradual[6] == gradual[8] != gradual[9]
    assert set(gradual[9:]) == {gradual[-1]}
    assert "the sparsity would not be reached" in pruned[f"{kit}: ends too early"]["error"]


def test_training_stops_when_held_out_samples_gain_nothing(
    pruned: dict[str, Any], kit: str
) -> None:
    told = pruned[f"{kit}: patient"]
    assert told["trained"]["epochs"] < 60
    assert zeros(told)["scores"] == pytest.approx(0.5, abs=0.05)


def test_loss_and_optimizer_are_the_named_the_compiled_or_the_metrics(
    pruned: dict[str, Any], kit: str
) -> None:
    def trained(name: str) -> tuple[Any, ...]:
        told = pruned[f"{kit}: {name}"]["trained"]
        return told["losses"], told["optimizer"], told["learning_rate"]

    usual = {"scores": "sparse_categorical_crossentropy"}
    assert trained("trained") == (usual, "SGD", 0.05)
    assert trained("optimizer") == (usual, "AdamW", 0.002)
    assert trained("loss") == ({"scores": "categorical_crossentropy"}, "SGD", 0.05)
    assert trained("distilled")[0] == {"scores": "distillation"}
    assert trained("two, trained")[0] == {
        "kind": "sparse_categorical_crossentropy",
        "value": "mean_squared_error",
    }
    assert "not one of Keras's: adadelta" in pruned[f"{kit}: unknown optimizer"]["error"]
    assert "loss 'crossentropy': not one of Keras's" in pruned[f"{kit}: unknown loss"]["error"]


def test_two_devices_train_as_one_does(pruned: dict[str, Any], kit: str) -> None:
    alone, together = pruned[f"{kit}: trained"], pruned[f"{kit}: mirrored"]
    assert pruned["replicas"] == 2
    for name in alone["weights"]:
        np.testing.assert_allclose(weights(together, name), weights(alone, name), atol=1e-3)
    said = pruned[f"{kit}: subclassed, mirrored"]["error"]
    assert "a strategy of tf.distribute needs a model that TFMOT can wrap" in said


def test_a_carried_model_is_trained_as_its_namesake(pruned: dict[str, Any]) -> None:
    for name in ("trained", "two, trained", "distilled"):
        assert [told.split(",")[0] for told in pruned[f"keras: {name}"]["said"]] == pytest.approx(
            [told.split(",")[0] for told in pruned[f"tf_keras: {name}"]["said"]]
        )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"sparsity": 0.5, "threshold": 0.1}, "a sparsity and a threshold cannot both be reached"),
        ({"threshold": 0.1, "n_of_m": (2, 4)}, "a threshold and N of M cannot both be reached"),
        ({"n_of_m": (4, 4)}, "4 of 4: give fewer zeros than there are"),
        ({"n_of_m": (2, 4), "block": (4, 1)}, "blocks and N of M cannot both be reached"),
        ({"threshold": 0.1, "block": (4, 1)}, "acts on single weights, not on blocks"),
        ({"threshold": -1.0}, "must be above 0"),
        ({"threshold": float("nan")}, "must be above 0"),
        ({"threshold": 0.1, "layers": (("a", 0.5),)}, "they can only be left out, with 0"),
        ({"layers": (("a", 1.0),)}, "must lie between 0, to leave them out, and 1"),
        ({"block": (0, 1)}, "sides count from 1"),
        ({"threshold": 0.1, "fine_tune": FineTune()}, "acts in one shot"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Prune(**settings)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"learning_rate": 0.0}, "learning rate 0.0: must be above 0"),
        ({"patience": 0}, "patience 0: wait at least 1 epoch"),
        ({"validation_split": 1.0}, "validation split 1.0: must lie between 0 and 1"),
        ({"strategy": "tpu"}, "the strategies are mirrored, multi-worker"),
    ],
)
def test_training_that_makes_no_sense_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        FineTune(**settings)
    with pytest.raises(ConfigError, match="the schedules are polynomial, constant"):
        Schedule(kind="linear")
    with pytest.raises(ConfigError, match="must lie behind the begin step 5"):
        Schedule(begin_step=5, end_step=5)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"resume": True}, "resume: say where the checkpoints"),
        ({"train": None}, "fine-tuning needs data to train on: give --train"),
        ({"compress": ()}, "there is nothing to train: no step of compression fine-tunes"),
        ({"compress": (Prune(),)}, "there is nothing to train"),
        (
            {"compress": (Prune(),), "train": None, "checkpoints": Path("kept")},
            "there are no checkpoints to keep",
        ),
        (
            {
                "compress": tuple(
                    Prune(fine_tune=FineTune(strategy=name))
                    for name in ("mirrored", "multi-worker")
                )
            },
            "several strategies .mirrored, multi-worker., and one process has one",
        ),
    ],
)
def test_training_that_does_not_fit_the_steps_is_refused(
    settings: dict[str, Any], said: str
) -> None:
    whole = {"compress": (Prune(fine_tune=FineTune()),), "train": Path("train.npz")}
    with pytest.raises(ConfigError, match=said):
        Recipe(model=Path("m.h5"), output=Path("out"), **(whole | settings))


def arguments(digits: Path, *options: object) -> tuple[object, ...]:
    return (
        *(digits / "digits.h5", "--representative", digits / "calibration.npz"),
        *("--test", digits / "test.npz", *options),
    )


def test_zeros_of_the_float_file_are_zeros_of_the_int8_file(pruned_digits: Bundle) -> None:
    float_file, int8_file = (
        weight_tensors(read_tflite((pruned_digits.folder / name).read_bytes()))
        for name in ("float.tflite", "int8.tflite")
    )
    assert len(float_file) == len(int8_file) == 4
    for before, after in zip(float_file.values(), int8_file.values(), strict=True):
        reals = np.frombuffer(before.tensor.data, np.float32)
        integers = np.frombuffer(after.tensor.data, np.int8)
        assert after.tensor.quant is not None
        assert set(after.tensor.quant.zero_point) == {0}
        assert (reals == 0).mean() > 0.45
        assert (integers[reals == 0] == 0).all()


def test_options_of_the_command_line_reach_the_model(digits: Path, tmp_path: Path) -> None:
    exported = export(
        tmp_path / "out",
        *arguments(digits, "--train", digits / "train.npz", "--epochs", 3, "--sparsity", 0.8),
        *("--layer-sparsity", "conv*=0.25", "--layer-sparsity", "dense_1=0", "--patience", 1),
        *("--schedule", "constant", "--begin-step", 2, "--end-step", 40, "--frequency", 2),
        *("--optimizer", "nadam", "--learning-rate", 0.002, "--loss", "distillation"),
        *("--validation-split", 0.2, "--target", "android-arm64"),
    )
    layers = exported.report["sparsity"]["layers"]
    assert layers["conv2d"] == layers["conv2d_1"] == pytest.approx(0.25, abs=0.01)
    assert layers["dense"] == pytest.approx(0.8, abs=0.01)
    assert layers["dense_1"] == 0
    assert exported.report["pruning"]["trained"]["optimizer"] == "Nadam"
    manifest = json.loads((exported.folder / "manifest.json").read_text())
    (step,) = manifest["recipe"]["compress"]
    assert step["technique"] == "prune"
    assert step["fine_tune"] == {
        "epochs": 3,
        "loss": "distillation",
        "optimizer": "nadam",
        "learning_rate": 0.002,
        "validation_split": 0.2,
        "patience": 1,
        "strategy": None,
        "schedule": {"kind": "constant", "begin_step": 2, "end_step": 40, "frequency": 2},
    }


def test_distillation_needs_no_labels(digits: Path, tmp_path: Path) -> None:
    unlabelled = digits / "calibration.npz"
    options = ("--train", unlabelled, "--epochs", 8, "--loss", "distillation")
    report = export(tmp_path / "out", *arguments(digits, *options)).report
    assert report["pruning"]["trained"]["losses"] == {"dense_1": "distillation"}
    assert only(report)["pruned"]["value"] > only(report)["float"] - 0.03


def test_a_run_that_was_killed_resumes_and_ends_the_same(
    digits: Path, tmp_path: Path, edgepack: Edgepack
) -> None:
    training = ("--train", digits / "train.npz", "--epochs", 12, "--target", "android-arm64")
    whole = export(tmp_path / "whole", *arguments(digits, *training))
    checkpoints = tmp_path / "checkpoints"
    kept = (*training, "--checkpoints", checkpoints)
    command = [sys.executable, "-m", "edgepack", "export", *map(str, arguments(digits, *kept))]
    command += ["--output", tmp_path / "killed"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not list(checkpoints.glob("*.npz")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)

    def refused(*options: object) -> str:
        done = edgepack("export", *arguments(digits, *kept, *options), "--output", "out")
        assert done.returncode == 2
        return done.stderr.splitlines()[-1]

    assert "holds the checkpoint of a run that was cut off; go on from it with" in refused()
    assert "is of another model, other data or other options" in refused(
        "--resume", "--sparsity", 0.6
    )
    resumed = export(tmp_path / "resumed", *arguments(digits, *kept, "--resume"))
    assert not checkpoints.exists()
    assert resumed.report["sparsity"] == whole.report["sparsity"]
    assert (resumed.folder / "int8.tflite").read_bytes() == (
        whole.folder / "int8.tflite"
    ).read_bytes()
    assert "holds no checkpoint to resume" in refused("--resume")
    checkpoints.mkdir(exist_ok=True)
    (checkpoints / "fine-tuning.npz").write_bytes(b"junk")
    assert "damaged; remove it, and start again" in refused("--resume")
    (tmp_path / "file").write_text("")
    kept = (*training, "--checkpoints", tmp_path / "file")
    assert "checkpoints cannot be kept there: File exists; name a folder" in refused()


@pytest.mark.slow
def test_eighty_percent_cost_the_digits_a_point_at_most(digits: Path, tmp_path: Path) -> None:
    training = ("--train", digits / "train.npz", "--epochs", 20, "--learning-rate", 0.003)
    report = export(tmp_path / "out", *arguments(digits, *training, "--sparsity", 0.8)).report
    assert report["sparsity"]["int8"]["overall"] >= 0.79
    for score in only(report)["int8"].values():
        assert score["value"] >= only(report)["float"] - 0.01
