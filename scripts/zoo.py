#!/usr/bin/env python3
"""Take models of many kinds through load, prune 50% in one shot, int8, LiteRT and TFLM.

Prints a table: each row works, or names the reason why not.

    .venv/bin/python scripts/zoo.py                   # all, some ten minutes
    .venv/bin/python scripts/zoo.py 'VAE*' 'LSTM'     # those that match
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from edgepack import EdgepackError, ExportConfig, ExportReport, Prune, export
from edgepack.workers.client import Worker

SPARSITY = 0.5
SAMPLES = 12
CLASSES = 10
IMAGE = (32, 32, 3)
SEQUENCE = (20, 6)
LATENT = 8
# With memory for every model: where a model cannot fit, TFLM would only load it.
BOARD = """
description = "A microcontroller with memory for every model"
kind = "microcontroller"
processor = "Arm Cortex-M4F"
clock_mhz = 64.0
sources = ["none: it does not exist"]
quantization = "full-integer"
data_types = ["bool", "float32", "int4", "int8", "int16", "int32", "int64", "resource", "uint8"]
kernels = "cmsis-nn-dsp"
flash_bytes = 1073741824
ram_bytes = 1073741824
application_flash_share = 0
application_ram_share = 0

[interpreters]
tflm = "0.dev20251025125227"
"""
APPLICATIONS = {
    "MobileNet": IMAGE,
    "MobileNetV2": IMAGE,
    "MobileNetV3Small": IMAGE,
    "EfficientNetB0": IMAGE,
    "EfficientNetV2B0": IMAGE,
    "ResNet50": IMAGE,
    "DenseNet121": IMAGE,
    "Xception": (71, 71, 3),
    "NASNetMobile": IMAGE,
    "InceptionV3": (75, 75, 3),
    "ConvNeXtTiny": IMAGE,
}


def application(name: str) -> Callable[[Any], Any]:
    """Build a model of keras.applications with random weights."""

    def build(kit: Any) -> Any:
        return getattr(kit.applications, name)(
            input_shape=APPLICATIONS[name], weights=None, classes=CLASSES
        )

    return build


def unet(kit: Any) -> Any:
    """Build a U-Net."""
    layers = kit.layers
    inputs = layers.Input(IMAGE)
    skips, hidden = [], inputs
    for width in (8, 16):
        hidden = layers.Conv2D(width, 3, padding="same", activation="relu")(hidden)
        skips.append(hidden)
        hidden = layers.MaxPooling2D()(hidden)
    hidden = layers.Conv2D(32, 3, padding="same", activation="relu")(hidden)
    for width in (16, 8):
        hidden = layers.Conv2DTranspose(width, 3, strides=2, padding="same")(hidden)
        hidden = layers.Concatenate()([hidden, skips.pop()])
        hidden = layers.Conv2D(width, 3, padding="same", activation="relu")(hidden)
    return kit.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(hidden))


def two_in_two_out(kit: Any) -> Any:
    """Build a model of an image and numbers, a class and a value."""
    layers = kit.layers
    image, numbers = layers.Input(IMAGE, name="image"), layers.Input((6,), name="numbers")
    hidden = layers.Conv2D(8, 3, strides=2, activation="relu")(image)
    hidden = layers.Concatenate()(
        [layers.GlobalAveragePooling2D()(hidden), layers.Dense(8, "relu")(numbers)]
    )
    outputs = {
        "kind": layers.Dense(CLASSES, "softmax", name="kind")(hidden),
        "value": layers.Dense(1, name="value")(hidden),
    }
    return kit.Model([image, numbers], list(outputs.values()))


def conv1d(kit: Any) -> Any:
    """Build a classifier of sequences."""
    layers = kit.layers
    return kit.Sequential(
        [
            *(layers.Input(SEQUENCE), layers.Conv1D(16, 3, activation="relu")),
            *(layers.MaxPooling1D(), layers.Conv1D(16, 3), layers.BatchNormalization()),
            *(layers.ReLU(), layers.GlobalAveragePooling1D(), layers.Dense(CLASSES, "softmax")),
        ]
    )


def recurrent(*make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Build a classifier of sequences with these layers in front."""

    def build(kit: Any) -> Any:
        return kit.Sequential(
            [
                kit.layers.Input(SEQUENCE),
                *(layer(kit.layers) for layer in make),
                kit.layers.Dense(CLASSES, "softmax"),
            ]
        )

    return build


def transformer(kit: Any) -> Any:
    """Build a block of a transformer."""
    layers = kit.layers
    inputs = layers.Input(SEQUENCE)
    hidden = layers.Dense(16)(inputs)
    attended = layers.MultiHeadAttention(2, 8)(hidden, hidden)
    hidden = layers.LayerNormalization()(layers.Add()([hidden, attended]))
    mixed = layers.Dense(16)(layers.Dense(32, "relu")(hidden))
    hidden = layers.LayerNormalization()(layers.Add()([hidden, mixed]))
    return kit.Model(inputs, layers.Dense(CLASSES)(layers.GlobalAveragePooling1D()(hidden)))


def generator(kit: Any) -> Any:
    """Build the generator of a GAN."""
    layers = kit.layers
    model = kit.Sequential(
        [layers.Input((LATENT,)), layers.Dense(4 * 4 * 16), layers.Reshape((4, 4, 16))]
    )
    for width in (16, 8):
        model.add(layers.Conv2DTranspose(width, 4, strides=2, padding="same", use_bias=False))
        model.add(layers.BatchNormalization())
        model.add(layers.LeakyReLU())
    model.add(layers.Conv2DTranspose(3, 4, strides=2, padding="same", activation="tanh"))
    return model


def latent(kit: Any, hidden: Any, *, always: bool) -> Any:
    """Add the mean, the variance and the sampling of a VAE."""
    import zoo_layers

    kind = "AlwaysSampling" if always else "Sampling"
    sampling = getattr(zoo_layers, kind if kit.__name__ == "keras" else f"Legacy{kind}")
    layers = kit.layers
    return sampling()([layers.Dense(LATENT)(hidden), layers.Dense(LATENT)(hidden)])


def vae(kit: Any, *, always: bool = False) -> Any:
    """Build a variational autoencoder of images."""
    layers = kit.layers
    inputs = layers.Input((16, 16, 1))
    hidden = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(inputs)
    hidden = latent(kit, layers.Flatten()(hidden), always=always)
    hidden = layers.Reshape((8, 8, 4))(layers.Dense(8 * 8 * 4, "relu")(hidden))
    outputs = layers.Conv2DTranspose(1, 3, strides=2, padding="same", activation="sigmoid")(hidden)
    return kit.Model(inputs, outputs)


def recurrent_vae(kit: Any) -> Any:
    """Build one of sequences."""
    layers = kit.layers
    inputs = layers.Input(SEQUENCE)
    hidden = latent(kit, layers.LSTM(16)(inputs), always=False)
    hidden = layers.RepeatVector(SEQUENCE[0])(hidden)
    hidden = layers.LSTM(16, return_sequences=True)(hidden)
    return kit.Model(inputs, layers.TimeDistributed(layers.Dense(SEQUENCE[1]))(hidden))


MODELS: dict[str, Callable[[Any], Any]] = {
    **{name: application(name) for name in APPLICATIONS},
    "U-Net": unet,
    "two in, two out": two_in_two_out,
    "Sequential of Conv1D": conv1d,
    "LSTM": recurrent(lambda layers: layers.LSTM(16)),
    "GRU": recurrent(lambda layers: layers.GRU(16)),
    "Bidirectional": recurrent(lambda layers: layers.Bidirectional(layers.LSTM(8))),
    "MultiHeadAttention block": transformer,
    "GAN generator": generator,
    "VAE": vae,
    "VAE, sampling in use": lambda kit: vae(kit, always=True),
    "recurrent VAE": recurrent_vae,
}


def adapt(model: Any, inputs: list[Any]) -> None:
    """Let batch normalization see the data once.

    With its first statistics the activations of a deep model with random weights fade away, until
    no interpreter can tell them from zero.
    """
    layers = [layer for layer in model._flatten_layers() if hasattr(layer, "moving_mean")]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    model(inputs[0] if len(inputs) == 1 else inputs, training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


class Builder:
    """Builds and saves models, in a process of its own: Keras stays out of this one."""

    def build(self, *, name: str, kit: str, folder: str, update: Any) -> str:
        """Save a model and data for it into a folder; returns the model's path."""
        import importlib

        update(0, 1)
        keras = importlib.import_module(kit)
        keras.utils.set_random_seed(0)
        model = MODELS[name](keras)
        random = np.random.default_rng(0)
        arrays = {
            tensor._keras_history[0].name: random.normal(size=(SAMPLES, *tensor.shape[1:])).astype(
                np.float32
            )
            for tensor in model.inputs
        }
        adapt(model, list(arrays.values()))
        np.savez(Path(folder) / "data.npz", **arrays)
        # tf-keras cannot load the .keras file that it saves of this one.
        is_legacy = name == "ConvNeXtTiny" and kit == "tf_keras"
        path = Path(folder) / f"model{'.h5' if is_legacy else '.keras'}"
        model.save(path)
        return str(path)


def objects(kit: str, name: str) -> tuple[str, ...]:
    """Name the layers of one's own that a model is built of."""
    if name == "ConvNeXtTiny" and kit == "tf_keras":
        return ("tf_keras.src.applications.convnext:LayerScale",)
    if "VAE" not in name:
        return ()
    kind = "AlwaysSampling" if name.endswith("in use") else "Sampling"
    return (f"zoo_layers:{kind if kit == 'keras' else f'Legacy{kind}'}",)


def row(name: str, kit: str, builder: Worker) -> list[str]:
    """Export a model; tell how it went in a row of the table."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        model = Path(builder.call("build", name=name, kit=kit, folder=folder))
        board = Path(folder) / "board.toml"
        board.write_text(BOARD)
        config = ExportConfig(
            model=model,
            custom_objects=objects(kit, name),
            representative=Path(folder) / "data.npz",
            output=Path(folder) / "out",
            targets=("android-arm64", str(board)),
            compress=(Prune(sparsity=SPARSITY),),
        )
        try:
            cells = tell(export(config))
        except EdgepackError as error:
            cells = ["-", "-", str(error).replace(f"{folder}/", ""), "-"]
    return [name, kit, *cells, f"{time.monotonic() - started:.0f} s"]


def tell(report: ExportReport) -> list[str]:
    """Say how a model was pruned and how it runs."""
    runs = []
    for name in ("litert", "tflm"):
        runtime = report.runtimes[name]
        ratios = [
            output.quantized[name].sqnr_db
            for output in report.comparison.outputs.values()
            if name in output.quantized
        ]
        known = [ratio for ratio in ratios if ratio is not None]
        sqnr = f"{min(known):.1f} dB" if known else "equal"
        off = max((found.max_lsb for found in runtime.deviations.values()), default=None)
        if name == "tflm" and off is not None:
            sqnr += ", bit-exact" if off == 0 else f", off by {off} LSB"
        elif name == "tflm":
            sqnr += ", reference in doubt"
        runs.append(runtime.failure or sqnr)
    return [
        report.compression[-1].record.way if report.compression else "-",
        f"{report.sparsity.quantized.overall:.1%}",
        *runs,
    ]


def main(patterns: list[str]) -> None:
    """Print the table, row by row."""
    names = [
        name
        for name in MODELS
        if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
    ]
    if not names:
        sys.exit(f"no model is named {' or '.join(patterns)}: the models are {', '.join(MODELS)}")
    print("| model | saved by | pruned | zeros in int8 | LiteRT | TFLM | time |")
    print("|---|---|---|---|---|---|---|")
    with Worker("zoo:Builder", label="the builder") as builder:
        for name in names:
            for kit in ("keras", "tf_keras"):
                print(f"| {' | '.join(row(name, kit, builder))} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
