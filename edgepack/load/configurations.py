"""Inspects configurations of Keras models before Keras reads them.

Keras builds whatever a configuration names: classes and functions, by name or from a module that it
imports. So each name must be on the list of those that only compute.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgepack.core.errors import ModelError, UnsafeModelError
from edgepack.core.printable import quote_name
from edgepack.load import allowlist
from edgepack.load.allowlist import AllowedKerasNames

_TRUST = "--allow-unsafe if you trust the author of the file"

_DATA = {
    *("__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__"),
    *("__tuple__", "TensorShape"),
}
"""What Keras writes instead of a class name for values that JSON cannot represent."""

_SPECS = {"TensorSpec", "RaggedTensorSpec", "SparseTensorSpec"}
_SPEC_MODULES = {
    *("tensorflow.python.framework.tensor", "tensorflow.python.framework.tensor_spec"),
    *("tensorflow.python.framework.sparse_tensor", "tensorflow.python.ops.ragged.ragged_tensor"),
}

_NAMED_BY_STRING = ("activation", "initializer", "regularizer", "constraint")
"""Suffixes of layer settings whose value may be the bare name of a Keras object."""

_CUSTOM = "Custom>"
"""Prefix under which Keras 2 registers some of its own objects, as if they were the user's."""

_FOUND_IF_TRUSTED = ("keras", "tf_keras", "tensorflow")

_MAX_NAME_LENGTH = 100

_JSON_STARTS = ("{", "[")
_MAX_JSON_STRINGS = 10_000


def require_allowed(
    path: Path,
    config: Any,
    allowed: AllowedKerasNames,
    *,
    known: Container[str] = (),
    root: bool = True,
) -> None:
    """Raise :class:`UnsafeModelError` if a configuration contains a name that is not ``allowed``.

    ``known`` are the registered names of classes and functions that the user vouches for.
    Configurations inside strings, such as JSON in JSON, are checked too. ``root`` is False where
    the outermost entry is known not to be a class of Keras.
    """
    check = _Check(path, allowed, known)
    for entry in entries(path, config):
        if root or entry is not config:
            check.require_class(entry)
        check.require_strings(entry)


def entries(path: Path, node: Any) -> Iterator[dict[str, Any]]:
    """Yield the mappings of a configuration, at every depth, including those in strings.

    Raises :class:`ModelError` if there are implausibly many strings that look like JSON.
    """
    pending, strings = [node], 0
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            yield each
            pending.extend(each.values())
        elif isinstance(each, list):
            pending.extend(each)
        elif isinstance(each, str) and each.lstrip().startswith(_JSON_STARTS):
            strings += 1
            if strings > _MAX_JSON_STRINGS:
                raise ModelError(
                    f"{path}: its configuration contains more than {_MAX_JSON_STRINGS:,} strings"
                    " that look like JSON; save the model again with Keras, which writes few"
                )
            pending.append(_parsed(each))


def lookup_names(entry: dict[str, Any]) -> set[str]:
    """Return the names by which Keras may look an object up among the user's own.

    An entry with a module is looked up by the registered name; one without, and in .h5 files the
    model itself, by the name of the class. The set is empty if one of these is not a string.
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
    allowed: AllowedKerasNames
    known: Container[str]

    def require_class(self, entry: dict[str, Any]) -> None:
        """Check the class or function that an entry names, if any."""
        if any(key.endswith("_type") and entry[key] == "lambda" for key in entry):
            raise self._lambda_error()
        if "class_name" not in entry:
            return
        name = entry["class_name"]
        if not isinstance(name, str):
            raise self._rejected(f"names {quote_name(name)} as a class", "it is not a name")
        if name in ("Lambda", "__lambda__"):
            raise self._lambda_error()
        if name in _DATA and entry.get("module") is None and not entry.get("registered_name"):
            return
        if name in self.allowed.left_out and name not in self.known:
            raise self._rejected(f"contains a {name} layer", self.allowed.left_out[name])
        if name in _OF_TENSORFLOW:
            _OF_TENSORFLOW[name](self, entry)
        names = lookup_names(entry)
        is_own = bool(names) and all(each in self.known for each in names)
        if not is_own and name not in _SPECIAL:
            self._require_listed(entry, name)

    def require_strings(self, entry: dict[str, Any]) -> None:
        """Check settings that are names of functions and classes, or of files."""
        if isinstance(vocabulary := entry.get("vocabulary"), str):
            raise self._rejected(
                f"takes its vocabulary from the file {quote_name(vocabulary)}",
                "loading it would read that file; save the model with the words themselves",
            )
        for key, value in entry.items():
            if key.endswith(_NAMED_BY_STRING) and _is_bytecode(value):
                raise ModelError(
                    f"{self.path}: its {quote_name(key)} is a lambda, which Keras saves but"
                    " cannot load;"
                    " use a named function in the layer, and save the model again"
                )
            is_name = isinstance(value, str) and key.endswith(_NAMED_BY_STRING)
            if is_name and not self.allowed.has(value) and value not in self.known:
                raise self._not_listed(value, None)

    def _require_listed(self, entry: dict[str, Any], kind: str) -> None:
        is_function = kind == "function"
        name = entry.get("config") if is_function else kind
        module, registered = entry.get("module"), entry.get("registered_name")
        if kind.startswith(_CUSTOM) and module is None and registered in (None, kind):
            name = kind.removeprefix(_CUSTOM)
            if name in _OF_TENSORFLOW:
                raise self._not_listed(kind, module)
        is_listed = self.allowed.has_function if is_function else self.allowed.has_class
        if not (
            isinstance(name, str)
            and isinstance(module, str | None)
            and registered in (None, kind, name, f"{_CUSTOM}{name}")
            and is_listed(name, module)
        ):
            raise self._not_listed(name, module)

    def _require_function(self, entry: dict[str, Any]) -> None:
        """Check the TensorFlow function that an operation layer of Keras 2 calls."""
        name = _config(entry).get("function")
        if reason := allowlist.allowed_functions().why_not(str(name)):
            raise self._rejected(f"calls tf.{name}", reason)

    def _require_operator(self, entry: dict[str, Any]) -> None:
        """Check the operator of a layer that wraps a node of a TensorFlow 1 graph."""
        node = _config(entry).get("node_def")
        node = _parsed(node) if isinstance(node, str) else node
        name = node.get("op") if isinstance(node, dict) else None
        if reason := allowlist.allowed_operators().why_not(str(name)):
            raise self._rejected(f"contains the operator {name}", reason)
        if any("func" in each for each in entries(self.path, node)):
            raise self._rejected(
                f"contains the operator {name}, which calls a function",
                "TensorFlow would run any function",
            )

    def _require_spec(self, entry: dict[str, Any]) -> None:
        """Check the type specification of a tensor, of which TensorFlow also has other kinds."""
        if entry["class_name"] == "TypeSpec":
            is_listed = str(entry.get("type_spec")).removeprefix("tf.") in _SPECS
            is_listed = is_listed and entry.get("module") is None
        else:
            is_listed = entry.get("spec_name") in _SPECS and entry.get("module") in _SPEC_MODULES
        if not is_listed or entry.get("registered_name") is not None:
            kind = entry.get("type_spec") or entry.get("spec_name")
            raise self._rejected(f"describes a tensor by {quote_name(kind)}", "its kind is unknown")

    def _lambda_error(self) -> UnsafeModelError:
        return UnsafeModelError(
            f"{self.path}: contains a Lambda layer: Python code that would run on loading, with"
            " your permissions; replace it with Keras layers and save the model again, or use"
            f" {_TRUST}"
        )

    def _not_listed(self, name: Any, module: Any) -> UnsafeModelError:
        qualified = f"{module}.{name}" if module else name
        is_name = isinstance(name, str) and name.isidentifier() and len(name) <= _MAX_NAME_LENGTH
        package = str(module or "").partition(".")[0]
        place = "MODULE" if package in ("", "builtins") else module
        custom_object = f"{place}:{name}" if is_name else "MODULE:NAME"
        # Objects of other packages are not found without their module, trusted or not.
        trust = f", or use {_TRUST}" if package in _FOUND_IF_TRUSTED else ""
        return UnsafeModelError(
            f"{self.path}: names {quote_name(qualified)}, which is not on edgepack's list of Keras"
            " objects that only compute: loading it may run code with your permissions; if it is"
            f" yours, name it: --custom-objects {custom_object}{trust}"
        )

    def _rejected(self, what: str, why: str) -> UnsafeModelError:
        return UnsafeModelError(
            f"{self.path}: {what}, which is not allowed: {why}; save the model without it, or use"
            f" {_TRUST}"
        )


def _is_bytecode(value: Any) -> bool:
    """Whether a setting is a lambda as Keras writes it: code, defaults and closure, no class."""
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
"""Entries that are not classes of Keras, and have checks of their own."""
