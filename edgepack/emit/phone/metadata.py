"""TFLite metadata: what a model is, in the file itself, for apps and tools that read it.

The tables and the numbers of their fields are those of ``metadata_schema.fbs``, version 1.5.0, of
TensorFlow Lite Support. The metadata are a FlatBuffer in a buffer of the model that its metadata
name ``TFLITE_METADATA``; associated files are a zip archive behind the model.
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
from edgepack.emit.c.firmware_model import End
from edgepack.emit.phone.phone_model import PhoneModel
from edgepack.emit.phone.preprocessing_text import preprocessing_in_words
from edgepack.quantization.affine import real_range
from edgepack.tflite.flatbuffer_writer import Floats, NewTable, Number, write_tables
from edgepack.tflite.rewrite import Rewrite

LABELS = "labels.txt"

_NAME = "TFLITE_METADATA"
_IDENTIFIER = b"M001"
_TENSOR_AXIS_LABELS = 2
_FEATURE, _IMAGE, _AUDIO = 1, 2, 4
"""Of the union ContentProperties."""

_NORMALIZATION = 1
_COLOR_SPACES = {"rgb": 1, "gray": 2}
_WITH_AUDIO = "1.3.0"
_OLDEST = "1.0.0"
"""The versions of the schema that a reader must know: AudioProperties came later."""

_VERSION_DIGITS = 12
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
_ZIP_UNIX = 3
_ZIP_MODE = 0o644 << 16
_LARGEST_PIXEL = 255.0


def with_metadata(model: PhoneModel) -> bytes:
    """Write the .tflite file with metadata, in the place of those it may have.

    Raises :class:`ModelError` for a file whose constants lie behind its FlatBuffer, where the
    archive of the labels belongs.
    """
    rewrite = Rewrite(model.data)
    if any((buffer.offset or 0) > 1 for buffer in rewrite.model.buffers):
        raise ModelError(
            "its constants lie behind the FlatBuffer, where the labels belong; convert the model"
            " to less than 2 GB"
        )
    _put(rewrite, np.frombuffer(metadata(model), np.uint8))
    data = rewrite.to_bytes()
    return _with_labels(data, model.labels) if model.labels else data


def _put(rewrite: Rewrite, content: NDArray[np.uint8]) -> None:
    """Put metadata into a file, in the buffer of those that it had if nothing else uses that."""
    entries = rewrite.model.metadata or []
    kept = [entry for entry in entries if entry.name != _NAME.encode()]
    used = {tensor.buffer for graph in rewrite.model.subgraphs for tensor in graph.tensors}
    used |= {0} | {entry.buffer for entry in kept}
    free = [entry.buffer for entry in entries if entry.buffer not in used]
    made = schema.MetadataT()
    made.name = _NAME.encode()
    made.buffer = free[0] if free else rewrite.add_buffer(content)
    rewrite.model.buffers[made.buffer].data = content
    rewrite.model.metadata = [*kept, made]


def _with_labels(data: bytes, labels: tuple[str, ...]) -> bytes:
    """Append the labels as a zip archive, not compressed, the same each time.

    Mode "w" writes from here on; "a" would take constants that look like an archive's end for one.
    """
    file = BytesIO()
    file.write(data)
    info = zipfile.ZipInfo(LABELS, _ZIP_DATE)
    info.create_system, info.external_attr = _ZIP_UNIX, _ZIP_MODE
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(info, "".join(f"{label}\n" for label in labels))
    return file.getvalue()


def metadata(model: PhoneModel) -> bytes:
    """Write the FlatBuffer of the metadata.

    The version of the model is the beginning of the SHA-256 of the file that it was made of.
    """
    inputs = tuple(_input(end, model.described(end)) for end in model.inputs)
    outputs = tuple(_output(end, place, model) for place, end in enumerate(model.outputs))
    has_audio = any(_holds_wave(described) for described in model.preprocessing.values())
    return write_tables(
        NewTable(
            {
                0: model.name,
                1: model.description,
                2: hashlib.sha256(model.data).hexdigest()[:_VERSION_DIGITS],
                3: (NewTable({2: inputs, 3: outputs}),),
                7: _WITH_AUDIO if has_audio else _OLDEST,
            }
        ),
        _IDENTIFIER,
    )


def _input(end: End, described: Preprocessing) -> NewTable:
    steps = preprocessing_in_words(described)
    return _tensor(
        end,
        description=f"The input is {'; then '.join(steps)}." if steps else "",
        content=_content(end, described),
        units=_normalization(described),
        stats=_pixel_stats(described) or _stats(end),
    )


def _output(end: End, place: int, model: PhoneModel) -> NewTable:
    is_labelled = bool(model.labels) and place == model.labelled
    labels = NewTable({0: LABELS, 1: "A label a line.", 2: Number("Int8", _TENSOR_AXIS_LABELS)})
    return _tensor(
        end,
        description="A value for each label, along the last axis." if is_labelled else "",
        content=_union(_FEATURE, NewTable({})),
        stats=_stats(end),
        files=(labels,) if is_labelled else (),
    )


def _tensor(
    end: End,
    *,
    description: str,
    content: NewTable,
    units: tuple[NewTable, ...] = (),
    stats: NewTable | None = None,
    files: tuple[NewTable, ...] = (),
) -> NewTable:
    return NewTable(
        {0: end.title, 1: description, 3: content, 4: units, 5: stats, 6: files},
    )


def _union(kind: int, table: NewTable) -> NewTable:
    """Write a table whose first two fields are a union: Content, ProcessUnit."""
    return NewTable({0: Number("Uint8", kind), 1: table})


def _content(end: End, described: Preprocessing) -> NewTable:
    """Say what a tensor holds: an image, a wave of sound, or numbers, computed of sound or not."""
    if described.image:
        height, width = end.tensor.sample_shape[:2]
        size = NewTable({0: Number("Uint32", width), 1: Number("Uint32", height)})
        # Blue first has no word in the schema: the description tells it.
        colors = _COLOR_SPACES.get(described.image.colors or "", 0)
        return _union(_IMAGE, NewTable({0: Number("Int8", colors), 1: size}))
    if described.audio and _holds_wave(described):
        rate = Number("Uint32", described.audio.sample_rate)
        return _union(_AUDIO, NewTable({0: rate, 1: Number("Uint32", 1)}))
    return _union(_FEATURE, NewTable({}))


def _holds_wave(described: Preprocessing) -> bool:
    return described.audio is not None and described.audio.features is None


def mean_and_std(described: Preprocessing) -> tuple[list[float], list[float]]:
    """Turn a recipe's numbers into the schema's, whose formula is ``(x - mean) / std``.

    Of ``(x * scale + offset - mean) / std`` these are ``(mean - offset) / scale`` and
    ``std / scale``. Where the division is not exact, the result is the nearest float32. Both are as
    long: readers refuse them otherwise (mediapipe/tasks/cc/vision/utils/image_tensor_specs.cc).

    >>> mean_and_std(Preprocessing(scale=1 / 255, mean=(0.5,), std=(0.25,)))
    ([127.5], [63.75])
    >>> mean_and_std(Preprocessing(mean=(1, 2, 3)))
    ([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])
    """
    mean = [(mean - described.offset) / described.scale for mean in described.mean]
    std = [std / described.scale for std in described.std]
    count = max(len(mean), len(std))
    return mean * (count // len(mean)), std * (count // len(std))


def _normalization(described: Preprocessing) -> tuple[NewTable, ...]:
    """Say how values are normalized; of an image always, as readers expect it."""
    if not described.image and not described.changes_values:
        return ()
    mean, std = mean_and_std(described)
    with np.errstate(over="ignore"):
        held = np.array([mean, std], np.float32)
    if not (np.isfinite(held).all() and held[1].all()):
        return ()  # float32 cannot hold them: the description tells the formula
    return (_union(_NORMALIZATION, NewTable({0: Floats(mean), 1: Floats(std)})),)


def _pixel_stats(described: Preprocessing) -> NewTable | None:
    """Tell what black and white become."""
    if not described.image:
        return None
    ranges = [
        sorted((x - mean) / std for x in (0.0, _LARGEST_PIXEL))
        for mean, std in zip(*mean_and_std(described), strict=True)
    ]
    return _range([least for least, _ in ranges], [most for _, most in ranges])


def _stats(end: End) -> NewTable | None:
    """Tell the range of real values that a quantized tensor can hold."""
    if end.tensor.quant is None:
        return None
    least, most = real_range(end.tensor)
    return _range([least], [most])


def _range(least: list[float], most: list[float]) -> NewTable:
    return NewTable({0: Floats(most), 1: Floats(least)})
