"""Load a model of each kind of layer of a Keras as edgepack does, and print the errors as JSON.

Run as a script with ``keras`` or ``tf_keras``, in a process of its own. Prints the error by kind
and format, None for a model that is loaded.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np

from edgepack.config.model_source import ModelSource
from edgepack.core.errors import ModelError
from edgepack.load import load_model

IMAGE, SEQUENCE, VOLUME, FLAT = (8, 8, 3), (8, 3), (6, 6, 6, 2), (6,)

ENDINGS = (".keras", ".h5", "")

_Kinds = dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]]


def kinds(kit: Any) -> _Kinds:
    """Return the shape of an input and a layer or function to apply to it, by name."""
    layers = kit.layers
    by_name: _Kinds = {
        name: (IMAGE, getattr(layers, name)(*arguments))
        for name, arguments in {
            "Conv2D": (4, 3),
            "Conv2DTranspose": (4, 3),
            "DepthwiseConv2D": (3,),
            "SeparableConv2D": (4, 3),
            "MaxPooling2D": (),
            "AveragePooling2D": (2,),
            "GlobalAveragePooling2D": (),
            "GlobalMaxPooling2D": (),
            "BatchNormalization": (),
            "LayerNormalization": (),
            "GroupNormalization": (3,),
            "UnitNormalization": (),
            "UpSampling2D": (),
            "ZeroPadding2D": (),
            "Cropping2D": (),
            "Flatten": (),
            "Dropout": (0.1,),
            "SpatialDropout2D": (0.1,),
            "GaussianNoise": (0.1,),
            "AlphaDropout": (0.1,),
            "GaussianDropout": (0.1,),
            "Reshape": ((64, 3),),
            "Permute": ((2, 1, 3),),
            "Activation": ("tanh",),
            "ReLU": (6.0,),
            "PReLU": (),
            "LeakyReLU": (),
            "ELU": (),
            "Softmax": (),
            "ActivityRegularization": (0.1,),
            "Rescaling": (0.5,),
            "Resizing": (4, 4),
            "CenterCrop": (4, 4),
            "RandomFlip": (),
            "RandomRotation": (0.1,),
            "RandomZoom": (0.1,),
            "RandomContrast": (0.1,),
            "RandomTranslation": (0.1, 0.1),
            "RandomCrop": (4, 4),
        }.items()
    }
    by_name |= {
        name: (SEQUENCE, getattr(layers, name)(*arguments))
        for name, arguments in {
            "Conv1D": (4, 3),
            "Conv1DTranspose": (4, 3),
            "SeparableConv1D": (4, 3),
            "DepthwiseConv1D": (3,),
            "MaxPooling1D": (2,),
            "AveragePooling1D": (2,),
            "GlobalAveragePooling1D": (),
            "GlobalMaxPooling1D": (),
            "UpSampling1D": (),
            "ZeroPadding1D": (),
            "Cropping1D": (),
            "Masking": (),
            "LSTM": (4,),
            "GRU": (4,),
            "SimpleRNN": (4,),
        }.items()
    }
    by_name |= {
        name: (VOLUME, getattr(layers, name)(*arguments))
        for name, arguments in {
            "Conv3D": (2, 3),
            "Conv3DTranspose": (2, 3),
            "MaxPooling3D": (),
            "AveragePooling3D": (2,),
            "GlobalAveragePooling3D": (),
            "UpSampling3D": (),
            "ZeroPadding3D": (),
            "Cropping3D": (),
            "ConvLSTM2D": (2, 3),
        }.items()
    }
    by_name |= {
        "Dense": (
            FLAT,
            layers.Dense(
                3,
                activation="relu",
                kernel_initializer=kit.initializers.HeNormal(),
                kernel_regularizer=kit.regularizers.L2(0.01),
                bias_constraint=kit.constraints.MaxNorm(1.0),
            ),
        ),
        "RepeatVector": (FLAT, layers.RepeatVector(3)),
        "Discretization": (FLAT, layers.Discretization(bin_boundaries=[0.0, 1.0])),
        "CategoryEncoding": (FLAT, layers.CategoryEncoding(num_tokens=4)),
        "Embedding": (FLAT, layers.Embedding(10, 4)),
        "EinsumDense": (SEQUENCE, layers.EinsumDense("abc,cd->abd", (8, 5))),
        "Bidirectional": (SEQUENCE, layers.Bidirectional(layers.LSTM(4))),
        "TimeDistributed": (SEQUENCE, layers.TimeDistributed(layers.Dense(2))),
        "RNN": (SEQUENCE, layers.RNN(layers.LSTMCell(4))),
        "custom activation": (FLAT, layers.Dense(3, activation=kit.activations.gelu)),
        "nested": (FLAT, kit.Sequential([layers.Input(FLAT), layers.Dense(3)])),
        "Normalization": (FLAT, layers.Normalization(mean=[0.0] * 6, variance=[1.0] * 6)),
        "merges": (FLAT, merges(kit)),
        "attention": (SEQUENCE, attention(kit)),
        "operations": (FLAT, operations(kit)),
    }
    if kit.__name__ == "keras":
        # Keras 2 cannot load its own SpectralNormalization.
        by_name["SpectralNormalization"] = (FLAT, layers.SpectralNormalization(layers.Dense(3)))
        by_name["MelSpectrogram"] = ((1024,), layers.MelSpectrogram(fft_length=256))
        by_name["AdaptiveAveragePooling2D"] = (IMAGE, layers.AdaptiveAveragePooling2D(2))
    else:
        by_name["LocallyConnected1D"] = (SEQUENCE, layers.LocallyConnected1D(2, 3))
        by_name["ThresholdedReLU"] = (IMAGE, layers.ThresholdedReLU())
    return by_name


def merges(kit: Any) -> Callable[[Any], Any]:
    """Return a function that merges two branches by every merging layer."""
    layers = kit.layers

    def build(inputs: Any) -> Any:
        other = layers.Dense(6)(inputs)
        names = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
        merged = [getattr(layers, name)()([inputs, other]) for name in names]
        return layers.Concatenate()([*merged, layers.Dot(axes=1)([inputs, other])])

    return build


def attention(kit: Any) -> Callable[[Any], Any]:
    """Return a function that applies every attention layer."""
    layers = kit.layers

    def build(inputs: Any) -> Any:
        attended = layers.MultiHeadAttention(2, 4)(inputs, inputs)
        return layers.AdditiveAttention()([layers.Attention()([inputs, attended]), attended])

    return build


def operations(kit: Any) -> Callable[[Any], Any]:
    """Return a function of operators and functions, for which Keras creates layers itself."""
    if kit.__name__ == "keras":
        ops = kit.ops

        def build(inputs: Any) -> Any:
            sliced = ops.sin(inputs * 2.0 + 1.0)[:, 1:4]
            return ops.concatenate([sliced, ops.mean(ops.abs(inputs), axis=-1, keepdims=True)], -1)

        return build
    import tensorflow as tf

    def legacy(inputs: Any) -> Any:
        sliced = tf.math.sin(inputs * 2.0 + 1.0)[:, 1:4]
        mean = tf.reduce_mean(tf.abs(inputs), axis=-1, keepdims=True)
        joined = tf.concat([sliced, mean, tf.nn.relu6(tf.reshape(inputs, [-1, 6]))], axis=-1)
        return tf.clip_by_value(tf.cast(joined, tf.float32), -1.0, 1.0)

    return legacy


NOT_IN_HDF5 = {"attention", "operations"}
"""Models that Keras 3 saves as HDF5, but cannot load again."""


def load_error(path: Path) -> str | None:
    """Load a model; return the error, or None."""
    try:
        load_model(ModelSource(path=path))
    except ModelError as error:
        return str(error).removeprefix(f"{path}: ")
    return None


def results(kit: Any, folder: Path) -> Iterator[tuple[str, str | None]]:
    """Save each kind in each format, and load it; yield the error by kind and format."""
    for number, (name, (shape, layer)) in enumerate(kinds(kit).items()):
        inputs = kit.layers.Input(shape)
        kit.utils.set_random_seed(0)
        model = kit.Model(inputs, layer(inputs))
        model.compile("adam", "mse", metrics=["mae"])
        is_slow = name not in ("nested", "operations", "Bidirectional", "merges", "Normalization")
        for ending in (".keras", ".h5") if kit.__name__ == "keras" or is_slow else ENDINGS:
            if kit.__name__ == "keras" and ending == ".h5" and name in NOT_IN_HDF5:
                continue
            path = folder / f"{number}{ending}"
            model.save(path)
            yield f"{name}{ending or ' (SavedModel)'}", load_error(path)


def main() -> None:
    """Print the results."""
    kit = importlib.import_module(sys.argv[1])
    np.random.seed(0)
    with tempfile.TemporaryDirectory() as folder:
        errors = dict(results(kit, Path(folder)))
    sys.stdout.write(json.dumps(errors))


if __name__ == "__main__":
    main()
