"""Lints data, correctly and wrongly prepared, with models; prints the findings as JSON.

Run it as a script with the folder of the digits model, and optionally the folders of MLPerf Tiny's
models and data, in a process of its own, like the TensorFlow worker.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import keras
import numpy as np
import tf_keras

from edgepack.calibration.lint import REPRESENTATIVE
from edgepack.calibration.lint.model_rules import choose_lint_samples, lint_training
from edgepack.config.model_source import ModelSource
from edgepack.core.signature import Signature
from edgepack.load import load_model
from edgepack.load.keras_model import KerasModel
from edgepack.load.loaded_model import FloatModel
from edgepack.storage.dataset import Dataset

IMAGE = (8, 8, 3)
Arrays = dict[str, np.ndarray]
Findings = list[list[str]]
"""The rule and the cure of each finding."""


def lint(model: FloatModel, inputs: Arrays, labels: Arrays | None = None) -> Findings:
    findings, _ = lint_training(model, REPRESENTATIVE, inputs, labels or {})
    return [[finding.rule, finding.cure] for finding in findings]


def fit_statistics(model: Any, inputs: Any) -> Any:
    """Set the statistics of batch normalization to those of the inputs, as training would."""
    for layer in model._flatten_layers():
        if hasattr(layer, "moving_mean"):
            layer.momentum = 0.0
    model(inputs, training=True)
    return model


def sequential(kit: Any) -> Any:
    layers = kit.layers
    return kit.Sequential(
        [
            *(layers.Input(IMAGE), layers.Conv2D(6, 3, activation="relu")),
            *(layers.BatchNormalization(), layers.Flatten(), layers.Dense(4)),
        ]
    )


def nested(kit: Any) -> Any:
    """Build a model in a model, with the channels first."""
    layers = kit.layers
    inner = kit.Sequential([layers.Input((3, 8, 8)), layers.BatchNormalization(axis=1)])
    inputs = layers.Input(IMAGE)
    hidden = inner(layers.Permute((3, 1, 2))(layers.Dense(3)(inputs)))
    return kit.Model(inputs, layers.Dense(2)(layers.Flatten()(hidden)))


def subclassed(kit: Any) -> Any:
    class Own(kit.Model):
        def __init__(self) -> None:
            super().__init__()
            self.first = kit.layers.Dense(5, activation="relu")
            self.normalize = kit.layers.BatchNormalization()

        def call(self, inputs: Any, training: bool = False) -> Any:
            return self.normalize(self.first(inputs), training=training)

    model = Own()
    model(np.zeros((1, *IMAGE), np.float32))
    if kit is tf_keras:
        model._set_save_spec(np.zeros((1, *IMAGE), np.float32))
    return model


def rescaled(kit: Any) -> Any:
    layers = kit.layers
    front = (layers.Input(IMAGE), layers.RandomFlip(), layers.Rescaling(1 / 255))
    return kit.Sequential([*front, layers.Conv2D(4, 3), layers.Flatten()])


def standardized(kit: Any) -> Any:
    statistics = kit.layers.Normalization()
    statistics.adapt(images() * 255)
    return kit.Sequential([kit.layers.Input(IMAGE), statistics, kit.layers.Flatten()])


def images() -> np.ndarray:
    return np.random.default_rng(0).beta(2, 3, (40, *IMAGE)).astype(np.float32)


TRAINED_ON: dict[Callable[[Any], Any], float] = {
    sequential: 1,
    nested: 1,
    subclassed: 1,
    rescaled: 255,
    standardized: 255,
}


def lint_small_models() -> Iterator[tuple[str, Findings]]:
    """Lint images of 0..1 and 0..255 with models of both versions of Keras."""
    for kit in (keras, tf_keras):
        kit.utils.set_random_seed(0)
        loaded = KerasModel(sequential(kit), kit, Path("model"))
        name = loaded.signature.inputs[0].name
        yield f"{kit.__name__} untrained", lint(loaded, {name: images() * 255})
        for build, scale in TRAINED_ON.items():
            model = fit_statistics(build(kit), images() * scale)
            loaded = KerasModel(model, kit, Path("model"))
            name = loaded.signature.inputs[0].name
            for maximum in (1, 255):
                findings = lint(loaded, {name: images() * maximum})
                yield f"{kit.__name__} {build.__name__} on 0..{maximum}", findings
            assert not any("call" in vars(layer) for layer in model._flatten_layers())
        yield f"{kit.__name__} swapped", lint_swapped_inputs(kit)


def lint_swapped_inputs(kit: Any) -> Findings:
    """Lint the data of two inputs that are swapped."""
    layers, random = kit.layers, np.random.default_rng(0)
    left, right = layers.Input((6,), name="left"), layers.Input((6,), name="right")
    branches = [layers.BatchNormalization()(layers.Dense(6)(each)) for each in (left, right)]
    inputs = {
        "left": random.normal(0, 1, (40, 6)).astype(np.float32),
        "right": random.normal(5, 3, (40, 6)).astype(np.float32),
    }
    model = fit_statistics(kit.Model([left, right], layers.Add()(branches)), list(inputs.values()))
    loaded = KerasModel(model, kit, Path("model"))
    assert lint(loaded, inputs) == []
    return lint(loaded, {"left": inputs["right"], "right": inputs["left"]})


def lint_datasets(name: str, model: Path, *datasets: Path) -> Iterator[tuple[str, Findings]]:
    """Lint datasets of a trained model, as they are and wrongly scaled."""
    loaded = load_model(ModelSource(path=model))
    for path in datasets:
        dataset = read(path, loaded.signature)
        inputs, chosen = choose_lint_samples(dataset)
        scales = {"as it is": 1, "times 255": 255, "over 255": 1 / 255, "times 16": 16}
        for with_labels in {False, bool(dataset.labels)}:
            chosen_labels = {
                key: array.reshape(-1)[chosen] for key, array in dataset.labels.items()
            }
            labels = chosen_labels if with_labels else {}
            for scale, factor in scales.items():
                scaled = {key: array * np.float32(factor) for key, array in inputs.items()}
                case = f"{name} {path.stem} {scale}{', with labels' * with_labels}"
                yield case, lint(loaded, scaled, labels)


def read(path: Path, signature: Signature) -> Dataset:
    """Read an .npz for a model with one input and one output."""
    arrays = np.load(path)
    (spec,), (output,) = signature.inputs, signature.outputs
    labels = {output.name: arrays["y"]} if "y" in arrays else {}
    return Dataset(source=path, inputs={spec.name: arrays["x"].astype(spec.dtype)}, labels=labels)


def main(digits: Path, models: Path | None = None, data: Path | None = None) -> None:
    """Print the findings by case."""
    findings = dict(lint_small_models())
    sets = [digits / f"{name}.npz" for name in ("calibration", "test")]
    findings |= lint_datasets("digits", digits / "digits.h5", *sets)
    if models and data:
        kws = [data / f"kws_{name}.npz" for name in ("calibration", "test")]
        findings |= lint_datasets("kws", models / "kws" / "kws_ref_model", *kws)
        ic = [data / "ic_calibration.npz", models / "ic" / "test.npz"]
        findings |= lint_datasets("ic", models / "ic" / "pretrainedResnet.h5", *ic)
        findings |= lint_datasets("ad", models / "ad" / "ad01.h5", models / "ad" / "windows.npz")
    sys.stdout.write(json.dumps(findings))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
