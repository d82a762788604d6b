"""Where samples come from: one file a kind, known by what it holds.

============== ==========================================================================
.npz, .npy     an array for each input, ``x`` for a lone one; labels by output, or ``y``
folder         of images or WAV files; subfolders are classes
.csv           a header row and numbers
TFRecord       of ``tf.train.Example``
module:function  a function of one's own, which returns what follows
object         arrays, a dict of them, (x, y), an iterable, a Keras Sequence, a tf.data.Dataset
============== ==========================================================================
"""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgepack.calibration.datasets.sources import images, wav
from edgepack.calibration.datasets.sources.csv_table import NOT_UTF_8, CsvTable
from edgepack.calibration.datasets.sources.folder import files_below
from edgepack.calibration.datasets.sources.function import open_function
from edgepack.calibration.datasets.sources.images import ImageFolder
from edgepack.calibration.datasets.sources.npz import open_npy, open_npz
from edgepack.calibration.datasets.sources.source import Context, SampleSource, explain_reading
from edgepack.calibration.datasets.sources.stream import open_object
from edgepack.calibration.datasets.sources.tfrecord import TfRecords, is_tfrecord
from edgepack.calibration.datasets.sources.wav import WavFolder
from edgepack.config.export import is_function_name
from edgepack.core.errors import DatasetError, MissingToolError
from edgepack.core.user_files import require_ordinary

_HEAD_BYTES = 4096
_NPY = b"\x93NUMPY"


@dataclass(frozen=True, kw_only=True)
class FoundSource:
    """Data whose kind is known.

    ``name`` is for messages; ``open`` reads no samples yet. ``is_isolated`` wants a process of its
    own, because decoders and users' functions crash, and import TensorFlow.
    """

    name: str
    open: Callable[[Context], SampleSource]
    is_isolated: bool = False


def find_source(data: Any) -> FoundSource:
    """Find out what data are.

    Raises :class:`DatasetError` for what is missing, cannot be read or is of no known kind, and
    :class:`MissingToolError` if the package that decodes it is not installed.
    """
    if isinstance(data, str) and is_function_name(data):
        return FoundSource(
            name=data, open=lambda context: open_function(data, context), is_isolated=True
        )
    if not isinstance(data, (str, Path)):
        name = type(data).__name__
        return FoundSource(name=name, open=lambda context: open_object(data, name, context))
    path = Path(data)
    with explain_reading(str(path)):
        if path.is_dir():
            return _folder(path)
        require_ordinary(path, DatasetError)
        return _file(path)


def _file(path: Path) -> FoundSource:
    name = str(path)
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        is_npz = zipfile.is_zipfile(file)
    if is_npz:
        return FoundSource(name=name, open=lambda context: open_npz(path, context))
    if head.startswith(_NPY) and len(head) > len(_NPY):
        return FoundSource(name=name, open=lambda context: open_npy(path, context))
    if is_tfrecord(path):
        return FoundSource(
            name=name, open=lambda context: TfRecords(path, context), is_isolated=True
        )
    if _is_table(path, head):
        return FoundSource(name=name, open=lambda context: CsvTable(path, context))
    if path.suffix.lower() == ".csv":
        wrong = NOT_UTF_8 if head.strip() else "is empty; give a header row and rows of numbers"
        raise DatasetError(f"{path}: {wrong}")
    raise DatasetError(
        f"{path}: not an .npz file, or a damaged one, nor .npy, .csv or TFRecord;"
        " save it with np.savez(file, x=inputs, y=labels)"
    )


def _folder(path: Path) -> FoundSource:
    kinds: dict[str, list[str]] = {"image": [], "sound": []}
    files = files_below(path)
    for name in files:
        if kind := _kind(path / name):
            kinds[kind].append(name)
    pictures, waves = kinds.values()
    if pictures and waves:
        raise DatasetError(
            f"{path}: holds images and WAV files, such as {min(pictures)} and"
            f" {min(waves)}; give a folder of one kind"
        )
    if pictures:
        _require("PIL", "Pillow", "images", path)
        return FoundSource(
            name=str(path),
            open=lambda context: ImageFolder(path, pictures, context.project_file.label),
            is_isolated=True,
        )
    if waves:
        _require("soundfile", "soundfile", "audio", path)
        return FoundSource(
            name=str(path), open=lambda context: _sounds(path, waves, context), is_isolated=True
        )
    held = f"none of its {len(files)} files is one" if files else "it is empty"
    raise DatasetError(f"{path}: a folder without images and without WAV files: {held}")


def _sounds(path: Path, files: list[str], context: Context) -> WavFolder:
    described = context.project_file.described(context.signature).values()
    return WavFolder(path, files, context.project_file.label, next(iter(described)).audio)


def _kind(file: Path) -> str | None:
    """Tell an image from sound by its suffix, which its decoder checks, or else by content."""
    suffix = file.suffix.lower()
    if suffix in images.SUFFIXES:
        return "image"
    if suffix in wav.SUFFIXES:
        return "sound"
    with file.open("rb") as opened:
        head = opened.read(16)
    return "image" if images.is_image(head) else "sound" if wav.is_sound(head) else None


def _is_table(path: Path, head: bytes) -> bool:
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # a character may be cut off at the end
            return False
        text = head[: error.start].decode("utf-8-sig")
    first = text.partition("\n")[0]
    return "\0" not in text and (
        "," in first or (path.suffix.lower() == ".csv" and bool(text.strip()))
    )


def _require(module: str, package: str, extra: str, path: Path) -> None:
    if importlib.util.find_spec(module) is None:
        raise MissingToolError(
            f"{path}: {package} is needed to read it: pip install 'edgepack[{extra}]'"
        )
