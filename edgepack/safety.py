"""Models that would run their own code: found in their configuration, before Keras reads it."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from edgepack.errors import UnsafeModelError


def refuse_code(path: Path, config: Any) -> None:
    """Raise :class:`UnsafeModelError` if a configuration brings code or names foreign modules."""
    for entry in _dicts(config):
        kind = entry.get("class_name")
        if kind in ("Lambda", "__lambda__") or entry.get("function_type") == "lambda":
            raise UnsafeModelError(
                f"{path}: holds a Lambda layer: Python code that would run here on loading;"
                " replace it by Keras layers and save the model again"
            )
        if kind == "TFOpLambda":
            refuse_functions(path, str(entry.get("config", {}).get("function")))
        if kind == "TensorFlowOpLayer":
            refuse_operators(path, _words(entry.get("config", {}).get("node_def")))
        if kind and (foreign := _foreign(entry)):
            raise UnsafeModelError(
                f"{path}: names {foreign}, which is not Keras's own: loading it would import and"
                " run code; use Keras's layers and functions and save the model again"
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
            " model is run; save the model without it"
        )


def refuse_operators(path: Path, operators: Iterable[str]) -> None:
    """Raise :class:`UnsafeModelError` if a graph reaches outside itself."""
    for name in operators:
        if name in _OUTSIDE:
            raise UnsafeModelError(
                f"{path}: its graph holds the operator {name}, which reaches files or programs of"
                " this machine when the model is loaded or run; save the model without it"
            )


def _words(node: Any) -> list[str]:
    """Split what a configuration holds into words: a node may be a mapping or its text."""
    return re.findall(r"\w+", str(node))


def _foreign(entry: dict[str, Any]) -> str | None:
    """Name the Python object that deserializing would import from outside Keras, if any.

    For a function Keras writes the module ``builtins`` and looks among its own first.
    """
    module, name = str(entry.get("module") or "keras"), entry["class_name"]
    if name == "function":
        name = entry.get("config")
    if module == "builtins":
        return f"builtins.{name}" if hasattr(builtins, str(name)) else None
    return None if module.split(".", maxsplit=1)[0] in ("keras", "tf_keras") else f"{module}.{name}"


def _dicts(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _dicts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _dicts(value)
