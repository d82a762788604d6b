"""Folders of images and sounds, and what a project file describes, are read as advised."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from data_folder import (
    IMAGE,
    MFCC,
    PAIR,
    RATE,
    WAVE,
    DataFolder,
    model,
    spec,
)
from PIL import Image as Picture
from test_advice_of_data import csv

from edgepack.core.errors import ConfigError, DatasetError
from edgepack.storage.dataset import Dataset, require_same_classes


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path)


def picture(name: str, *size: int, mode: str = "RGB") -> Callable[[DataFolder], Path]:
    return lambda folder: folder.image(name, (size[0], size[1]), mode).parent


def sound(name: str, **how: int) -> Callable[[DataFolder], Path]:
    return lambda folder: folder.sound(name, **how).parent


def both(*writers: Callable[[DataFolder], Path]) -> Callable[[DataFolder], Path]:
    return lambda folder: [write(folder) for write in writers][-1]


@pytest.mark.parametrize(
    ("data", "signature", "settings", "advice", "followed"),
    [
        (
            picture("d/a.png", 8, 6),
            IMAGE,
            "",
            "set resize = [3, 4] under [preprocessing]",
            "[preprocessing]\nresize = [3, 4]",
        ),
        (
            picture("d/a.png", 8, 3),
            model(spec("i", None, 4, 3)),
            "",
            "set resize = [3, 4] under [preprocessing]",
            "[preprocessing]\nresize = [3, 4]",
        ),
        (
            picture("d/a.png", 4, 3, mode="L"),
            IMAGE,
            "[preprocessing]\ncolors = 'gray'",
            'set colors = "rgb" under [preprocessing]',
            "[preprocessing]\ncolors = 'rgb'",
        ),
        (
            both(picture("d/a.png", 4, 3), picture("d/b.png", 5, 6)),
            IMAGE,
            "",
            "set resize = [height, width] under [preprocessing]",
            "[preprocessing]\nresize = [3, 4]",
        ),
        (
            picture("d/a.png", 4, 3),
            model(spec("i", 5, 5, 3)),
            "[preprocessing]\ncrop = [5, 5]",
            "resize it first",
            "[preprocessing]\nresize = [6, 6]\ncrop = [5, 5]",
        ),
        (
            picture("d/a.png", 4, 3),
            IMAGE,
            "[preprocessing]\nscale = 1e38",
            "or configure a smaller scale or offset",
            "[preprocessing]\nscale = 0.1",
        ),
        *(
            (
                picture("d/a.png", 4, 3),
                IMAGE,
                "[preprocessing]\nmean = [1, 2]",
                "provide one number, or one per channel",
                f"[preprocessing]\nmean = {mean}",
            )
            for mean in ([1], [1, 2, 3])
        ),
        (
            both(sound("d/a.wav", samples=4), sound("d/b.wav", samples=6)),
            WAVE,
            "",
            "set clip_samples under [preprocessing]",
            f"{RATE}clip_samples = 6",
        ),
        (
            sound("d/a.wav", samples=6),
            model(spec("m", 2, 5)),
            RATE,
            "set clip_samples and features under [preprocessing]",
            f"{RATE}clip_samples = 6\n{MFCC}coefficients = 5",
        ),
        (
            sound("d/a.wav", samples=6),
            model(spec("m", 2, 4)),
            f"{RATE}clip_samples = 6\n{MFCC}coefficients = 5",
            "set coefficients = 4 under [preprocessing]",
            f"{RATE}clip_samples = 6\n{MFCC}coefficients = 4",
        ),
        (
            sound("d/a.wav", samples=6),
            model(spec("m", 2, 40)),
            f"{RATE}{MFCC.replace('mfcc', 'log-mel')}mel_bins = 30",
            "set mel_bins = 40 under [preprocessing]",
            f"{RATE}{MFCC.replace('mfcc', 'log-mel')}mel_bins = 40",
        ),
        (
            sound("d/a.wav", samples=6),
            model(spec("m", 3, 5)),
            f"{RATE}clip_samples = 6\n{MFCC}coefficients = 5",
            "set clip_samples and frame_step under [preprocessing]",
            f"{RATE}clip_samples = 6\n{MFCC.replace('= 2', '= 1')}coefficients = 5",
        ),
        (
            sound("d/a.wav", samples=3),
            model(spec("m", 2, 5)),
            f"{RATE}{MFCC}coefficients = 5",
            "set clip_samples, which pads with zeros",
            f"{RATE}{MFCC}coefficients = 5\nclip_samples = 6",
        ),
        (
            csv("a,b,c\n0,1,2\n"),
            PAIR,
            "",
            'name the label column with label = "..." under [data]',
            "[data]\nlabel = 'a'",
        ),
        (
            picture("d/cat/a.png", 4, 3),
            model(spec("image", 3, 4, 3)),
            "[data]\nlabel = 'kind'",
            "remove label = 'kind' from the project file",
            "",
        ),
    ],
)
def test_the_project_file_describes_the_data_as_advised(
    folder: DataFolder,
    data: Callable[[DataFolder], Path],
    signature: Any,
    settings: str,
    advice: str,
    followed: str,
) -> None:
    path = data(folder)
    path = path.parent if path.name == "cat" else path
    with pytest.raises(DatasetError, match=re.escape(advice)):
        folder.read(path, signature, settings)
    assert len(folder.read(path, signature, followed)) > 0


def remove(name: str) -> Callable[[Path], None]:
    return lambda data: (data / name).unlink()


def link(target: str, name: str) -> Callable[[DataFolder], None]:
    def make(folder: DataFolder) -> None:
        folder.image("outside/c.png")
        (folder.path / "d" / name).symlink_to(folder.path / target)

    return make


def damaged(name: str, data: bytes) -> Callable[[DataFolder], Any]:
    return lambda folder: (folder.path / "d" / name).write_bytes(data)


def replaced_by_a_copy(name: str) -> Callable[[Path], None]:
    def replace(data: Path) -> None:
        place = data / name
        target = place.resolve()
        place.unlink()
        (shutil.copytree if target.is_dir() else shutil.copy)(target, place)

    return replace


@pytest.mark.parametrize(
    ("add", "advice", "follow"),
    [
        (
            lambda folder: folder.image("d/c.png"),
            "move it into the subfolder of its class",
            lambda data: (data / "c.png").rename(data / "cat" / "c.png"),
        ),
        (
            lambda folder: folder.sound("d/cat/c.wav"),
            "provide a folder of one kind",
            remove("cat/c.wav"),
        ),
        (link("outside", "dog"), "replace it with the folder itself", replaced_by_a_copy("dog")),
        (
            link("outside/c.png", "cat/c.png"),
            "copy the file into it",
            replaced_by_a_copy("cat/c.png"),
        ),
        (
            lambda folder: os.mkfifo(folder.path / "d" / "cat" / "pipe.png"),
            "a pipe, a socket or a device; remove it",
            remove("cat/pipe.png"),
        ),
        (
            damaged("cat/c.png", b"\x89PNG\r\n\x1a\nhello"),
            "remove or repair it",
            remove("cat/c.png"),
        ),
        (
            lambda folder: Picture.new("I;16", (4, 3)).save(folder.path / "d" / "cat" / "c.png"),
            "save it with 8 bits per channel",
            lambda data: Picture.new("L", (4, 3)).save(data / "cat" / "c.png"),
        ),
    ],
)
def test_a_folder_of_images_is_read_as_advised(
    folder: DataFolder,
    add: Callable[[DataFolder], Any],
    advice: str,
    follow: Callable[[Path], Any],
) -> None:
    folder.image("d/cat/a.png")
    add(folder)
    with pytest.raises(DatasetError, match=re.escape(advice)):
        folder.read(folder.path / "d", IMAGE)
    follow(folder.path / "d")
    assert len(folder.read(folder.path / "d", IMAGE)) >= 1


def test_an_image_of_too_many_pixels_is_read_when_it_is_smaller(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgepack.calibration.datasets.sources.images._MAX_PIXELS", 11)
    folder.image("d/a.png")
    folder.assert_refused("make it smaller", folder.path / "d", IMAGE)
    folder.image("d/a.png", size=(3, 3))
    folder.read(folder.path / "d", model(spec("image", 3, 3, 3)))


@pytest.mark.parametrize(
    ("add", "advice", "repair"),
    [
        (damaged("b.wav", b"RIFF"), "remove or repair it", None),
        (
            lambda folder: folder.sound("d/b.wav", rate=16000),
            "convert the files to one rate",
            lambda data: soundfile.write(data / "b.wav", np.zeros(4), 8000),
        ),
        (
            lambda folder: folder.sound("d/b.wav", samples=0),
            "remove it, or record it again",
            lambda data: soundfile.write(data / "b.wav", np.zeros(4), 8000),
        ),
        (
            lambda folder: (folder.path / "d" / "b.wav").write_bytes(
                folder.sound("d/b.wav").read_bytes()[:-2]
            ),
            "remove it, or copy it again",
            None,
        ),
    ],
)
def test_a_folder_of_sounds_is_read_as_advised(
    folder: DataFolder,
    add: Callable[[DataFolder], Any],
    advice: str,
    repair: Callable[[Path], Any] | None,
) -> None:
    data, wanted = folder.path / "d", model(spec("wave", 4))
    folder.sound("d/a.wav")
    add(folder)
    folder.assert_refused(advice, data, wanted, RATE if "record" in advice else "")
    if repair:
        repair(data)
        assert len(folder.read(data, wanted)) == 2
    (data / "b.wav").unlink()
    assert len(folder.read(data, wanted)) == 1


def test_a_folder_is_described_by_what_it_contains(folder: DataFolder) -> None:
    folder.image("d/a.png")
    with pytest.raises(ConfigError, match="contains images; describe images instead"):
        folder.read(folder.path / "d", IMAGE, RATE)
    folder.read(folder.path / "d", IMAGE, "[preprocessing]\nresize = [3, 4]")


def test_two_folders_have_the_same_subfolders(folder: DataFolder) -> None:
    for name in ("one/cat", "one/dog", "two/dog"):
        folder.image(f"{name}/a.png")

    def read() -> list[Dataset]:
        return [folder.read(folder.path / name, IMAGE) for name in ("one", "two")]

    with pytest.raises(DatasetError, match="give both the same subfolders, empty if need be"):
        require_same_classes(read())
    (folder.path / "two" / "cat").mkdir()
    require_same_classes(read())
