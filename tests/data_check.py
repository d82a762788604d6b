"""Compares preprocessing with TensorFlow's, and reads data that need TensorFlow.

Run it as a script, in a process of its own, so that the tests' process does not load TensorFlow.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image as Picture

from edgepack.calibration.datasets.preprocess import preprocess
from edgepack.calibration.datasets.read import read_dataset
from edgepack.calibration.datasets.sources import find_source
from edgepack.calibration.datasets.sources.source import Context
from edgepack.config.preprocessing import Audio, Image, Preprocessing
from edgepack.config.project_file import ProjectFile
from edgepack.core.errors import DatasetError
from edgepack.core.signature import Signature, TensorSpec

WAVE = np.random.default_rng(0).uniform(-1, 1, (2, 16000)).astype(np.float32)


def by_tensorflow(audio: Audio) -> np.ndarray:
    """Compute features of WAVE as in the documentation of tf.signal."""
    spectrum = tf.abs(tf.signal.stft(WAVE, audio.frame_length, audio.frame_step, audio.fft_length))
    matrix = tf.signal.linear_to_mel_weight_matrix(
        audio.mel_bins, spectrum.shape[-1], audio.sample_rate, audio.lower_hz, audio.top_hz
    )
    mel = tf.math.log(tf.tensordot(spectrum, matrix, 1) + audio.log_offset)
    if audio.features == "log-mel":
        return mel.numpy()
    return tf.signal.mfccs_from_log_mel_spectrograms(mel)[..., : audio.coefficients].numpy()


def differences() -> dict[str, float]:
    """Return the largest absolute difference from TensorFlow's result of each case."""
    largest = {}
    for features, length, step, fft in (
        ("log-mel", 480, 320, None),
        ("mfcc", 480, 320, None),
        ("mfcc", 1024, 512, 2048),
        ("log-mel", 401, 160, 512),
    ):
        audio = Audio(
            sample_rate=16000,
            features=features,
            frame_length=length,
            frame_step=step,
            fft_length=fft,
            upper_hz=4000.0 if length == 480 else None,
        )
        ours = preprocess(Preprocessing(audio=audio), WAVE)
        largest[f"{features} {length}"] = float(np.abs(ours - by_tensorflow(audio)).max())
    for size in ((8, 8), (5, 31), (48, 10), (37, 53)):
        images = np.random.default_rng(1).integers(0, 256, (2, 37, 23, 3)).astype(np.uint8)
        ours = preprocess(Preprocessing(image=Image(resize=size)), images)
        expected = tf.image.resize(images, size).numpy()
        largest[f"resize {size}"] = float(np.abs(ours - expected).max())
    return largest


class Batches(keras.utils.PyDataset):
    """Three batches of two samples."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Any:
        return np.full((2, 2), index), np.full(2, index)


def records(path: Path, *features: dict[str, Any], compression: str = "") -> Path:
    """Write a TFRecord file with one example for each of ``features``."""
    kinds = {bytes: "bytes_list", int: "int64_list", float: "float_list"}
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for feature in features:
            example = tf.train.Example()
            for name, values in feature.items():
                kind = kinds[type(values[0])]
                getattr(example.features.feature[name], kind).value.extend(values)
            writer.write(example.SerializeToString())
    return path


def read(
    folder: Path,
    data: Any,
    *shape: int,
    samples: int | None = None,
    label: str | None = None,
) -> Any:
    """Read data; returns the first value of each sample and the labels, or the error message."""
    signature = Signature(
        inputs=(TensorSpec(name="image", shape=shape or (2,), dtype="float32"),),
        outputs=(TensorSpec(name="scores", shape=(3,), dtype="float32"),),
    )
    context = Context(signature=signature, project_file=ProjectFile(label=label), samples=samples)
    try:
        dataset = read_dataset(data, context, folder / "spool").dataset()
    except DatasetError as error:
        return str(error).replace(f"{folder}/", "")
    inputs = dataset.inputs["image"].reshape(len(dataset), -1)[:, 0].tolist()
    return [inputs, dataset.labels["scores"].tolist() if dataset.labels else None]


def reading(folder: Path) -> dict[str, Any]:
    """Read data of each kind."""
    pairs = tf.data.Dataset.from_tensor_slices((np.arange(8.0).reshape(4, 2), np.arange(4)))
    lists = [{"image": [float(i), 0.5], "label": [i]} for i in range(4)]
    path = records(folder / "d.tfrecord", *lists)
    whole = path.read_bytes()
    (folder / "cut").write_bytes(whole[:-3])
    (folder / "cut in a head").write_bytes(whole + whole[:11])
    (folder / "cut, zipped").write_bytes(gzip.compress(whole)[:-9])
    Picture.new("RGB", (3, 2), (9, 8, 7)).save(folder / "a.png")
    encoded = {"image": [(folder / "a.png").read_bytes()], "y": [1]}
    raw = {"image": [bytes(range(18))], "y": [1]}
    return {
        "tf.data": read(folder, pairs),
        "tf.data in batches": read(folder, pairs.batch(3)),
        "tf.data by name": read(folder, pairs.map(lambda x, y: ({"image": x}, y))),
        "tf.data, endless": read(folder, pairs.repeat()),
        "tf.data, endless, first": read(folder, pairs.repeat(), samples=5),
        "tf.data that ends": read(folder, pairs, samples=5),
        "tf.data without samples": read(folder, pairs.take(0)),
        "Sequence": read(folder, Batches()),
        "records": read(folder, path, label="label"),
        "records, two": read(folder, path, label="label", samples=2),
        "records, compressed": read(folder, records(folder / "z", *lists, compression="GZIP")),
        "records, cut": read(folder, folder / "cut"),
        "records, cut in a head": read(folder, folder / "cut in a head"),
        "records, cut, zipped": read(folder, folder / "cut, zipped"),
        "records of images": read(folder, records(folder / "i", encoded, raw), 2, 3, 3),
        "records, label missing": read(folder, records(folder / "m", *lists, {"image": [0.5]})),
        "records, one without label": read(
            folder, records(folder / "m", *lists, {"image": [0.5]}), label="label"
        ),
        "records, no such label": read(folder, path, label="kind"),
        "records without the input": read(folder, records(folder / "n", {"x1": [1]})),
        "no records": read(folder, records(folder / "empty")),
        "is isolated": find_source(path).is_isolated,
    }


def main() -> None:
    """Print the differences and the results of reading as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        results = {"differences": differences(), "reading": reading(Path(folder))}
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main()
