"""Loads model files: detects the format by content, and rejects files that would run code.

Only :func:`load_model` imports Keras, and with it TensorFlow.
"""

from __future__ import annotations

import importlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgepack.config.model_source import ModelSource
from edgepack.core.errors import ModelError, reason
from edgepack.core.packages import KERAS, TF_KERAS
from edgepack.load.allowlist import allowed_keras_names
from edgepack.load.archive import require_no_assets
from edgepack.load.configurations import require_allowed
from edgepack.load.custom_objects import aliases, import_objects
from edgepack.load.formats import (
    Format,
    StoredModel,
    detect_format,
    read_stored_model,
    release,
    require_safe_weights,
    weights_ending,
)
from edgepack.load.graphs import require_pure, require_pure_operators
from edgepack.load.keras_model import KerasModel
from edgepack.load.layer_settings import compute_in_float32
from edgepack.load.loaded_model import FloatModel
from edgepack.load.loading_limits import limited_resources
from edgepack.load.saved_function import SavedFunction
from edgepack.load.saved_model import keras_configurations
from edgepack.load.tflite_file import TfliteFile
from edgepack.tflite.parser import read_tflite


def load_model(source: ModelSource) -> FloatModel:
    """Load a model, uncompiled, with the version of Keras that saved it, if any.

    Raises :class:`UnsafeModelError` if loading would run code from the file and ``source`` does
    not allow it, and :class:`ModelError` if the file is damaged, contains something unknown to the
    installed Keras, or requires far more memory than its size explains.
    """
    if source.runs_code:
        return _inspect_and_load(source)
    with limited_resources(source):
        return _inspect_and_load(source)


def _inspect_and_load(source: ModelSource) -> FloatModel:
    path = source.path
    file_format = detect_format(path)
    if source.weights is not None and file_format is not Format.JSON:
        raise ModelError(
            f"{source.weights}: {path} has weights of its own; --weights is only for the JSON text"
            " of model.to_json()"
        )
    if file_format is Format.TFLITE:
        file = TfliteFile(path)
        if not source.allow_unsafe:
            require_pure_operators(path, read_tflite(file.data))
        return file
    stored = read_stored_model(path, file_format)
    require_safe_weights(path, file_format)
    objects = import_objects(source.custom_objects)
    objects |= aliases(path, stored.configs, objects)
    package = TF_KERAS if stored.is_legacy else KERAS
    if not source.allow_unsafe:
        _require_safe(path, stored, package.module, set(objects))
    if not stored.is_keras:
        return SavedFunction(path)
    package.require(str(path))
    keras = importlib.import_module(package.module)
    try:
        model = _load_keras(source, file_format, keras, objects)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{path}: cannot be loaded: {_explain(error, stored, keras)}") from error
    if not isinstance(model, keras.Model):
        return SavedFunction(path)
    replaced = compute_in_float32(model)
    loaded = KerasModel(model, keras, path, replaced)
    loaded.require_finite()
    return loaded


def _require_safe(path: Path, stored: StoredModel, package: str, known: set[str]) -> None:
    """Raise :class:`UnsafeModelError` for a model that could do more than compute.

    ``known`` are the registered names of the user's own objects.
    """
    allowed = allowed_keras_names(package)
    if stored.folder is None:
        require_no_assets(path, stored.assets)
        require_allowed(path, stored.config, allowed, known=known)
        return
    require_pure(path, stored.folder.saved)
    for config, is_built in keras_configurations(stored.folder.metadata, known):
        require_allowed(path, config, allowed, known=known, root=is_built)


def _load_keras(
    source: ModelSource, file_format: Format, keras: Any, objects: dict[str, Any]
) -> Any:
    if file_format is not Format.JSON:
        with _with_ending(source.path, file_format.value) as file:
            return keras.models.load_model(
                file,
                compile=False,
                custom_objects=objects,
                safe_mode=not source.allow_unsafe,
            )
    if source.weights is None:
        raise ModelError(f"{source.path}: holds no weights; provide them with --weights")
    if source.allow_unsafe and keras.__name__ == "keras":
        keras.config.enable_unsafe_deserialization()
    model = keras.models.model_from_json(source.path.read_text("utf-8"), custom_objects=objects)
    ending = weights_ending(source.weights)
    if not ending and keras.__name__ == "keras":
        raise ModelError(
            f"{source.weights}: is a TensorFlow checkpoint, which Keras 3 does not read; save the"
            " weights with model.save_weights('NAME.weights.h5')"
        )
    with _with_ending(source.weights, ending) as file:
        try:
            model.load_weights(file)
        except Exception as error:
            raise ModelError(
                f"{source.weights}: does not match the model of {source.path}: {reason(error)}"
            ) from error
    return model


@contextmanager
def _with_ending(path: Path, ending: str) -> Iterator[Path]:
    """Provide a path with the ending of its format, by which Keras recognizes it."""
    if not ending or path.name.endswith(ending):
        yield path
        return
    with TemporaryDirectory(prefix="edgepack-") as folder:
        link = Path(folder) / f"model{ending}"
        try:
            link.symlink_to(path.resolve())
        except OSError:  # Windows makes links for administrators only
            shutil.copyfile(path, link)
        yield link


_UNKNOWN = re.compile(r"Unknown (\w+): '?(?:\w+>)?(\w+)|Could not locate (\w+) '(?:\w+>)?(\w+)'")


def _explain(error: Exception, stored: StoredModel, keras: Any) -> str:
    """Return the reason, and the cure for a custom class or a file saved by a newer Keras."""
    why = reason(error)
    if "activation function: 'function'" in str(error):
        return f"{keras.__name__} cannot load your own function from .h5; save it as .keras"
    if unknown := _UNKNOWN.search(str(error)):
        kind, name = (part for part in unknown.groups() if part)
        why = (
            f"{keras.__name__} has no {kind} {name!r}; if it is your own, name it:"
            f" --custom-objects MODULE:{name}"
        )
    if release(stored.version) <= release(keras.__version__):
        return why
    return (
        f"{why}; {keras.__name__} {stored.version} saved it, and {keras.__version__} is installed:"
        " upgrade it"
    )
