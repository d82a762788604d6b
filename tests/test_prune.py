"""Pruning, by every method: on models of both Kerases, and from the command line."""

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
from edgepack.config.compression_step import FineTune, Schedule
from edgepack.config.export import ExportConfig
from edgepack.core.errors import ConfigError
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.sparsity import weight_tensors

KERASES = ("keras", "tf_keras")


@pytest.fixture(scope="module")
def pruned() -> dict[str, Any]:
    """Results of pruning small models (tests/pruned.py), by Keras and case."""
    return told_by("pruned.py")


@pytest.fixture(params=KERASES)
def kit(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def weights(result: dict[str, Any], name: str, stage: str = "weights") -> np.ndarray:
    return np.array(result[stage][name])


def sparsity(result: dict[str, Any]) -> dict[str, float]:
    return {name: float((weights(result, name) == 0).mean()) for name in result["weights"]}


def test_one_shot_pruning_zeroes_the_smallest_weights_of_each_layer(
    pruned: dict[str, Any], kit: str
) -> None:
    result = pruned[f"{kit}: one shot"]
    for name in ("conv", "nested/inside", "scores"):
        before, after = weights(result, name, "original"), weights(result, name)
        zeroed = after == 0
        assert zeroed.mean() == pytest.approx(0.5, abs=0.05)
        np.testing.assert_array_equal(after[~zeroed], before[~zeroed])
        assert np.abs(before[zeroed]).max() <= np.abs(before[~zeroed]).min()


def test_the_record_names_the_method_and_the_layers_left_out(
    pruned: dict[str, Any],
) -> None:
    for name, result in pruned.items():
        if name == "replicas" or "error" in result:
            continue
        if result["way"] == "threshold":
            assert result["left_out"] == {}
            continue
        if name == "keras: noisy":
            assert result["way"] == "callback"
            assert "rebuilt in tf-keras for TFMOT, the model's outputs differ by" in result["why"]
            assert sparsity(result)["scores"] == pytest.approx(0.5, abs=0.05)
            continue
        is_subclassed = "subclassed" in name
        way = "carried" if name.startswith("keras") else "wrappers"
        assert result["way"] == ("callback" if is_subclassed else way)
        assert result["why"] == ("code, not a graph, calls its layers" if is_subclassed else None)
        if not is_subclassed and "two" not in name and "noisy" not in name:
            assert result["left_out"]["depthwise"] == "TFMOT does not prune such layers"


def test_patterns_choose_the_sparsity_and_the_last_match_applies(
    pruned: dict[str, Any], kit: str
) -> None:
    by_layer = sparsity(pruned[f"{kit}: patterns"])
    assert by_layer["conv"] == 0
    assert by_layer["nested/inside"] == pytest.approx(0.25, abs=0.02)
    assert by_layer["scores"] == pytest.approx(0.75, abs=0.03)
    assert pruned[f"{kit}: unknown pattern"]["error"] == (
        "no layer is named 'convolution': the layers with weights are conv, depthwise,"
        " nested/inside, scores"
    )


@pytest.mark.parametrize("name", ["2 of 4", "2 of 4, trained"])
def test_two_of_four_neighbors_become_zero(pruned: dict[str, Any], kit: str, name: str) -> None:
    result = pruned[f"{kit}: {name}"]
    rows = weights(result, "nested/inside").T.reshape(-1, 4)
    assert ((rows == 0).sum(axis=1) == 2).all()


def test_blocks_become_zero_as_a_whole(pruned: dict[str, Any], kit: str) -> None:
    result = pruned[f"{kit}: blocks"]
    zeroed = weights(result, "scores") == 0
    blocks = zeroed.reshape(2, 4, 3).sum(axis=1)
    assert set(blocks.ravel()) == {0, 4}
    assert result["left_out"]["conv"] == "blocks need weights of two dimensions"


def test_a_threshold_applies_to_every_layer_that_is_not_excluded(
    pruned: dict[str, Any], kit: str
) -> None:
    result = pruned[f"{kit}: threshold"]
    for name in ("conv", "depthwise", "nested/inside"):
        before, after = weights(result, name, "original"), weights(result, name)
        np.testing.assert_array_equal(after, np.where(np.abs(before) < 0.2, 0, before))
    np.testing.assert_array_equal(weights(result, "scores"), weights(result, "scores", "original"))


@pytest.mark.parametrize(
    "name",
    [
        *("trained", "constant", "optimizer", "loss", "distilled", "mirrored"),
        *("two, trained", "two, distilled", "subclassed, trained"),
    ],
)
def test_training_reaches_the_requested_sparsity(
    pruned: dict[str, Any], kit: str, name: str
) -> None:
    result = pruned[f"{kit}: {name}"]
    by_layer = sparsity(result)
    by_layer.pop("depthwise", None)
    assert all(value == pytest.approx(0.5, abs=0.05) for value in by_layer.values())
    assert result["trained"]["epochs"] == 6
    assert result["progress"][0].startswith("1/18 loss ")
    assert result["progress"][-1].startswith("18/18 loss ")
    assert result["progress"][-1].endswith("sparsity 50.0%")
    changed = [(weights(result, n) != weights(result, n, "original")).mean() for n in by_layer]
    assert min(changed) > 0.9  # the remaining weights were trained


def test_layers_that_are_not_trained_are_pruned_too(pruned: dict[str, Any], kit: str) -> None:
    result = pruned[f"{kit}: two, one trained"]
    assert list(result["trained"]["losses"]) == ["kind"]
    assert sparsity(result)["value"] == pytest.approx(0.5, abs=0.05)
    assert sparsity(result)["scores"] == pytest.approx(0.5, abs=0.05)


def sparsity_by_step(result: dict[str, Any]) -> list[str]:
    return [line.rpartition(" ")[2] for line in result["progress"]]


def test_schedules_prune_at_their_steps(pruned: dict[str, Any], kit: str) -> None:
    constant = sparsity_by_step(pruned[f"{kit}: constant"])
    assert constant[0] == "0.0%"
    assert set(constant[2:]) == {"50.0%"}
    gradual = sparsity_by_step(pruned[f"{kit}: frequency"])
    assert set(gradual[:6]) == {"0.0%"}  # its first step, the fourth, prunes none
    assert gradual[6] == gradual[8] != gradual[9]
    assert set(gradual[9:]) == {gradual[-1]}
    assert "the sparsity would not be reached" in pruned[f"{kit}: ends too early"]["error"]


def test_training_stops_when_the_validation_loss_stops_improving(
    pruned: dict[str, Any], kit: str
) -> None:
    result = pruned[f"{kit}: patient"]
    assert result["trained"]["epochs"] < 60
    assert sparsity(result)["scores"] == pytest.approx(0.5, abs=0.05)


def test_loss_and_optimizer_are_the_requested_the_compiled_or_the_default_ones(
    pruned: dict[str, Any], kit: str
) -> None:
    def trained(name: str) -> tuple[Any, ...]:
        record = pruned[f"{kit}: {name}"]["trained"]
        return record["losses"], record["optimizer"], record["learning_rate"]

    default = {"scores": "sparse_categorical_crossentropy"}
    assert trained("trained") == (default, "SGD", 0.05)
    assert trained("optimizer") == (default, "AdamW", 0.002)
    assert trained("loss") == ({"scores": "categorical_crossentropy"}, "SGD", 0.05)
    assert trained("distilled")[0] == {"scores": "distillation"}
    assert trained("two, trained")[0] == {
        "kind": "sparse_categorical_crossentropy",
        "value": "mean_squared_error",
    }
    assert "choose one of adadelta" in pruned[f"{kit}: unknown optimizer"]["error"]
    assert (
        "did you mean 'binary_crossentropy'? not one of Keras's"
        in pruned[f"{kit}: unknown loss"]["error"]
    )


def test_two_devices_train_as_one_does(pruned: dict[str, Any], kit: str) -> None:
    single, mirrored = pruned[f"{kit}: trained"], pruned[f"{kit}: mirrored"]
    assert pruned["replicas"] == 2
    for name in single["weights"]:
        np.testing.assert_allclose(weights(mirrored, name), weights(single, name), atol=1e-3)
    error = pruned[f"{kit}: subclassed, mirrored"]["error"]
    assert "a strategy of tf.distribute needs a model that TFMOT can wrap" in error


def test_a_ported_model_is_trained_as_the_same_model_of_tf_keras(pruned: dict[str, Any]) -> None:
    def losses(name: str) -> list[str]:
        return [line.split(",")[0] for line in pruned[name]["progress"]]

    for name in ("trained", "two, trained", "distilled"):
        assert losses(f"keras: {name}") == pytest.approx(losses(f"tf_keras: {name}"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sparsity": 0.5, "threshold": 0.1}, "a sparsity and a threshold cannot be combined"),
        ({"threshold": 0.1, "n_of_m": (2, 4)}, "a threshold and N of M cannot be combined"),
        ({"n_of_m": (4, 4)}, "4 of 4: the number of zeros must be at least 1 and less than 4"),
        ({"n_of_m": (2, 4), "block": (4, 1)}, "blocks and N of M cannot be combined"),
        ({"threshold": 0.1, "block": (4, 1)}, "prunes single weights, not blocks"),
        ({"threshold": -1.0}, "must be greater than 0"),
        ({"threshold": float("nan")}, "must be greater than 0"),
        ({"threshold": 0.1, "layers": (("a", 0.5),)}, "they can only be excluded, with 0"),
        ({"layers": (("a", 1.0),)}, "must be at least 0, which excludes them, and less than 1"),
        ({"block": (0, 1)}, "each side must be at least 1"),
        ({"threshold": 0.1, "fine_tune": FineTune()}, "prunes in one shot"),
    ],
)
def test_invalid_pruning_settings_are_rejected(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Prune(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0.0}, "learning rate 0.0: must be above 0"),
        ({"patience": 0}, "patience 0: wait at least 1 epoch"),
        ({"validation_split": 1.0}, "validation split 1.0: must lie between 0 and 1"),
        ({"strategy": "tpu"}, "choose one of mirrored, multi-worker"),
    ],
)
def test_invalid_training_settings_are_rejected(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FineTune(**settings)
    with pytest.raises(ConfigError, match="choose one of polynomial, constant"):
        Schedule(kind="linear")
    with pytest.raises(ConfigError, match="must be after the begin step 5"):
        Schedule(begin_step=5, end_step=5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"resume": True}, "resume: give the --checkpoints folder"),
        ({"train": None}, "fine-tuning needs training data: give --train"),
        ({"compress": ()}, "there is nothing to train: no compression step fine-tunes"),
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
            "several strategies .mirrored, multi-worker., but a process can have only one",
        ),
    ],
)
def test_training_settings_that_contradict_the_steps_are_rejected(
    settings: dict[str, Any], message: str
) -> None:
    valid = {"compress": (Prune(fine_tune=FineTune()),), "train": Path("train.npz")}
    with pytest.raises(ConfigError, match=message):
        ExportConfig(model=Path("m.h5"), output=Path("out"), **(valid | settings))


def arguments(digits: Path, *options: object) -> tuple[object, ...]:
    return (
        *(digits / "digits.h5", "--representative", digits / "calibration.npz"),
        *("--test", digits / "test.npz", *options),
    )


def test_zeros_in_the_float_file_are_zeros_in_the_int8_file(pruned_digits: Bundle) -> None:
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


def test_command_line_options_are_applied(digits: Path, tmp_path: Path) -> None:
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


def test_a_killed_run_resumes_with_the_same_result(
    digits: Path, tmp_path: Path, edgepack: Edgepack
) -> None:
    training = ("--train", digits / "train.npz", "--epochs", 12, "--target", "android-arm64")
    whole = export(tmp_path / "whole", *arguments(digits, *training))
    checkpoints = tmp_path / "checkpoints"
    saving = (*training, "--checkpoints", checkpoints)
    command = [sys.executable, "-m", "edgepack", "export", *map(str, arguments(digits, *saving))]
    command += ["--output", tmp_path / "killed"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not list(checkpoints.glob("*.npz")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)

    def error(*options: object) -> str:
        done = edgepack("export", *arguments(digits, *saving, *options), "--output", "out")
        assert done.returncode == 2
        return done.stderr.splitlines()[-1]

    assert "holds the checkpoint of an interrupted run; continue it with --resume" in error()
    assert "belongs to another model, other data or other options" in error(
        "--resume", "--sparsity", 0.6
    )
    resumed = export(tmp_path / "resumed", *arguments(digits, *saving, "--resume"))
    assert not checkpoints.exists()
    assert resumed.report["sparsity"] == whole.report["sparsity"]
    assert (resumed.folder / "int8.tflite").read_bytes() == (
        whole.folder / "int8.tflite"
    ).read_bytes()
    assert "holds no checkpoint to resume" in error("--resume")
    checkpoints.mkdir(exist_ok=True)
    (checkpoints / "fine-tuning.npz").write_bytes(b"junk")
    assert "damaged; remove it, and start again" in error("--resume")
    (tmp_path / "file").write_text("")
    saving = (*training, "--checkpoints", tmp_path / "file")
    assert "checkpoints cannot be saved there: File exists; choose a folder" in error()


@pytest.mark.slow
def test_80_percent_sparsity_costs_the_digits_one_point_at_most(
    digits: Path, tmp_path: Path
) -> None:
    training = ("--train", digits / "train.npz", "--epochs", 20, "--learning-rate", 0.003)
    report = export(tmp_path / "out", *arguments(digits, *training, "--sparsity", 0.8)).report
    assert report["sparsity"]["int8"]["overall"] >= 0.79
    for score in only(report)["int8"].values():
        assert score["value"] >= only(report)["float"] - 0.01
