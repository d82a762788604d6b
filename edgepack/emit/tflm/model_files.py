"""The firmware files of one model, in a folder named after the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgepack.emit.tflm.c_array import array_header, array_source
from edgepack.emit.tflm.firmware_model import FirmwareModel
from edgepack.emit.tflm.model_settings import model_settings_h
from edgepack.emit.tflm.op_resolver import op_resolver_h
from edgepack.emit.tflm.preprocess_h import preprocess_h
from edgepack.emit.tflm.quantize_h import quantize_h
from edgepack.emit.tflm.test_vectors import test_vectors_h

EMITTERS: Mapping[str, Callable[[FirmwareModel], str]] = {
    "model_settings.h": model_settings_h,
    "op_resolver.h": op_resolver_h,
    "quantize.h": quantize_h,
    "preprocess.h": preprocess_h,
    "test_vectors.h": test_vectors_h,
}
"""The function that writes each header, by file name."""


def array_files(name: str, data: bytes) -> dict[str, str]:
    """Return the header and source of a model's bytes as array ``NAME_model``: text by path."""
    symbol, header = f"{name}_model", "model.h"
    return {
        f"{name}/{header}": array_header(symbol, data),
        f"{name}/model.c": array_source(symbol, data, header),
    }


def model_files(model: FirmwareModel) -> dict[str, str]:
    """Return all firmware files of a model: text by path."""
    headers = {f"{model.name}/{name}": emit(model) for name, emit in EMITTERS.items()}
    return array_files(model.name, model.data) | headers
