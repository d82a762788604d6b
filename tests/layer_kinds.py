"""Save a model of each kind of layer of a Keras, and load it as edgepack does, as JSON.

Run as a script with ``keras`` or ``tf_keras``, in a process of its own. Tells, by kind and format,
what the model was refused for; None for one that loads.
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

from edgepack.config.export import ModelSource
from edgepack.core.errors import ModelError
from edgepack.load import load_model

IMAGE, SEQUENCE, VOLUME, FLAT = (8, 8, 3), (8, 3), (6, 6, 6, 2), (6,)

ENDINGS = (".keras", ".h5", "")

_Kinds = dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]]


def kinds(kit: Any) -> _Kinds:
    """Build layers by name: the shape of an input, and what is made of it."""
    layers = kit.layers
    found: _Kinds = {
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
    found |= {
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
    found |= {
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
    found |= {
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
        # That of Keras 2 saves what Keras 2 does not load.
        found["SpectralNormalization"] = (FLAT, layers.SpectralNormalization(layers.Dense(3)))
        found["MelSpectrogram"] = ((1024,), layers.MelSpectrogram(fft_length=256))
        found["AdaptiveAveragePooling2D"] = (IMAGE, layers.AdaptiveAveragePooling2D(2))
    else:
        found["LocallyConnected1D"] = (SEQUENCE, layers.LocallyConnected1D(2, 3))
        found["ThresholdedReLU"] = (IMAGE, layers.ThresholdedReLU())
    return found


def merges(kit: Any) -> Callable[[Any], Any]:
    """Join two branches in every way."""
    layers = kit.layers

    def build(given: Any) -> Any:
        other = layers.Dense(6)(given)
        names = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
        joined = [getattr(layers, name)()([given, other]) for name in names]
        return layers.Concatenate()([*joined, layers.Dot(axes=1)([given, other])])

    return build


def attention(kit: Any) -> Callable[[Any], Any]:
    """Attend in every way."""
    layers = kit.layers

    def build(given: Any) -> Any:
        attended = layers.MultiHeadAttention(2, 4)(given, given)
        return layers.AdditiveAttention()([layers.Attention()([given, attended]), attended])

    return build


def operations(kit: Any) -> Callable[[Any], Any]:
    """Compute without layers: by operators and functions, on which Keras puts layers itself."""
    if kit.__name__ == "keras":
        ops = kit.ops

        def build(given: Any) -> Any:
            made = ops.sin(given * 2.0 + 1.0)[:, 1:4]
            return ops.concatenate([made, ops.mean(ops.abs(given), axis=-1, keepdims=True)], -1)

        return build
    import tensorflow as tf

    def legacy(given: Any) -> Any:
        made = tf.math.sin(given * 2.0 + 1.0)[:, 1:4]
        mean = tf.reduce_mean(tf.abs(given), axis=-1, keepdims=True)
        joined = tf.concat([made, mean, tf.nn.relu6(tf.reshape(given, [-1, 6]))], axis=-1)
        return tf.clip_by_value(tf.cast(joined, tf.float32), -1.0, 1.0)

    return legacy


NOT_IN_HDF5 = {"attention", "operations"}
"""What Keras 3 saves as HDF5, but does not load again."""


def loaded(path: Path) -> str | None:
    """Load a model; returns why it was refused."""
    try:
        load_model(ModelSource(path=path))
    except ModelError as error:
        return str(error).removeprefix(f"{path}: ")
    return None


def results(kit: Any, folder: Path) -> Iterator[tuple[str, str | None]]:
    """Save each kind in each format, and load it."""
    for number, (name, (shape, layer)) in enumerate(kinds(kit).items()):
        given = kit.layers.Input(shape)
        kit.utils.set_random_seed(0)
        model = kit.Model(given, layer(given))
        model.compile("adam", "mse", metrics=["mae"])
        is_slow = name not in ("nested", "operations", "Bidirectional", "merges", "Normalization")
        for ending in (".keras", ".h5") if kit.__name__ == "keras" or is_slow else ENDINGS:
            if kit.__name__ == "keras" and ending == ".h5" and name in NOT_IN_HDF5:
                continue
            path = folder / f"{number}{ending}"
            model.save(path)
            yield f"{name}{ending or ' (SavedModel)'}", loaded(path)


def main() -> None:
    """Print the results."""
    kit = importlib.import_module(sys.argv[1])
    np.random.seed(0)
    with tempfile.TemporaryDirectory() as folder:
        found = dict(results(kit, Path(folder)))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
