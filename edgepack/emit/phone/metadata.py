"""TFLite metadata: a description of the model, in the .tflite file itself, for apps and tools.

Tables and field numbers follow ``metadata_schema.fbs``, version 1.5.0, of TensorFlow Lite Support.
The metadata are a FlatBuffer of their own, in a buffer that the model lists under the name
``TFLITE_METADATA``. Associated files are a zip archive, appended to the .tflite file.
"""

from __future__ import annotations

import hashlib
import zipfile
from io import BytesIO

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgepack.config.preprocessing import Preprocessing
from edgepack.core.errors import ModelError
from edgepack.emit.c.io_tensor import IOTensor
from edgepack.emit.phone.phone_model import PhoneModel
from edgepack.emit.phone.preprocessing_text import describe_preprocessing
from edgepack.quantization.affine import real_range
from edgepack.tflite.flatbuffer_writer import Floats, NewTable, Number, write_tables
from edgepack.tflite.rewrite import Rewrite

LABELS = "labels.txt"

_NAME = "TFLITE_METADATA"
_IDENTIFIER = b"M001"
_TENSOR_AXIS_LABELS = 2
_FEATURE, _IMAGE, _AUDIO = 1, 2, 4
"""Members of the union ContentProperties."""

_NORMALIZATION = 1
_COLOR_SPACES = {"rgb": 1, "gray": 2}
_AUDIO_VERSION = "1.3.0"
_OLDEST_VERSION = "1.0.0"
"""Lowest schema version that a reader must support: AudioProperties was added in 1.3.0."""

_VERSION_DIGITS = 12
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
_ZIP_UNIX = 3
_ZIP_MODE = 0o644 << 16
_LARGEST_PIXEL = 255.0


def with_metadata(model: PhoneModel) -> bytes:
    """Return the .tflite file with metadata; existing metadata and files are replaced.

    Raises :class:`ModelError` for a file whose constants are stored after its FlatBuffer, where the
    archive with the labels goes.
    """
    rewrite = Rewrite(model.data)
    if any((buffer.offset or 0) > 1 for buffer in rewrite.model.buffers):
        raise ModelError(
            "its constants are stored after the FlatBuffer, where the labels go; convert the model"
            " to a file of less than 2 GB"
        )
    _put(rewrite, np.frombuffer(metadata_flatbuffer(model), np.uint8))
    data = rewrite.to_bytes()
    return _with_labels(data, model.labels) if model.labels else data


def _put(rewrite: Rewrite, content: NDArray[np.uint8]) -> None:
    """Put metadata into a file, reusing the buffer of earlier metadata if nothing else uses it."""
    entries = rewrite.model.metadata or []
    kept = [entry for entry in entries if entry.name != _NAME.encode()]
    used = {tensor.buffer for graph in rewrite.model.subgraphs for tensor in graph.tensors}
    used |= {0} | {entry.buffer for entry in kept}
    free = [entry.buffer for entry in entries if entry.buffer not in used]
    entry = schema.MetadataT()
    entry.name = _NAME.encode()
    entry.buffer = free[0] if free else rewrite.add_buffer(content)
    rewrite.model.buffers[entry.buffer].data = content
    rewrite.model.metadata = [*kept, entry]


def _with_labels(data: bytes, labels: tuple[str, ...]) -> bytes:
    """Append the labels as an uncompressed, reproducible zip archive.

    Mode "w" writes from the end of the model on; mode "a" could mistake constants that look like
    the end of an archive for one.
    """
    file = BytesIO()
    file.write(data)
    info = zipfile.ZipInfo(LABELS, _ZIP_DATE)
    info.create_system, info.external_attr = _ZIP_UNIX, _ZIP_MODE
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(info, "".join(f"{label}\n" for label in labels))
    return file.getvalue()


def metadata_flatbuffer(model: PhoneModel) -> bytes:
    """Write the FlatBuffer of the metadata.

    The model's version is the first 12 hexadecimal digits of the SHA-256 of the original file.
    """
    inputs = tuple(_input(io, model.preprocessing_of(io)) for io in model.inputs)
    outputs = tuple(_output(io, index, model) for index, io in enumerate(model.outputs))
    has_audio = any(_is_waveform(preprocessing) for preprocessing in model.preprocessing.values())
    return write_tables(
        NewTable(
            {
                0: model.name,
                1: model.description,
                2: hashlib.sha256(model.data).hexdigest()[:_VERSION_DIGITS],
                3: (NewTable({2: inputs, 3: outputs}),),
                7: _AUDIO_VERSION if has_audio else _OLDEST_VERSION,
            }
        ),
        _IDENTIFIER,
    )


def _input(io: IOTensor, preprocessing: Preprocessing) -> NewTable:
    steps = describe_preprocessing(preprocessing)
    return _tensor(
        io,
        description=f"Preprocessing: {'; then '.join(steps)}." if steps else "",
        content=_content(io, preprocessing),
        units=_normalization(preprocessing),
        stats=_pixel_stats(preprocessing) or _stats(io),
    )


def _output(io: IOTensor, index: int, model: PhoneModel) -> NewTable:
    is_labelled = bool(model.labels) and index == model.labelled
    labels = NewTable({0: LABELS, 1: "One label per line.", 2: Number("Int8", _TENSOR_AXIS_LABELS)})
    return _tensor(
        io,
        description="One value per label, along the last axis." if is_labelled else "",
        content=_union(_FEATURE, NewTable({})),
        stats=_stats(io),
        files=(labels,) if is_labelled else (),
    )


def _tensor(
    io: IOTensor,
    *,
    description: str,
    content: NewTable,
    units: tuple[NewTable, ...] = (),
    stats: NewTable | None = None,
    files: tuple[NewTable, ...] = (),
) -> NewTable:
    return NewTable(
        {0: io.title, 1: description, 3: content, 4: units, 5: stats, 6: files},
    )


def _union(kind: int, table: NewTable) -> NewTable:
    """Write a table whose first two fields are a union, such as Content or ProcessUnit."""
    return NewTable({0: Number("Uint8", kind), 1: table})


def _content(io: IOTensor, preprocessing: Preprocessing) -> NewTable:
    """Describe what a tensor holds: an image, an audio waveform, or any numbers (features)."""
    if preprocessing.image:
        height, width = io.tensor.sample_shape[:2]
        size = NewTable({0: Number("Uint32", width), 1: Number("Uint32", height)})
        # The schema has no color space for BGR: the description states it.
        colors = _COLOR_SPACES.get(preprocessing.image.colors or "", 0)
        return _union(_IMAGE, NewTable({0: Number("Int8", colors), 1: size}))
    if preprocessing.audio and _is_waveform(preprocessing):
        rate = Number("Uint32", preprocessing.audio.sample_rate)
        return _union(_AUDIO, NewTable({0: rate, 1: Number("Uint32", 1)}))
    return _union(_FEATURE, NewTable({}))


def _is_waveform(preprocessing: Preprocessing) -> bool:
    return preprocessing.audio is not None and preprocessing.audio.features is None


def mean_and_std(preprocessing: Preprocessing) -> tuple[list[float], list[float]]:
    """Return the mean and standard deviation for the schema's formula, ``(x - mean) / std``.

    The project file's formula is ``(x * scale + offset - mean) / std``, so they are
    ``(mean - offset) / scale`` and ``std / scale``; they are rounded to float32 when written. Both
    lists have the same length, as readers require
    (mediapipe/tasks/cc/vision/utils/image_tensor_specs.cc).

    >>> mean_and_std(Preprocessing(scale=1 / 255, mean=(0.5,), std=(0.25,)))
    ([127.5], [63.75])
    >>> mean_and_std(Preprocessing(mean=(1, 2, 3)))
    ([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])
    """
    mean = [(mean - preprocessing.offset) / preprocessing.scale for mean in preprocessing.mean]
    std = [std / preprocessing.scale for std in preprocessing.std]
    count = max(len(mean), len(std))
    return mean * (count // len(mean)), std * (count // len(std))


def _normalization(preprocessing: Preprocessing) -> tuple[NewTable, ...]:
    """Return the normalization of an input; always one for an image, as readers expect it."""
    if not preprocessing.image and not preprocessing.changes_values:
        return ()
    mean, std = mean_and_std(preprocessing)
    with np.errstate(over="ignore"):
        rounded = np.array([mean, std], np.float32)
    if not (np.isfinite(rounded).all() and rounded[1].all()):
        return ()  # not representable as float32: the description has the formula
    return (_union(_NORMALIZATION, NewTable({0: Floats(mean), 1: Floats(std)})),)


def _pixel_stats(preprocessing: Preprocessing) -> NewTable | None:
    """Return the range of normalized pixel values, per channel; None if it is no image."""
    if not preprocessing.image:
        return None
    ranges = [
        sorted((x - mean) / std for x in (0.0, _LARGEST_PIXEL))
        for mean, std in zip(*mean_and_std(preprocessing), strict=True)
    ]
    return _range([lowest for lowest, _ in ranges], [highest for _, highest in ranges])


def _stats(io: IOTensor) -> NewTable | None:
    """Return the range of real values that a quantized tensor can hold; None if not quantized."""
    if io.tensor.quant is None:
        return None
    lowest, highest = real_range(io.tensor)
    return _range([lowest], [highest])


def _range(lowest: list[float], highest: list[float]) -> NewTable:
    """Write the table Stats, whose first field is the maximum."""
    return NewTable({0: Floats(highest), 1: Floats(lowest)})
