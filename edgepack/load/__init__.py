"""Model files, told apart by content, refused if they would run code, loaded.

Only :func:`load_model` imports Keras, and with it TensorFlow.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgepack.config.export import ModelSource
from edgepack.core.errors import ModelError, reason
from edgepack.load.allowlist import kit
from edgepack.load.archive import require_no_assets
from edgepack.load.configurations import require_allowed
from edgepack.load.custom_objects import aliases, import_objects
from edgepack.load.formats import (
    Format,
    StoredModel,
    detect_format,
    read_stored,
    release,
    require_own_weights,
    weights_ending,
)
from edgepack.load.graphs import require_pure, require_pure_operators
from edgepack.load.keras_model import KerasModel
from edgepack.load.layer_settings import compute_in_float32
from edgepack.load.loaded_model import FloatModel
from edgepack.load.loading_limits import in_proportion
from edgepack.load.saved_function import SavedFunction
from edgepack.load.saved_model import built_by_keras
from edgepack.load.tflite_file import TfliteFile
from edgepack.tflite.parser import read_tflite


def load_model(source: ModelSource) -> FloatModel:
    """Load a model, uncompiled, with the Keras that saved it if one did.

    Raises :class:`UnsafeModelError` if loading would run code from the file and ``source`` does
    not allow it, and :class:`ModelError` if the file is damaged, holds what is not known here, or
    asks for far more memory than its size explains.
    """
    if source.runs_code:
        return _loaded(source)
    with in_proportion(source):
        return _loaded(source)


def _loaded(source: ModelSource) -> FloatModel:
    path = source.path
    stored = detect_format(path)
    if source.weights is not None and stored is not Format.JSON:
        raise ModelError(
            f"{source.weights}: {path} has weights of its own; --weights goes with the JSON text of"
            " model.to_json()"
        )
    if stored is Format.TFLITE:
        file = TfliteFile(path)
        if not source.allow_unsafe:
            require_pure_operators(path, read_tflite(file.data))
        return file
    held = read_stored(path, stored)
    require_own_weights(path, stored)
    objects = import_objects(source.custom_objects)
    objects |= aliases(path, held.configs, objects)
    package = "tf_keras" if held.is_legacy else "keras"
    if not source.allow_unsafe:
        _require_harmless(path, held, package, set(objects))
    if not held.is_keras:
        return SavedFunction(path)
    keras = importlib.import_module(package)
    try:
        model = _load(source, stored, keras, objects)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{path}: cannot be loaded: {_explain(error, held, keras)}") from error
    if not isinstance(model, keras.Model):
        return SavedFunction(path)
    compute_in_float32(model)
    found = KerasModel(model, keras, path)
    found.require_finite()
    return found


def _require_harmless(path: Path, held: StoredModel, package: str, known: set[str]) -> None:
    """Raise :class:`UnsafeModelError` for a model that is built of more than what computes."""
    if held.folder is None:
        require_no_assets(path, held.assets)
        require_allowed(path, held.config, kit(package), known=known)
        return
    require_pure(path, held.folder.saved)
    for config, is_built in built_by_keras(held.folder.metadata, known):
        require_allowed(path, config, kit(package), known=known, root=is_built)


def _load(source: ModelSource, stored: Format, keras: Any, objects: dict[str, Any]) -> Any:
    if stored is not Format.JSON:
        with _named(source.path, stored.value) as file:
            return keras.models.load_model(
                file,
                compile=False,
                custom_objects=objects,
                safe_mode=not source.allow_unsafe,
            )
    if source.weights is None:
        raise ModelError(f"{source.path}: holds no weights; give them with --weights")
    if source.allow_unsafe and keras.__name__ == "keras":
        keras.config.enable_unsafe_deserialization()
    model = keras.models.model_from_json(source.path.read_text("utf-8"), custom_objects=objects)
    ending = weights_ending(source.weights)
    if not ending and keras.__name__ == "keras":
        raise ModelError(
            f"{source.weights}: is a TensorFlow checkpoint, which Keras 3 does not read; save the"
            " weights with model.save_weights('NAME.weights.h5')"
        )
    with _named(source.weights, ending) as file:
        try:
            model.load_weights(file)
        except Exception as error:
            raise ModelError(
                f"{source.weights}: does not fit the model of {source.path}: {reason(error)}"
            ) from error
    return model


@contextmanager
def _named(path: Path, ending: str) -> Iterator[Path]:
    """Give a file the ending of its format: Keras goes by the name."""
    if not ending or path.name.endswith(ending):
        yield path
        return
    with TemporaryDirectory(prefix="edgepack-") as folder:
        link = Path(folder) / f"model{ending}"
        link.symlink_to(path.resolve())
        yield link


_UNKNOWN = re.compile(r"Unknown (\w+): '?(?:\w+>)?(\w+)|Could not locate (\w+) '(?:\w+>)?(\w+)'")


def _explain(error: Exception, held: StoredModel, keras: Any) -> str:
    """Say why, and the cure for a class of one's own, or a Keras newer than the one here."""
    why = reason(error)
    if "activation function: 'function'" in str(error):
        return f"{keras.__name__} cannot load a function of your own from .h5; save it as .keras"
    if unknown := _UNKNOWN.search(str(error)):
        kind, name = (part for part in unknown.groups() if part)
        why = (
            f"{keras.__name__} knows no {kind} {name!r}; if it is your own, name it:"
            f" --custom-objects MODULE:{name}"
        )
    if release(held.version) <= release(keras.__version__):
        return why
    return (
        f"{why}; {keras.__name__} {held.version} saved it, and here is {keras.__version__}: upgrade"
    )
