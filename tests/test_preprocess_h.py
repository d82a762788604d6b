"""preprocess.h does on a device what edgepack's own preprocessing does here."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compilers import build_program, compile_everywhere, undefined_symbols
from numpy.typing import NDArray

from edgepack.calibration.datasets.preprocess import preprocess
from edgepack.config.preprocessing import Audio, Image, Preprocessing
from edgepack.core.errors import ConfigError, ModelError
from edgepack.emit.c.firmware_model import FirmwareModel, IOTensor
from edgepack.emit.tflm.model_settings import model_settings_h
from edgepack.emit.tflm.preprocess_h import preprocess_h
from edgepack.emit.tflm.quantize_h import quantize_h
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
"""An image that has every byte in every channel."""
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


def model(name: str, taken: Tensor, described: Preprocessing | None = None) -> FirmwareModel:
    return FirmwareModel(
        name=name,
        data=b"",
        model=Model(subgraphs=()),
        inputs=(IOTensor(name="input", title="x", tensor=taken),),
        outputs=(),
        arena_bytes=16,
        preprocessing={} if described is None else {"x": described},
    )


@dataclass(frozen=True, eq=False)
class Case:
    """Samples of an input, and how far results may be off: values, and the share of them."""

    tensor: Tensor
    samples: Array
    described: Preprocessing = field(default_factory=Preprocessing)
    off: float = 0.0
    share: float = 0.0

    @cached_property
    def expected(self) -> Array:
        real = preprocess(self.described, self.samples)
        if self.tensor.quant is None and "float" not in self.tensor.dtype:
            real = np.rint(real) if real.dtype.kind == "f" else real
        return quantize(real, self.tensor)

    def call(self, name: str) -> str:
        """Write the lines of C that run the samples."""
        image, audio = self.described.image, self.described.audio
        arguments = ["given"]
        if image and (image.resize or image.crop):
            arguments += map(str, self.samples.shape[1:3])
        arguments += ["made", *(["workspace"] if audio and audio.features else [])]
        kinds = {"uint8": "uint8_t", "int16": "int16_t", "float32": "float", "int32": "int32_t"}
        workspace = f"static float workspace[{name.upper()}_INPUT_WORKSPACE];"
        return f"""
    for (int i = 0; i < {len(self.samples)}; i++) {{
        static {kinds[str(self.samples.dtype)]} given[{self.samples[0].size}];
        static {name}_input_t made[{name.upper()}_INPUT_ELEMENTS];
        {workspace if audio and audio.features else ""}
        if (fread(given, sizeof given, 1, stdin) != 1) return 1;
        {name}_preprocess_input({", ".join(arguments)});
        if (fwrite(made, sizeof made, 1, stdout) != 1) return 1;
    }}"""


def images(count: int, *shape: int) -> Array:
    return RANDOM.integers(0, 256, (count, *shape), np.uint8)


def reals(*shape: int) -> Array:
    return (RANDOM.standard_normal(shape) * 40).astype(np.float32)


def sounds(count: int, samples: int, rate: int = 16000) -> Array:
    """Chirps in noise, from loud to next to silence, as 16-bit PCM."""
    time = np.arange(samples) / rate
    loudness = np.geomspace(0.9, 1e-4, count)[:, np.newaxis]
    start = RANDOM.uniform(50, 1000, (count, 1))
    chirps = np.sin(2 * np.pi * (start + rate / 6 * time) * time)
    wave = loudness * (chirps * 0.8 + RANDOM.standard_normal((count, samples)) * 0.05)
    return np.clip(np.rint(wave * 32768), -32768, 32767).astype(np.int16)


def picture(**words: Any) -> Preprocessing:
    numbers = {key: words.pop(key) for key in ("scale", "offset", "mean", "std") if key in words}
    return Preprocessing(image=Image(**words), **numbers)


def sound(audio: Audio, **numbers: Any) -> Preprocessing:
    return Preprocessing(audio=audio, **numbers)


def log_mel(**words: Any) -> Audio:
    return Audio(sample_rate=8000, features="log-mel", **words)


IMAGENET = {"scale": 1 / 255, "mean": MEAN, "std": STD}

# Spectra are summed up in float32 there and in float64 here: logarithms differ by some 1e-5, and
# what lies so near to the edge between two steps may fall to its other side.
CASES = {
    "plain": Case(tensor((7, 5), scale=0.39, zero_point=89), reals(9, 7, 5)),
    "all_steps": Case(
        tensor((500, 3), scale=0.0187, zero_point=-14),
        reals(20, 500, 3),
        Preprocessing(scale=1 / 127.5, offset=-0.3, mean=MEAN, std=STD),
    ),
    "half_lists": Case(
        tensor((50, 2), "uint8", 0.7, 3),
        reals(20, 50, 2),
        Preprocessing(scale=0.1, mean=(0, -2), std=(3, 3)),
    ),
    "int16": Case(tensor((99,), "int16", 0.001, 0), reals(9, 99), Preprocessing(offset=0.1)),
    "tokens": Case(tensor((6,), "int32", None), RANDOM.integers(-9, 9, (3, 6), np.int32)),
    "float_as_it_is": Case(tensor((6,), "float32", None), reals(3, 6)),
    "float": Case(
        tensor((8, 2), "float32", None), reals(9, 8, 2), Preprocessing(scale=0.3, mean=(1, 0.1))
    ),
    "whole": Case(
        tensor((64,), "int8", None),
        np.arange(-32, 32, dtype=np.float32)[np.newaxis],
        Preprocessing(scale=0.5),
    ),
    "lone": Case(tensor(()), np.float32([3, 4])),
    "bytes": Case(tensor((16, 16, 3)), BYTES, picture(colors="rgb")),
    "bytes_as_they_are": Case(tensor((16, 16, 3), "uint8", 1, 0), BYTES, picture(colors="rgb")),
    "whole_bytes": Case(tensor((16, 16, 3), "uint8", None), BYTES, picture(crop=(16, 16))),
    "offset_bytes": Case(tensor((16, 16, 3), "int16", 1, 0), BYTES, picture(offset=7)),
    "table": Case(
        tensor((16, 16, 3), scale=0.013, zero_point=3), BYTES, picture(scale=1 / 127.5, offset=-1)
    ),
    "tables": Case(
        tensor((16, 16, 3), scale=0.0187, zero_point=-14), BYTES, picture(colors="bgr", **IMAGENET)
    ),
    "bgr": Case(tensor((16, 16, 3)), BYTES, picture(colors="bgr")),
    "crop": Case(tensor((7, 8, 3)), images(3, 16, 15, 3), picture(crop=(7, 8), mean=(1, 2, 30))),
    "crop_all_alike": Case(tensor((7, 8, 1)), images(3, 9, 11, 1), picture(crop=(7, 8))),
    "four_channels": Case(tensor((5, 4, 4)), images(3, 5, 4, 4), picture(resize=(5, 4))),
    "gray": Case(
        tensor((40, 30, 1)), images(9, 40, 30, 3), picture(colors="gray", scale=0.9, offset=-0.7)
    ),
    "gray_crop": Case(tensor((4, 3, 1)), images(9, 9, 10, 3), picture(colors="gray", crop=(4, 3))),
    "float_pixels": Case(
        tensor((16, 16, 3), "float32", None), BYTES, picture(colors="bgr", **IMAGENET)
    ),
    "shrunk": Case(
        tensor((80, 80, 3), scale=0.0187, zero_point=-14),
        images(3, 120, 173, 3),
        picture(resize=(96, 96), crop=(80, 80), **IMAGENET),
    ),
    "grown": Case(
        tensor((31, 64, 3), "float32", None), images(2, 7, 5, 3), picture(resize=(31, 64))
    ),
    "shrunk_gray": Case(
        tensor((29, 23, 1), "float32", None),
        images(5, 48, 50, 3),
        picture(resize=(30, 23), crop=(29, 23), colors="gray", scale=0.3, offset=-1.3),
    ),
    "shrunk_bgr": Case(
        tensor((19, 18, 3), "uint8", None),
        images(2, 60, 11, 3),
        picture(resize=(19, 18), colors="bgr"),
    ),
    "one_pixel": Case(tensor((3, 3, 1)), images(4, 1, 1, 1), picture(resize=(3, 3))),
    "wave": Case(
        tensor((4000,), scale=1 / 128, zero_point=0),
        sounds(4, 4000),
        sound(Audio(sample_rate=16000)),
    ),
    "wave_of_one_channel": Case(
        tensor((900, 1), "float32", None),
        sounds(4, 900),
        sound(Audio(sample_rate=16000, clip_samples=900), scale=2, offset=0.1),
    ),
    "mfcc": Case(
        tensor((49, 10, 1), scale=0.5847029, zero_point=83), sounds(20, 16000), sound(MFCC), 1, 1e-3
    ),
    "mfcc_float": Case(tensor((49, 10), "float32", None), sounds(20, 16000), sound(MFCC), 1e-4, 1),
    "log_mel": Case(
        tensor((15, 20), scale=0.07, zero_point=20),
        sounds(20, 2000, 8000),
        sound(
            log_mel(clip_samples=2000, frame_length=201, frame_step=128, mel_bins=20),
            offset=0.5,
            mean=tuple(np.linspace(-9, -1, 20)),
        ),
        *(1, 1e-3),
    ),
    "dft": Case(
        tensor((5, 16), "float32", None),
        sounds(20, 350, 8000),
        sound(log_mel(frame_length=150, frame_step=50, fft_length=155, mel_bins=16)),
        *(1e-4, 1),
    ),
    "no_bins": Case(
        tensor((4, 2), "float32", None),
        sounds(2, 4, 8000),
        sound(log_mel(frame_length=1, frame_step=1, mel_bins=2)),
        *(1e-5, 1),
    ),
    "least_fft": Case(
        tensor((3, 2), "float32", None),
        sounds(2, 8, 8000),
        sound(log_mel(frame_length=4, frame_step=2, mel_bins=2)),
        *(1e-5, 1),
    ),
}
DOUBLES = re.compile(r"__aeabi_(d|\w+2d)|__\w*df|(log|sqrt|rint)$")
MAIN = """\
#include <stdio.h>
{includes}

int main(void)
{{{calls}
    return 0;
}}
"""


def program(folder: Path, names: Iterable[str]) -> Path:
    """Write a program that runs cases, and what it includes."""
    for name in names:
        case = CASES[name]
        firmware = model(name, case.tensor, case.described)
        (folder / name).mkdir()
        (folder / name / "preprocess.h").write_text(preprocess_h(firmware))
        (folder / name / "quantize.h").write_text(quantize_h(firmware))
        (folder / name / "model_settings.h").write_text(model_settings_h(firmware))
    includes = "\n".join(f'#include "{name}/preprocess.h"' for name in names)
    calls = "".join(CASES[name].call(name) for name in names)
    main = folder / "main.c"
    main.write_text(MAIN.format(includes=includes, calls=calls))
    return main


def can_fuse() -> bool:
    cpuinfo = Path("/proc/cpuinfo")
    return platform.machine() == "x86_64" and cpuinfo.exists() and " fma " in cpuinfo.read_text()


@pytest.mark.parametrize("dialect", ["c99", "c++17"])
def test_a_device_computes_the_same(tmp_path: Path, dialect: str) -> None:
    source = program(tmp_path, CASES)
    # In one of the two, products and sums are fused wherever a compiler may do it.
    fused = ["-mfma", "-ffp-contract=fast"] if dialect == "c++17" and can_fuse() else []
    options = ["-Wdouble-promotion", "-Wconversion", "-Wshadow", "-Wundef", *fused]
    out = build_program([source], tmp_path / "run", dialect=dialect, options=options)
    given = b"".join(case.samples.tobytes() for case in CASES.values())
    done = subprocess.run([out], input=given, capture_output=True, check=True, timeout=60)
    start = 0
    for name, case in CASES.items():
        expected = case.expected
        made = np.frombuffer(done.stdout, expected.dtype, expected.size, start)
        start += made.nbytes
        off = np.abs(made.astype(np.float64) - expected.ravel())
        assert off.max() <= case.off, name
        assert (off != 0).mean() <= case.share, name
    assert start == len(done.stdout)


def test_every_compiler_takes_it_and_no_double_is_computed(tmp_path: Path) -> None:
    names = (
        "all_steps",
        "whole",
        "tokens",
        "tables",
        "crop_all_alike",
        "shrunk_gray",
        "mfcc",
        "dft",
    )
    source = program(tmp_path, names)
    for (compiler, dialect), out in compile_everywhere(source, tmp_path).items():
        doubles = [name for name in undefined_symbols(out) if DOUBLES.match(name)]
        assert not doubles, (compiler, dialect)


def test_the_text_is_ascii_and_its_lines_are_short() -> None:
    for case in CASES.values():
        text = preprocess_h(model("kws", case.tensor, case.described))
        assert text == preprocess_h(model("kws", case.tensor, case.described))
        assert text.isascii()
        assert max(map(len, text.splitlines())) <= 100
        assert "$" not in text


def test_what_depends_on_one_byte_alone_is_integer_only() -> None:
    whole = preprocess_h(model("ic", tensor((32, 32, 3)), picture(colors="rgb")))
    assert "input[i] = (ic_input_t)(pixels[i] - 128);" in whole
    described = picture(crop=(8, 8), colors="bgr", **IMAGENET)
    tables = preprocess_h(model("ic", tensor((8, 8, 3), scale=0.0187), described))
    assert "ic_input_of_byte[3][256]" in tables
    for text in (whole, tables):
        assert "float" not in text
        assert "quantize.h" not in text


def test_several_inputs_have_a_function_each_and_share_a_helper() -> None:
    ends = {"left": tensor((3,)), "right": tensor((2, 2)), "token": tensor((1,), "int32", None)}
    described = Preprocessing(scale=0.1, offset=1)
    text = preprocess_h(
        replace(
            model("net", tensor(())),
            inputs=tuple(
                IOTensor(name=f"input_{title}", title=title, tensor=each)
                for title, each in ends.items()
            ),
            preprocessing={"left": described, "right": described},
        )
    )
    assert text.count("float net_round_product(float product)") == 1
    for title, kind in (("left", "float"), ("right", "float"), ("token", "net_input_token_t")):
        of = f"net_preprocess_input_{title}(const {kind} *values, net_input_{title}_t *input)"
        assert of in text.replace("(\n    ", "(")  # long ones have two lines


@pytest.mark.parametrize(
    ("shape", "described", "said"),
    [
        ((4, 3), Preprocessing(mean=(1, 2)), "mean has 2 values, but samples have 3 channels"),
        ((4, 3), picture(colors="rgb"), "describes an image, but the model expects shape [4, 3]"),
        (
            (8, 8, 3),
            picture(resize=(9, 8)),
            "outputs shape [9, 8, 3], but the model expects [8, 8, 3]",
        ),
        (
            (8, 8, 3),
            picture(resize=(4, 4), crop=(8, 8)),
            "a crop of 8 x 8 does not fit into an image of 4 x 4 pixels",
        ),
        ((8, 8, 3), picture(colors="gray"), "change resize, crop or colors in the project file"),
        ((49, 13), sound(MFCC), "outputs shape [49, 10], but the model expects [49, 13]"),
        ((50, 10, 1), sound(MFCC), "outputs shape [49, 10], but the model expects [50, 10, 1]"),
        ((1, 10), sound(replace(MFCC, clip_samples=99)), "is shorter than one frame of 480"),
        ((9,), sound(Audio(sample_rate=9, clip_samples=8)), "change clip_samples in the project"),
        ((), sound(Audio(sample_rate=9)), "describes audio, but the model expects a single number"),
    ],
)
def test_what_does_not_give_the_models_input_is_refused(
    shape: tuple[int, ...], described: Preprocessing, said: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)) as error:
        preprocess_h(model("net", tensor(shape), described))
    assert str(error.value).startswith("input 'x': ")


def test_an_input_that_quantize_h_leaves_out_is_refused() -> None:
    with pytest.raises(ModelError, match="input 'x': unsupported quantization of int32"):
        preprocess_h(model("net", tensor((3,), "int32")))
