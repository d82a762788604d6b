"""The files of one model, each by its emitter."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgepack.emit.firmware import FirmwareModel
from edgepack.emit.model_array import model_c, model_h
from edgepack.emit.model_settings import model_settings_h
from edgepack.emit.op_resolver import op_resolver_h
from edgepack.emit.preprocess import preprocess_h
from edgepack.emit.quantize import quantize_h
from edgepack.emit.test_vectors import test_vectors_h

EMITTERS: Mapping[str, Callable[[FirmwareModel], str]] = {
    "model.h": model_h,
    "model.c": model_c,
    "model_settings.h": model_settings_h,
    "op_resolver.h": op_resolver_h,
    "quantize.h": quantize_h,
    "preprocess.h": preprocess_h,
    "test_vectors.h": test_vectors_h,
}


def model_files(model: FirmwareModel) -> dict[str, str]:
    """Write all of a model: text by path, in the folder of its name."""
    return {f"{model.name}/{name}": emit(model) for name, emit in EMITTERS.items()}
