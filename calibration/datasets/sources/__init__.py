"""Sources of samples: one module per kind, detected by content.

================ ==========================================================================
.npz, .npy       an array for each input, ``x`` for a single one; labels by output, or ``y``
folder           images or WAV files; subfolders are classes
.csv             a header row, then rows of numbers
TFRecord         records of ``tf.train.Example``
module:function  a user's function that returns one of the objects below
object           arrays, a dict of them, (x, y), an iterable, a Keras Sequence, a tf.data.Dataset
================ ==========================================================================
"""

from __future__ import annotations

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
from edgepack.calibration.datasets.sources.source import Context, SampleSource, read_errors
from edgepack.calibration.datasets.sources.stream import open_object
from edgepack.calibration.datasets.sources.tfrecord import TfRecords, is_tfrecord
from edgepack.calibration.datasets.sources.wav import WavFolder
from edgepack.config.inputs import is_function_name
from edgepack.core.errors import DatasetError
from edgepack.core.file_contents import EXCHANGED, kind_of_model
from edgepack.core.packages import PILLOW, SOUNDFILE
from edgepack.core.tensorflow_packages import require_tensorflow
from edgepack.core.user_files import require_not_special

_HEAD_BYTES = 4096
_NPY = b"\x93NUMPY"


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """Data whose kind has been detected.

    ``name`` is for messages; ``open`` reads no samples yet. If ``is_isolated``, the data must be
    read in a process of its own, because decoders and users' functions may crash or import
    TensorFlow.
    """

    name: str
    open: Callable[[Context], SampleSource]
    is_isolated: bool = False


def find_source(data: Any) -> DataSource:
    """Detect the kind of data: a path, ``module:function``, or an object.

    Raises :class:`DatasetError` for data that are missing, cannot be read or are of no known kind,
    and :class:`MissingToolError` if a package that decodes them is not installed.
    """
    if isinstance(data, str) and is_function_name(data):
        return DataSource(
            name=data, open=lambda context: open_function(data, context), is_isolated=True
        )
    if not isinstance(data, (str, Path)):
        name = type(data).__name__
        return DataSource(name=name, open=lambda context: open_object(data, name, context))
    path = Path(data)
    with read_errors(str(path)):
        require_not_special(path, DatasetError)
        if kind := kind_of_model(path):
            raise DatasetError(
                f"{path}: {kind}, not data: save data with np.savez(file, x=inputs, y=labels);"
                f" {EXCHANGED}"
            )
        if path.is_dir():
            return _detect_folder(path)
        return _detect_file(path)


def _detect_file(path: Path) -> DataSource:
    name = str(path)
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        is_npz = zipfile.is_zipfile(file)
    if is_npz:
        return DataSource(name=name, open=lambda context: open_npz(path, context))
    if head.startswith(_NPY) and len(head) > len(_NPY):
        return DataSource(name=name, open=lambda context: open_npy(path, context))
    if is_tfrecord(path):
        require_tensorflow(f"{path}: a TFRecord file")
        return DataSource(
            name=name, open=lambda context: TfRecords(path, context), is_isolated=True
        )
    if _is_table(path, head):
        return DataSource(name=name, open=lambda context: CsvTable(path, context))
    if path.suffix.lower() == ".csv":
        problem = (
            NOT_UTF_8 if head.strip() else "is empty; provide a header row and rows of numbers"
        )
        raise DatasetError(f"{path}: {problem}")
    raise DatasetError(
        f"{path}: not an .npz, .npy, .csv or TFRecord file, or a damaged one;"
        " save it with np.savez(file, x=inputs, y=labels)"
    )


def _detect_folder(path: Path) -> DataSource:
    kinds: dict[str, list[str]] = {"image": [], "sound": []}
    files = files_below(path)
    for name in files:
        if kind := _media_kind(path / name):
            kinds[kind].append(name)
    pictures, waves = kinds.values()
    if pictures and waves:
        raise DatasetError(
            f"{path}: contains both images and WAV files, such as {min(pictures)} and"
            f" {min(waves)}; provide a folder of one kind"
        )
    if pictures:
        PILLOW.require(str(path))
        return DataSource(
            name=str(path),
            open=lambda context: ImageFolder(path, pictures, context.project_file.label),
            is_isolated=True,
        )
    if waves:
        SOUNDFILE.require(str(path))
        return DataSource(
            name=str(path),
            open=lambda context: _open_wav_folder(path, waves, context),
            is_isolated=True,
        )
    contents = f"none of its {len(files)} files is one" if files else "it is empty"
    raise DatasetError(f"{path}: a folder without images or WAV files: {contents}")


def _open_wav_folder(path: Path, files: list[str], context: Context) -> WavFolder:
    preprocessing = context.project_file.described(context.signature).values()
    return WavFolder(path, files, context.project_file.label, next(iter(preprocessing)).audio)


def _media_kind(file: Path) -> str | None:
    """Return "image" or "sound", by suffix (the decoder checks it) or else by content; or None."""
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
        if error.start < len(head) - 4:  # the last character may be incomplete
            return False
        text = head[: error.start].decode("utf-8-sig")
    first = text.partition("\n")[0]
    return "\0" not in text and (
        "," in first or (path.suffix.lower() == ".csv" and bool(text.strip()))
    )
