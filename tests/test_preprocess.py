"""Samples are preprocessed as configured, with TensorFlow's results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgepack.calibration.datasets.preprocess import crop, preprocess, recolor
from edgepack.config.preprocessing import Audio, Image, Preprocessing
from edgepack.config.project_file import read_project_file
from edgepack.core.errors import ConfigError, DatasetError
from edgepack.core.signature import Signature, TensorSpec


def test_features_and_resizing_are_those_of_tensorflow(data_check: dict[str, Any]) -> None:
    differences = data_check["differences"]
    assert len(differences) == 8
    for name, difference in differences.items():
        assert difference <= 1e-4, name


def test_values_are_scaled_shifted_and_standardized_in_this_order() -> None:
    preprocessing = Preprocessing(scale=0.5, offset=1, mean=(1, 2, 3), std=(2, 4, 8))
    result = preprocess(preprocessing, np.full((2, 1, 1, 3), 10, np.uint8))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result[1, 0, 0], [(6 - 1) / 2, (6 - 2) / 4, (6 - 3) / 8])


def test_without_configuration_samples_are_unchanged() -> None:
    samples = np.arange(6, dtype=np.int16)
    assert preprocess(Preprocessing(), samples) is samples


def test_the_center_is_cropped() -> None:
    image = np.arange(5 * 4).reshape(5, 4, 1)
    np.testing.assert_array_equal(crop(image, (2, 2))[..., 0], [[5, 6], [9, 10]])
    with pytest.raises(
        DatasetError, match="5 x 4 pixels is smaller than the crop of 6 x 2; resize it first"
    ):
        crop(image, (6, 2))


def test_colors_are_reordered() -> None:
    red = np.array([[[200, 0, 100]]], np.uint8)
    assert recolor(red, "rgb") is red
    np.testing.assert_array_equal(recolor(red, "bgr"), [[[100, 0, 200]]])
    np.testing.assert_allclose(recolor(red, "gray"), [[[0.299 * 200 + 0.114 * 100]]], rtol=1e-6)
    gray = np.array([[[7]]], np.uint8)
    assert recolor(gray, "gray") is gray
    np.testing.assert_array_equal(recolor(gray, "bgr"), [[[7, 7, 7]]])


def test_clips_are_truncated_or_padded_with_zeros() -> None:
    preprocessing = Preprocessing(audio=Audio(sample_rate=8000, clip_samples=4))
    short = preprocess(preprocessing, np.array([16384, -32768], np.int16))
    np.testing.assert_array_equal(short, np.array([0.5, -1, 0, 0], np.float32))
    np.testing.assert_array_equal(preprocess(preprocessing, np.arange(6.0)), [0, 1, 2, 3])


def test_clips_shorter_than_a_frame_and_mismatched_channels_are_refused() -> None:
    audio = Audio(sample_rate=8000, features="mfcc", frame_length=8, frame_step=4)
    with pytest.raises(DatasetError, match="a clip of 5 samples is shorter than a frame of 8"):
        preprocess(Preprocessing(audio=audio), np.zeros(5))
    with pytest.raises(DatasetError, match="mean has 2 numbers, but a sample has 3 channels"):
        preprocess(Preprocessing(mean=(1, 2)), np.zeros((2, 3)))


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "edgepack.toml"
    path.write_text(text)
    return path


def signature(*names: str) -> Signature:
    specs = (TensorSpec(name=name, shape=(2,), dtype="float32") for name in names)
    return Signature(inputs=tuple(specs), outputs=())


def test_a_project_file_describes_the_single_input(tmp_path: Path) -> None:
    text = '[data]\nlabel = "species"\n[preprocessing]\nresize = [96, 64]\nscale = 2\nmean = [1, 2]'
    project_file = read_project_file(written(tmp_path, text))
    assert project_file.label == "species"
    assert project_file.described(signature("a")) == {
        "a": Preprocessing(image=Image(resize=(96, 64)), scale=2.0, mean=(1.0, 2.0))
    }


def test_a_project_file_describes_several_inputs_by_name(tmp_path: Path) -> None:
    text = '[preprocessing.wave]\nsample_rate = 8000\n[preprocessing."scale"]\noffset = -1'
    project_file = read_project_file(written(tmp_path, text))
    preprocessing = project_file.described(signature("scale", "wave", "b"))
    assert preprocessing["wave"].audio == Audio(sample_rate=8000)
    assert preprocessing["scale"] == Preprocessing(offset=-1)
    assert preprocessing["b"] == Preprocessing()


MFCC = "[preprocessing]\nsample_rate = 8000\nfeatures = 'mfcc'\nframe_length = 8\nframe_step = 4\n"


def test_mel_spectrograms_need_no_more_bins_than_mfccs(tmp_path: Path) -> None:
    text = f"{MFCC}mel_bins = 10".replace("mfcc", "log-mel")
    audio = read_project_file(written(tmp_path, text)).described(signature("a"))["a"].audio
    assert audio is not None
    assert audio.mel_bins == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[preprocessing]\nresise = 3",
            r"did you mean 'resize'\? the keys are resize, crop, colors",
        ),
        ("[prep]", "unknown key 'prep'; the tables are data, preprocessing"),
        ("preprocessing = 3", r"'preprocessing' must be a table: write \[preprocessing\]"),
        ("[data]\nlabels = 3", r"did you mean 'label'\? \[data\] knows the key label"),
        ("[data]\nlabel = 3", "'label' must be text, not 3"),
        ("[preprocessing]\nresize = 96", "'resize' must be a list of a whole number and a whole"),
        ("[preprocessing]\nresize = [0, 9]", r"resize \[0, 9\]: height and width must"),
        ("[preprocessing]\nscale = true", "'scale' must be a number, not True"),
        ("[preprocessing]\nscale = 0", "scale 0: must not be 0"),
        ("[preprocessing]\nstd = [1, -1]", "std -1: must not be 0"),
        ("[preprocessing]\nmean = [1, nan]", r"mean \[1.0, nan\]: give finite numbers"),
        (
            "[preprocessing]\ncolors = 'rbg'",
            "colors 'rbg': did you mean 'rgb'. choose one of rgb, bgr, gray",
        ),
        ("[preprocessing]\nfeatures = 'mfcc'", "audio needs a 'sample_rate'"),
        ("[preprocessing]\nsample_rate = 9\ncrop = [1, 1]", "a sample is an image or audio"),
        (
            "[preprocessing]\nsample_rate = 9\nfeatures = 'mel'",
            "features 'mel': did you mean 'log-mel'. choose one of",
        ),
        ("[preprocessing]\nsample_rate = 9\nfeatures = 'mfcc'", "mfcc needs a frame_length and"),
        (f"{MFCC}lower_hz = 5e3", "lower_hz 5000 and upper_hz 4000: must increase"),
        (f"{MFCC}fft_length = 4", "fft_length 4: must be at least the frame_length, 8"),
        (
            "[preprocessing]\nscale = 1e300",
            r"scale \[1e\+300\]: give finite numbers, within float32",
        ),
        (
            f"[preprocessing]\noffset = {10**400}",
            r"'offset' must be a number, not 10+\.\.\.0+; give a number of fewer",
        ),
        ("[preprocessing]\nstd = 1e-50", "std 1e-50: must not be 0 in float32"),
        ("[preprocessing]\nresize = [9, 1000000]", r"resize \[9, 1000000\]: .* 1 to 4096"),
        (f"{MFCC}clip_samples = 1000000000000", "clip_samples 1000000000000: must be 1 to"),
        (f"{MFCC}fft_length = 100000000", "fft_length 100000000: must be 1 to 65536"),
        ("[preprocessing]\nsample_rate = 9\nmel_bins = 8", "mel_bins needs features: log-mel or"),
        (
            f"{MFCC}coefficients = 9".replace("mfcc", "log-mel"),
            "coefficients needs features: mfcc",
        ),
        (f"{MFCC}mel_bins = 8", "coefficients 13: must be at most the mel_bins, 8"),
        ("[preprocessing]\n[preprocessing", "not valid TOML"),
    ],
)
def test_an_invalid_project_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        read_project_file(written(tmp_path, text))
    assert str(error.value).startswith(str(tmp_path / "edgepack.toml"))
    assert "\n" not in str(error.value)


def test_preprocessing_that_matches_no_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such project file"):
        read_project_file(tmp_path / "gone.toml")
    unnamed: Any = read_project_file(written(tmp_path, "[preprocessing]\nscale = 2"))
    with pytest.raises(ConfigError, match=r'write \[preprocessing.a\] and \[preprocessing."b:0"\]'):
        unnamed.described(signature("a", "b:0"))
    named = read_project_file(written(tmp_path, "[preprocessing.c]\nscale = 2"))
    with pytest.raises(ConfigError, match="the model has no input 'c'; its inputs are a, b"):
        named.described(signature("a", "b"))
