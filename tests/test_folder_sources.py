"""Folders of images and WAV files are read with their classes, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from data_folder import IMAGE, PAIR, TWO, DataFolder, model, spec
from PIL import Image as Picture

from edgepack.calibration.datasets.sources import find_source
from edgepack.core.errors import ConfigError, DatasetError, MissingToolError
from edgepack.metrics import choose_measures
from edgepack.storage.dataset import Dataset, require_same_classes


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path)


def test_images_are_read_with_their_classes(folder: DataFolder) -> None:
    folder.image("data/dog/b.png")
    folder.image("data/cat/a.jpg")
    folder.image("data/cat/gray.png", mode="L")
    folder.text("data/notes.txt", "no image")
    folder.text("data/.hidden.png", "no image")
    dataset = folder.read(folder.path / "data", IMAGE)
    assert dataset.classes == ("cat", "dog")
    assert dataset.labels["scores"].tolist() == [0, 0, 1]
    np.testing.assert_array_equal(dataset.inputs["image"][1], np.full((3, 4, 3), 40))
    np.testing.assert_array_equal(dataset.inputs["image"][2, 0, 0], [10, 20, 30])


def test_images_are_preprocessed_as_described(folder: DataFolder) -> None:
    folder.image("data/a.png", (6, 8))
    folder.image("data/b.bmp", (8, 6)).rename(folder.path / "data" / "b")
    settings = "[preprocessing]\nresize = [4, 4]\ncrop = [2, 3]\ncolors = 'bgr'\nscale = 0.1"
    dataset = folder.read(folder.path / "data", model(spec("i", 2, 3, 3)), settings)
    np.testing.assert_allclose(dataset.inputs["i"][1, 0, 0], [3, 2, 1], rtol=1e-6)
    assert dataset.labels == {}
    gray = folder.read(
        folder.path / "data",
        model(spec("i", 4, 4, 1, dtype="uint8")),
        "[preprocessing]\nresize = [4, 4]",
    )
    assert gray.inputs["i"].dtype == np.uint8
    assert (gray.inputs["i"] == round(10 * 0.299 + 20 * 0.587 + 30 * 0.114)).all()


def test_images_that_do_not_fit_the_model_or_cannot_be_decoded_are_refused(
    folder: DataFolder,
) -> None:
    data = folder.path / "data"
    first = folder.image("data/a.png")
    folder.assert_refused(
        r"'x' has shape \(1, 3, 4, 3\); the model's input 'image' takes"
        r" \(samples, 9, 9, 3\) float32; set resize = \[9, 9\] under",
        data,
        model(spec("image", 9, 9, 3)),
    )
    gray = "[preprocessing]\ncolors = 'gray'"
    folder.assert_refused(
        r"takes \(samples, 3, 4, 3\) float32; set colors = \"rgb\"", data, IMAGE, gray
    )
    folder.assert_refused("no array 'left'; it holds x; a folder is one input", data, TWO)
    folder.assert_refused(
        r"a.png: an image of 3 x 4 pixels is smaller than the crop of 5 x 5",
        data,
        IMAGE,
        "[preprocessing]\ncrop = [5, 5]",
    )
    folder.image("data/b.png", (5, 7))
    folder.assert_refused(
        r"a.png has shape \(3, 4, 3\), but b.png has shape \(7, 5, 3\); set resize", data, IMAGE
    )
    (data / "b.png").write_bytes(first.read_bytes()[:45])
    folder.assert_refused(
        "b.png: cannot be decoded as an image: .*; remove or repair it", data, IMAGE
    )
    (data / "b.png").write_bytes(b"hello")
    folder.assert_refused("b.png: cannot be decoded as an image: not one of BMP, GIF", data, IMAGE)
    Picture.new("I;16", (4, 3)).save(data / "b.png")
    folder.assert_refused("b.png: an image of mode I;16; save it with 8 bits", data, IMAGE)


def test_folders_without_usable_files_are_refused(folder: DataFolder) -> None:
    data = folder.path / "data"
    data.mkdir()
    folder.assert_refused("data: a folder without images or WAV files: it is empty", data, IMAGE)
    folder.text("data/notes.txt", "hello")
    folder.assert_refused("images or WAV files: none of its 1 files is one", data, IMAGE)
    folder.image("data/a.png")
    folder.image("data/cat/b.png")
    folder.assert_refused(
        "data: a.png is next to the subfolders, which are the classes", data, IMAGE
    )
    (data / "dog").symlink_to(data / "cat")
    folder.assert_refused("data: dog is a link; replace it with the folder itself", data, IMAGE)
    (data / "dog").unlink()
    (data / "cat" / "inside.png").symlink_to("b.png")
    (data / "cat" / "out.png").symlink_to(folder.image("secret.png"))
    folder.assert_refused("data: cat/out.png is a link that leads out of the folder", data, IMAGE)
    (data / "cat" / "out.png").unlink()
    folder.sound("data/c.wav")
    folder.assert_refused(
        "data: contains both images and WAV files, such as a.png and c.wav", data, IMAGE
    )
    folder.assert_refused("gone: no such dataset; check the path", folder.path / "gone", IMAGE)
    folder.assert_refused("a pipe, a socket or a device", Path("/dev/null"), IMAGE)


def test_a_decoder_that_is_not_installed_is_named(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.image("data/a.png")
    monkeypatch.setattr("edgepack.core.packages.find_spec", lambda _: None)
    with pytest.raises(MissingToolError, match=r"pillow is not installed.*pip install 'pillow>="):
        find_source(folder.path / "data")


def test_sounds_are_read_and_preprocessed(folder: DataFolder) -> None:
    folder.sound("data/no/a.wav", channels=2)
    folder.sound("data/yes/b.wav", samples=8)
    data = folder.path / "data"
    settings = "[preprocessing]\nsample_rate = 8000\nclip_samples = 6\n"
    dataset = folder.read(data, model(spec("wave", 6, 1)), settings)
    assert dataset.inputs["wave"][0, :, 0].tolist() == [0.25] * 4 + [0, 0]
    assert dataset.inputs["wave"][1, :, 0].tolist() == [0.5] * 6
    assert dataset.labels["scores"].tolist() == [0, 1]
    settings += "features = 'mfcc'\nframe_length = 4\nframe_step = 2\ncoefficients = 5"
    assert folder.read(data, model(spec("m", 2, 5)), settings).inputs["m"].shape == (2, 2, 5)
    for shape, message in (
        ((2, 4, 1), "coefficients = 4"),
        ((3, 5), "clip_samples and frame_step"),
    ):
        folder.assert_refused(
            f"takes .* float32; set {message} under", data, model(spec("m", *shape)), settings
        )
    folder.assert_refused(
        r"no/a.wav has shape \(4,\), but yes/b.wav has shape \(8,\); set clip_samples",
        data,
        model(spec("wave", 4)),
    )
    folder.assert_refused(
        r"'x' has shape \(2, 6\) after preprocessing; .* set clip_samples and features",
        data,
        model(spec("wave", 9)),
        "[preprocessing]\nsample_rate = 8000\nclip_samples = 6\n",
    )


def test_damaged_sounds_and_other_sample_rates_are_refused(folder: DataFolder) -> None:
    data, wanted = folder.path / "data", model(spec("wave", 4))
    folder.sound("data/a.wav")
    settings = "[preprocessing]\nsample_rate = 16000"
    folder.assert_refused(
        "a.wav: has a sample rate of 8000 Hz, but the project file specifies 16000",
        data,
        wanted,
        settings,
    )
    folder.sound("data/b.wav", rate=16000)
    folder.assert_refused("b.wav: has a sample rate of 16000 Hz, but a.wav has 8000", data, wanted)
    folder.text("data/b.wav", "hello")
    folder.assert_refused("b.wav: cannot be decoded as a WAV file", data, wanted)
    whole = folder.sound("data/b.wav").read_bytes()
    (data / "b.wav").write_bytes(whole[:-2])
    folder.assert_refused(
        "b.wav: truncated: its header specifies 44 bytes, but it has 42", data, wanted
    )
    soundfile.write(data / "b.wav", np.full(4, np.nan), 8000, "FLOAT")
    folder.assert_refused(r"'x' is nan at \[1, 0\] of b.wav, one of 4 values", data, wanted)
    loud = "[preprocessing]\nscale = 1e38\noffset = 3e38"
    folder.assert_refused(
        "inf at .* of a.wav after .*, or configure a smaller scale or offset", data, wanted, loud
    )
    folder.sound("data/b.wav", samples=0)
    folder.assert_refused(
        "b.wav: contains no audio", data, wanted, "[preprocessing]\nsample_rate = 8000"
    )


def test_samples_are_chosen_by_label_before_files_are_decoded(folder: DataFolder) -> None:
    for index in range(8):
        folder.image(f"data/{'ab'[index % 4 == 0]}/{index}.png")
    folder.text("data/a/broken.png", "never decoded")
    chosen = folder.store(folder.path / "data", IMAGE, "", 4)
    assert chosen.dataset().labels["scores"].tolist() == [0, 0, 0, 1]
    assert chosen.notes == ()


def test_a_folder_must_contain_the_kind_of_samples_that_the_project_file_describes(
    folder: DataFolder,
) -> None:
    folder.image("data/a.png")
    message = "edgepack.toml: describes audio samples, but .*data contains images; describe images"
    with pytest.raises(ConfigError, match=message):
        folder.read(folder.path / "data", IMAGE, "[preprocessing]\nsample_rate = 8000")


def test_subfolders_must_match_the_classes_of_the_model() -> None:
    inputs = {"x": np.zeros((3, 2))}
    labels = {"scores": np.array([0, 1, 1])}
    dataset = Dataset(source="photos", inputs=inputs, labels=labels, classes=("cat", "dog"))
    message = r"2 subfolders \(classes\) were found, but the model has 3"
    with pytest.raises(DatasetError, match=message):
        choose_measures(None, dataset, PAIR)


def test_classes_must_be_the_same_in_all_data() -> None:
    def named(source: str, *classes: str) -> Dataset:
        return Dataset(source=source, inputs={}, labels={}, classes=classes)

    require_same_classes([named("a", "cat", "dog"), named("b"), named("c", "cat", "dog")])
    with pytest.raises(DatasetError, match="c: the subfolders are the classes, and a has others"):
        require_same_classes([named("a", "cat", "dog"), named("c", "dog")])


def test_an_image_with_too_many_pixels_is_not_decoded(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgepack.calibration.datasets.sources.images._MAX_PIXELS", 2 * 10**6)
    large = folder.image("large/a.png", size=(3000, 1000)).parent
    message = "a.png: an image of 3 million pixels, more than 2 million; make it smaller"
    folder.assert_refused(message, large, IMAGE)
