"""Models that would run their own code: found in their configuration, before Keras reads it."""

from __future__ import annotations

import builtins
import re
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any

from edgepack.errors import UnsafeModelError

_TRUST = "--allow-unsafe if you trust whoever made the file"


def refuse_code(path: Path, config: Any, *, known: Container[str] = ()) -> None:
    """Raise :class:`UnsafeModelError` if a configuration brings code or names foreign modules.

    ``known`` are the registered names of classes and functions that the user vouches for.
    """
    for entry in entries(config):
        kind = entry.get("class_name")
        if kind in ("Lambda", "__lambda__") or entry.get("function_type") == "lambda":
            raise UnsafeModelError(
                f"{path}: holds a Lambda layer: Python code that would run here on loading, with"
                " your rights; replace it by Keras layers and save the model again, or give"
                f" {_TRUST}"
            )
        if kind == "TFOpLambda":
            refuse_functions(path, str(entry.get("config", {}).get("function")))
        if kind == "TensorFlowOpLayer":
            refuse_operators(path, _words(entry.get("config", {}).get("node_def")))
        if kind and registered_name(entry) not in known and (foreign := _foreign(entry)):
            module, _, name = foreign.rpartition(".")
            raise UnsafeModelError(
                f"{path}: names {foreign}, which is not Keras's own: loading it would import and"
                f" run code with your rights; if it is yours, name it: --custom-objects"
                f" {module}:{name}, or give {_TRUST}"
            )


_OUTSIDE = {
    *("ReadFile", "WriteFile", "MatchingFiles", "ReaderReadV2", "ReaderReadUpToV2"),
    *("PyFunc", "PyFuncStateless", "EagerPyFunc", "SaveDatasetV2", "LoadDataset"),
    *("WriteGraphSummary", "CreateSummaryFileWriter", "RpcCall", "DebugIdentityV2"),
}
"""Operators of TensorFlow that read or write files, or call Python, when a graph is run."""


_OUTSIDE_FUNCTIONS = {
    *("io", "raw_ops", "py_function", "numpy_function", "load_library", "load_op_library"),
    *("saved_model", "train", "data", "summary", "profiler", "debugging", "distribute", "tpu"),
}
"""Names under ``tf`` that reach as far."""


def refuse_functions(path: Path, name: str) -> None:
    """Raise :class:`UnsafeModelError` if a function of TensorFlow reaches outside its graph."""
    if not _OUTSIDE_FUNCTIONS.isdisjoint(name.split(".")):
        raise UnsafeModelError(
            f"{path}: calls tf.{name}, which reaches files or programs of this machine when the"
            f" model is run; save the model without it, or give {_TRUST}"
        )


def refuse_operators(path: Path, operators: Iterable[str]) -> None:
    """Raise :class:`UnsafeModelError` if a graph reaches outside itself."""
    for name in operators:
        if name in _OUTSIDE:
            raise UnsafeModelError(
                f"{path}: its graph holds the operator {name}, which reaches files or programs of"
                f" this machine when the model is loaded or run; save the model without it, or give"
                f" {_TRUST}"
            )


def _words(node: Any) -> list[str]:
    """Split what a configuration holds into words: a node may be a mapping or its text."""
    return re.findall(r"\w+", str(node))


_INITIALIZERS = "tensorflow.python.ops.init_ops_v2"
"""Where tf-keras finds some of its initializers; nothing else is there."""


def _foreign(entry: dict[str, Any]) -> str | None:
    """Name the Python object that deserializing would import from outside Keras, if any.

    For a function Keras writes the module ``builtins`` and looks among its own first.
    """
    module, name = str(entry.get("module") or "keras"), entry["class_name"]
    if name == "function":
        name = entry.get("config")
    if module == "builtins":
        return f"builtins.{name}" if hasattr(builtins, str(name)) else None
    if module == _INITIALIZERS:
        return None
    return None if module.split(".", maxsplit=1)[0] in ("keras", "tf_keras") else f"{module}.{name}"


def registered_name(entry: dict[str, Any]) -> str | None:
    """Find the name by which Keras looks an object up among the user's own."""
    name = entry.get("registered_name") or entry.get("class_name")
    if name == "function":
        name = entry.get("config")
    return name if isinstance(name, str) else None


def entries(node: Any) -> Iterator[dict[str, Any]]:
    """Go through the mappings of a configuration, at every depth."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from entries(value)
    elif isinstance(node, list):
        for value in node:
            yield from entries(value)
