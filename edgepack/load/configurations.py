"""Configurations of Keras models, looked through before Keras reads them.

Keras builds whatever a configuration names: classes and functions, by name or from a module that it
imports. So each name is held against the list of those that only compute.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgepack.core.errors import ModelError, UnsafeModelError
from edgepack.core.printable import shown
from edgepack.load import allowlist
from edgepack.load.allowlist import Kit

_TRUST = "--allow-unsafe if you trust whoever made the file"

_DATA = {
    *("__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__"),
    *("__tuple__", "TensorShape"),
}
"""What Keras writes of values that JSON does not have, in the place of a class."""

_SPECS = {"TensorSpec", "RaggedTensorSpec", "SparseTensorSpec"}
_SPEC_MODULES = {
    *("tensorflow.python.framework.tensor", "tensorflow.python.framework.tensor_spec"),
    *("tensorflow.python.framework.sparse_tensor", "tensorflow.python.ops.ragged.ragged_tensor"),
}

_NAMED_BY_STRING = ("activation", "initializer", "regularizer", "constraint")
"""Endings of the settings of layers that name what belongs to Keras without saying that."""

_CUSTOM = "Custom>"
"""Begins the names under which Keras 2 registers some of its own, as if they were the user's."""

_FOUND_IF_TRUSTED = ("keras", "tf_keras", "tensorflow")

_LONGEST_NAME = 100

_JSON_STARTS = ("{", "[")
_MOST_TEXTS = 10_000


def require_allowed(
    path: Path, config: Any, kit: Kit, *, known: Container[str] = (), root: bool = True
) -> None:
    """Raise :class:`UnsafeModelError` for a configuration that names what is not listed in ``kit``.

    ``known`` are the registered names of classes and functions that the user vouches for.
    Configurations in texts, such as JSON in JSON, count as well. ``root`` is False where the
    outermost entry is known to be no class of Keras's.
    """
    check = _Check(path, kit, known)
    for entry in entries(path, config):
        if root or entry is not config:
            check.require_class(entry)
        check.require_strings(entry)


def entries(path: Path, node: Any) -> Iterator[dict[str, Any]]:
    """Go through the mappings of a configuration, at every depth, also those in texts.

    Raises :class:`ModelError` if there are more texts that look like JSON than anyone writes.
    """
    waiting, texts = [node], 0
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
        elif isinstance(each, str) and each.lstrip().startswith(_JSON_STARTS):
            texts += 1
            if texts > _MOST_TEXTS:
                raise ModelError(
                    f"{path}: its configuration holds more than {_MOST_TEXTS:,} texts that look"
                    " like JSON; save the model again with Keras, which writes few"
                )
            waiting.append(_parsed(each))


def own_names(entry: dict[str, Any]) -> set[str]:
    """Find the names by which Keras looks an object up among the user's own, one or the other.

    An entry with a module is looked up by the registered name; one without, and in .h5 files the
    model itself, by the name of the class. None, if one of these is no name.
    """
    name = entry.get("class_name")
    names: list[Any] = [entry.get("config") if name == "function" else name]
    if name != "function" and entry.get("module") is not None:
        names.append(entry.get("registered_name", name))
    return set(names) if all(isinstance(each, str) for each in names) else set()


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


@dataclass(frozen=True)
class _Check:
    path: Path
    kit: Kit
    known: Container[str]

    def require_class(self, entry: dict[str, Any]) -> None:
        """Look at what an entry names, if it names a class or a function."""
        if any(key.endswith("_type") and entry[key] == "lambda" for key in entry):
            raise self._holds_lambda()
        if "class_name" not in entry:
            return
        name = entry["class_name"]
        if not isinstance(name, str):
            raise self._refusal(f"names {shown(name)} as a class", "it is no name")
        if name in ("Lambda", "__lambda__"):
            raise self._holds_lambda()
        if name in _DATA and entry.get("module") is None and not entry.get("registered_name"):
            return
        if name in self.kit.left_out and name not in self.known:
            raise self._refusal(f"holds a {name} layer", self.kit.left_out[name])
        if name in _OF_TENSORFLOW:
            _OF_TENSORFLOW[name](self, entry)
        names = own_names(entry)
        is_own = bool(names) and all(each in self.known for each in names)
        if not is_own and name not in _SPECIAL:
            self._require_listed(entry, name)

    def require_strings(self, entry: dict[str, Any]) -> None:
        """Look at settings that are names of functions and classes, or of files."""
        if isinstance(vocabulary := entry.get("vocabulary"), str):
            raise self._refusal(
                f"takes its vocabulary from the file {shown(vocabulary)}",
                "it would be read here on loading; save the model with the words themselves",
            )
        for key, value in entry.items():
            if key.endswith(_NAMED_BY_STRING) and _is_bytecode(value):
                raise ModelError(
                    f"{self.path}: its {shown(key)} is a lambda, which Keras saves and cannot load;"
                    " give the layer a function that has a name, and save the model again"
                )
            is_name = isinstance(value, str) and key.endswith(_NAMED_BY_STRING)
            if is_name and not self.kit.has(value) and value not in self.known:
                raise self._stranger(value, None)

    def _require_listed(self, entry: dict[str, Any], kind: str) -> None:
        is_function = kind == "function"
        name = entry.get("config") if is_function else kind
        module, registered = entry.get("module"), entry.get("registered_name")
        if kind.startswith(_CUSTOM) and module is None and registered in (None, kind):
            name = kind.removeprefix(_CUSTOM)
            if name in _OF_TENSORFLOW:
                raise self._stranger(kind, module)
        is_listed = self.kit.has_function if is_function else self.kit.has_class
        if not (
            isinstance(name, str)
            and isinstance(module, str | None)
            and registered in (None, kind, name, f"{_CUSTOM}{name}")
            and is_listed(name, module)
        ):
            raise self._stranger(name, module)

    def _require_function(self, entry: dict[str, Any]) -> None:
        """Look at the function of TensorFlow that an operation layer of Keras 2 calls."""
        name = _config(entry).get("function")
        if reason := allowlist.functions().why_not(str(name)):
            raise self._refusal(f"calls tf.{name}", reason)

    def _require_operator(self, entry: dict[str, Any]) -> None:
        """Look at the operator that a layer of TensorFlow 1's graphs holds."""
        node = _config(entry).get("node_def")
        node = _parsed(node) if isinstance(node, str) else node
        name = node.get("op") if isinstance(node, dict) else None
        if reason := allowlist.operators().why_not(str(name)):
            raise self._refusal(f"holds the operator {name}", reason)
        if any("func" in each for each in entries(self.path, node)):
            raise self._refusal(
                f"holds the operator {name}, which calls a function", "TensorFlow would run any"
            )

    def _require_spec(self, entry: dict[str, Any]) -> None:
        """Look at the description of a tensor, of which TensorFlow has other kinds, too."""
        if entry["class_name"] == "TypeSpec":
            is_listed = str(entry.get("type_spec")).removeprefix("tf.") in _SPECS
            is_listed = is_listed and entry.get("module") is None
        else:
            is_listed = entry.get("spec_name") in _SPECS and entry.get("module") in _SPEC_MODULES
        if not is_listed or entry.get("registered_name") is not None:
            named = entry.get("type_spec") or entry.get("spec_name")
            raise self._refusal(f"describes a tensor by {shown(named)}", "it is of no known kind")

    def _holds_lambda(self) -> UnsafeModelError:
        return UnsafeModelError(
            f"{self.path}: holds a Lambda layer: Python code that would run here on loading, with"
            " your rights; replace it by Keras layers and save the model again, or give"
            f" {_TRUST}"
        )

    def _stranger(self, name: Any, module: Any) -> UnsafeModelError:
        whole = f"{module}.{name}" if module else name
        is_name = isinstance(name, str) and name.isidentifier() and len(name) <= _LONGEST_NAME
        package = str(module or "").partition(".")[0]
        place = "MODULE" if package in ("", "builtins") else module
        mine = f"{place}:{name}" if is_name else "MODULE:NAME"
        # What is of neither is not found without its module, trusted or not.
        trust = f", or give {_TRUST}" if package in _FOUND_IF_TRUSTED else ""
        return UnsafeModelError(
            f"{self.path}: names {shown(whole)}, which is not on edgepack's list of what Keras has"
            " that only computes: loading it may run code with your rights; if it is yours, name"
            f" it: --custom-objects {mine}{trust}"
        )

    def _refusal(self, what: str, why: str) -> UnsafeModelError:
        return UnsafeModelError(
            f"{self.path}: {what}, which is refused: {why}; save the model without it, or give"
            f" {_TRUST}"
        )


def _is_bytecode(value: Any) -> bool:
    """Whether a setting is what Keras writes of a lambda: code, defaults and closure, no class."""
    return (
        isinstance(value, dict) and value.keys() == {"value"} and isinstance(value["value"], list)
    )


def _config(entry: dict[str, Any]) -> dict[str, Any]:
    config = entry.get("config")
    return config if isinstance(config, dict) else {}


_OF_TENSORFLOW: dict[str, Callable[[_Check, dict[str, Any]], None]] = {
    "TFOpLambda": _Check._require_function,
    "SlicingOpLambda": _Check._require_function,
    "TensorFlowOpLayer": _Check._require_operator,
    "TypeSpec": _Check._require_spec,
    "__typespec__": _Check._require_spec,
}
_SPECIAL = {"TypeSpec", "__typespec__"}
"""Entries that are no classes of Keras's, and have been looked at."""
