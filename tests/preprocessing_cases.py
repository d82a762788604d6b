"""Cases of preprocess.h: samples, how they are prepared, and the results to expect."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.datasets.preprocess import preprocess
from edgepack.config.preprocessing import Audio, Image, Preprocessing
from edgepack.emit.c.io_tensor import IOTensor
from edgepack.emit.tflm.firmware_model import FirmwareModel
from edgepack.quantization.affine import quantize
from edgepack.tflite.graph import Model, QuantParams, Tensor

Array = NDArray[Any]

MFCC = Audio(
    sample_rate=16000,
    clip_samples=16000,
    features="mfcc",
    frame_length=480,
    frame_step=320,
    upper_hz=4000,
    coefficients=10,
)
RANDOM = np.random.default_rng(3)
BYTES = np.stack([RANDOM.permutation(256) for _ in range(3)], axis=-1).astype(np.uint8)
BYTES = BYTES.reshape(1, 16, 16, 3)
"""An image with every byte value in every channel."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def tensor(
    shape: tuple[int, ...], dtype: str = "int8", scale: float | None = 1.0, zero_point: int = -128
) -> Tensor:
    quant = (
        None
        if scale is None
        else QuantParams(scale=(float(np.float32(scale)),), zero_point=(zero_point,))
    )
    return Tensor(name="x", shape=(1, *shape), dtype=dtype, quant=quant, data=b"")


def firmware_model(
    name: str, input_tensor: Tensor, preprocessing: Preprocessing | None = None
) -> FirmwareModel:
    return FirmwareModel(
        name=name,
        data=b"",
        model=Model(subgraphs=()),
        inputs=(IOTensor(name="input", title="x", tensor=input_tensor),),
        outputs=(),
        arena_bytes=16,
        preprocessing={} if preprocessing is None else {"x": preprocessing},
    )


@dataclass(frozen=True, eq=False)
class Case:
    """Samples of an input, and how much results may deviate from the expected ones.

    ``tolerance`` is the largest deviation, ``share`` the largest fraction of values that deviate.
    """

    tensor: Tensor
    samples: Array
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    tolerance: float = 0.0
    share: float = 0.0

    @cached_property
    def expected(self) -> Array:
        """The samples as edgepack preprocesses and quantizes them."""
        real = preprocess(self.preprocessing, self.samples)
        if self.tensor.quant is None and "float" not in self.tensor.dtype:
            real = np.rint(real) if real.dtype.kind == "f" else real
        return quantize(real, self.tensor)

    def call(self, name: str) -> str:
        """Write the C block that reads samples, preprocesses them and writes the results."""
        image, audio = self.preprocessing.image, self.preprocessing.audio
        arguments = ["samples"]
        if image and (image.resize or image.crop):
            arguments += map(str, self.samples.shape[1:3])
        arguments += ["results", *(["workspace"] if audio and audio.features else [])]
        c_types = {"uint8": "uint8_t", "int16": "int16_t", "float32": "float", "int32": "int32_t"}
        workspace = f"static float workspace[{name.upper()}_INPUT_WORKSPACE];"
        return f"""
    for (int i = 0; i < {len(self.samples)}; i++) {{
        static {c_types[str(self.samples.dtype)]} samples[{self.samples[0].size}];
        static {name}_input_t results[{name.upper()}_INPUT_ELEMENTS];
        {workspace if audio and audio.features else ""}
        if (fread(samples, sizeof samples, 1, stdin) != 1) return 1;
        {name}_preprocess_input({", ".join(arguments)});
        if (fwrite(results, sizeof results, 1, stdout) != 1) return 1;
    }}"""


def random_images(count: int, *shape: int) -> Array:
    return RANDOM.integers(0, 256, (count, *shape), np.uint8)


def random_floats(*shape: int) -> Array:
    return (RANDOM.standard_normal(shape) * 40).astype(np.float32)


def random_sounds(count: int, samples: int, rate: int = 16000) -> Array:
    """Return chirps in noise, from loud to almost silent, as 16-bit PCM."""
    time = np.arange(samples) / rate
    loudness = np.geomspace(0.9, 1e-4, count)[:, np.newaxis]
    start = RANDOM.uniform(50, 1000, (count, 1))
    chirps = np.sin(2 * np.pi * (start + rate / 6 * time) * time)
    wave = loudness * (chirps * 0.8 + RANDOM.standard_normal((count, samples)) * 0.05)
    return np.clip(np.rint(wave * 32768), -32768, 32767).astype(np.int16)


def image_preprocessing(**settings: Any) -> Preprocessing:
    """Return an image's preprocessing with settings of Image and Preprocessing."""
    keys = ("scale", "offset", "mean", "std")
    numbers = {key: settings.pop(key) for key in keys if key in settings}
    return Preprocessing(image=Image(**settings), **numbers)


def audio_preprocessing(audio: Audio, **numbers: Any) -> Preprocessing:
    return Preprocessing(audio=audio, **numbers)


def log_mel(**settings: Any) -> Audio:
    return Audio(sample_rate=8000, features="log-mel", **settings)


IMAGENET = {"scale": 1 / 255, "mean": MEAN, "std": STD}

# Spectra are summed in float32 in C and in float64 in Python: logarithms differ by about 1e-5, and
# values that are this close to a rounding threshold may end up on its other side.
CASES = {
    "plain": Case(tensor((7, 5), scale=0.39, zero_point=89), random_floats(9, 7, 5)),
    "all_steps": Case(
        tensor((500, 3), scale=0.0187, zero_point=-14),
        random_floats(20, 500, 3),
        Preprocessing(scale=1 / 127.5, offset=-0.3, mean=MEAN, std=STD),
    ),
    "half_lists": Case(
        tensor((50, 2), "uint8", 0.7, 3),
        random_floats(20, 50, 2),
        Preprocessing(scale=0.1, mean=(0, -2), std=(3, 3)),
    ),
    "int16": Case(
        tensor((99,), "int16", 0.001, 0), random_floats(9, 99), Preprocessing(offset=0.1)
    ),
    "tokens": Case(tensor((6,), "int32", None), RANDOM.integers(-9, 9, (3, 6), np.int32)),
    "float_as_it_is": Case(tensor((6,), "float32", None), random_floats(3, 6)),
    "float": Case(
        tensor((8, 2), "float32", None),
        random_floats(9, 8, 2),
        Preprocessing(scale=0.3, mean=(1, 0.1)),
    ),
    "whole": Case(
        tensor((64,), "int8", None),
        np.arange(-32, 32, dtype=np.float32)[np.newaxis],
        Preprocessing(scale=0.5),
    ),
    "lone": Case(tensor(()), np.float32([3, 4])),
    "bytes": Case(tensor((16, 16, 3)), BYTES, image_preprocessing(colors="rgb")),
    "bytes_as_they_are": Case(
        tensor((16, 16, 3), "uint8", 1, 0), BYTES, image_preprocessing(colors="rgb")
    ),
    "whole_bytes": Case(
        tensor((16, 16, 3), "uint8", None), BYTES, image_preprocessing(crop=(16, 16))
    ),
    "offset_bytes": Case(tensor((16, 16, 3), "int16", 1, 0), BYTES, image_preprocessing(offset=7)),
    "table": Case(
        tensor((16, 16, 3), scale=0.013, zero_point=3),
        BYTES,
        image_preprocessing(scale=1 / 127.5, offset=-1),
    ),
    "tables": Case(
        tensor((16, 16, 3), scale=0.0187, zero_point=-14),
        BYTES,
        image_preprocessing(colors="bgr", **IMAGENET),
    ),
    "bgr": Case(tensor((16, 16, 3)), BYTES, image_preprocessing(colors="bgr")),
    "crop": Case(
        tensor((7, 8, 3)),
        random_images(3, 16, 15, 3),
        image_preprocessing(crop=(7, 8), mean=(1, 2, 30)),
    ),
    "crop_all_alike": Case(
        tensor((7, 8, 1)), random_images(3, 9, 11, 1), image_preprocessing(crop=(7, 8))
    ),
    "four_channels": Case(
        tensor((5, 4, 4)), random_images(3, 5, 4, 4), image_preprocessing(resize=(5, 4))
    ),
    "gray": Case(
        tensor((40, 30, 1)),
        random_images(9, 40, 30, 3),
        image_preprocessing(colors="gray", scale=0.9, offset=-0.7),
    ),
    "gray_crop": Case(
        tensor((4, 3, 1)),
        random_images(9, 9, 10, 3),
        image_preprocessing(colors="gray", crop=(4, 3)),
    ),
    "float_pixels": Case(
        tensor((16, 16, 3), "float32", None), BYTES, image_preprocessing(colors="bgr", **IMAGENET)
    ),
    "shrunk": Case(
        tensor((80, 80, 3), scale=0.0187, zero_point=-14),
        random_images(3, 120, 173, 3),
        image_preprocessing(resize=(96, 96), crop=(80, 80), **IMAGENET),
    ),
    "grown": Case(
        tensor((31, 64, 3), "float32", None),
        random_images(2, 7, 5, 3),
        image_preprocessing(resize=(31, 64)),
    ),
    "shrunk_gray": Case(
        tensor((29, 23, 1), "float32", None),
        random_images(5, 48, 50, 3),
        image_preprocessing(resize=(30, 23), crop=(29, 23), colors="gray", scale=0.3, offset=-1.3),
    ),
    "shrunk_bgr": Case(
        tensor((19, 18, 3), "uint8", None),
        random_images(2, 60, 11, 3),
        image_preprocessing(resize=(19, 18), colors="bgr"),
    ),
    "one_pixel": Case(
        tensor((3, 3, 1)), random_images(4, 1, 1, 1), image_preprocessing(resize=(3, 3))
    ),
    "wave": Case(
        tensor((4000,), scale=1 / 128, zero_point=0),
        random_sounds(4, 4000),
        audio_preprocessing(Audio(sample_rate=16000)),
    ),
    "wave_of_one_channel": Case(
        tensor((900, 1), "float32", None),
        random_sounds(4, 900),
        audio_preprocessing(Audio(sample_rate=16000, clip_samples=900), scale=2, offset=0.1),
    ),
    "mfcc": Case(
        tensor((49, 10, 1), scale=0.5847029, zero_point=83),
        random_sounds(20, 16000),
        audio_preprocessing(MFCC),
        1,
        1e-3,
    ),
    "mfcc_float": Case(
        tensor((49, 10), "float32", None),
        random_sounds(20, 16000),
        audio_preprocessing(MFCC),
        1e-4,
        1,
    ),
    "log_mel": Case(
        tensor((15, 20), scale=0.07, zero_point=20),
        random_sounds(20, 2000, 8000),
        audio_preprocessing(
            log_mel(clip_samples=2000, frame_length=201, frame_step=128, mel_bins=20),
            offset=0.5,
            mean=tuple(np.linspace(-9, -1, 20)),
        ),
        *(1, 1e-3),
    ),
    "dft": Case(
        tensor((5, 16), "float32", None),
        random_sounds(20, 350, 8000),
        audio_preprocessing(log_mel(frame_length=150, frame_step=50, fft_length=155, mel_bins=16)),
        *(1e-4, 1),
    ),
    "no_bins": Case(
        tensor((4, 2), "float32", None),
        random_sounds(2, 4, 8000),
        audio_preprocessing(log_mel(frame_length=1, frame_step=1, mel_bins=2)),
        *(1e-5, 1),
    ),
    "least_fft": Case(
        tensor((3, 2), "float32", None),
        random_sounds(2, 8, 8000),
        audio_preprocessing(log_mel(frame_length=4, frame_step=2, mel_bins=2)),
        *(1e-5, 1),
    ),
}
