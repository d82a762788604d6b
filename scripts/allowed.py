#!/usr/bin/env python3
"""List what a model may be built of, for its inspection before Keras and TensorFlow load it.

    .venv/bin/python scripts/allowed.py            # writes edgepack/load/allowlist.json

Lists the classes of both Kerases, functions of TensorFlow's interface and operators of its graphs
in the installed packages. Those that scripts/allowed_rules.py leaves out are listed with the
reason. Review the difference before you commit it: whatever a new release adds is allowed from then
on, so it must be known to only compute.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import pkgutil
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import allowed_rules as rules

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

FILE = Path(__file__).resolve().parents[1] / "edgepack" / "load" / "allowlist.json"

_REACHING_ARGUMENT = re.compile(
    r".*(file|path|prefix|address|region|server|socket|program|library|_source|callback|_fn|func).*"
)
"""Arguments with such names probably hold a path, an address or code: they need a review."""

_REVIEWED = (
    "CTCBeamSearchDecoder|.*ctc_.*",  # top_paths is a number
    r"signal\..*",  # a window is a function of TensorFlow, or a tensor
)

_REACHING_CODE = re.compile(
    r"(?<![.\w])(?:exec|eval|open|globals)\b(?=\()"
    r"|\b(?:func_load|marshal|pickle_utils|gfile|import_module|load_model|load_weights|globs"
    r"|get_symbol_from_name)\b(?=[(.\[])"
)
"""Code that reads files, or creates code or objects from a configuration."""

_REVIEWED_CLASSES = (
    "IndexLookup|StringLookup|IntegerLookup|TextVectorization"  # vocabularies are checked
    "|TFOpLambda|SlicingOpLambda"  # names of functions are checked
    "|Layer|Model|Functional|Sequential"  # only in methods that loading does not call
)

_IGNORED_MODULES = re.compile(
    r"(^|\.)(testing_infra|training_v1|legacy_tf_layers|integration_test|tests?)(\.|$)"
    r"|_test$|test_util|_v1$|\._tf_keras\b|\.api\b"
)
"""Modules of Keras's own tests, for TensorFlow 1 graphs, and copies of its interface."""


def derive() -> dict[str, Any]:
    """Return the lists of the installed packages: what is allowed, and what is not and why."""
    packages = {name: version(name) for name in ("keras", "tensorflow", "tf-keras")}
    return {
        "made_of": {"packages": packages},
        "keras": classes("keras"),
        "tf_keras": classes("tf_keras"),
        "functions": functions(),
        "operators": operators(),
    }


def classes(package: str) -> dict[str, Any]:
    """List the classes and functions of a Keras that a configuration may name, with modules.

    Modules are listed without the package and ``src``, which differ between releases.
    """
    keras = importlib.import_module(package)
    load_all(keras)
    allowed, left_out = find_classes(keras)
    for module in exported(keras):
        for name, each in vars(module).items():
            if isinstance(each, type) and each.__name__ in allowed:
                allowed.setdefault(name, set()).add(without_package(module.__name__))
    for name, each in old_names(keras).items():
        if isinstance(each, type) and each.__name__ in allowed:
            allowed.setdefault(name, set())
    return {
        "classes": {name: sorted(allowed[name]) for name in sorted(allowed)},
        "functions": named_functions(keras),
        "left_out": by_reason(left_out),
    }


def find_classes(keras: Any) -> tuple[dict[str, set[str]], dict[str, str]]:
    """Return the allowed classes of a Keras with their modules, and the others with the reason."""
    allowed: dict[str, set[str]] = {}
    left_out: dict[str, str] = {}
    for base in base_classes(keras):
        reasons = rules.LAYERS | (rules.OPERATIONS if base.__name__ == "Operation" else {})
        for each in {base, *subclasses(base)}:
            is_of_keras = each.__module__.split(".")[0] in (keras.__name__, "tensorflow")
            if not is_of_keras or _IGNORED_MODULES.search(each.__module__):
                continue
            if reason := why_not(each.__name__, reasons):
                left_out[each.__name__] = reason
            else:
                require_reviewed_class(each)
                allowed.setdefault(each.__name__, set()).add(without_package(each.__module__))
    return {name: names for name, names in allowed.items() if name not in left_out}, left_out


def require_reviewed_class(kind: type) -> None:
    """Exit if a class reads files or creates code from its settings, and was not reviewed."""
    source = sources(kind.__module__).get(kind.__name__)
    if source is None:
        sys.exit(f"allowed: {kind.__name__} is not in {kind.__module__}: find its definition")
    reaching = sorted(set(_REACHING_CODE.findall(source)))
    if reaching and not re.fullmatch(_REVIEWED_CLASSES, kind.__name__):
        sys.exit(f"allowed: {kind.__name__} uses {', '.join(reaching)}: review it, and add a rule")


@cache
def sources(module: str) -> dict[str, str]:
    """Return the source of each class of a module; inspect would read the file for each class."""
    text = inspect.getsource(sys.modules[module])
    lines = text.splitlines()
    nodes = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef))
    return {node.name: "\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in nodes}


def named_functions(keras: Any) -> dict[str, list[str]]:
    """List the functions that settings of layers may name, with their modules."""
    reasons = rules.FUNCTIONS | rules.OPERATIONS
    named: dict[str, set[str]] = {}
    for family in ("activations", "losses", "metrics", "ops"):
        for name, each in vars(getattr(keras, family, ModuleType(""))).items():
            if inspect.isfunction(each) and not why_not(name, reasons):
                named.setdefault(name, set()).update({family, without_package(each.__module__)})
    if keras.__name__ == "tf_keras":
        named |= {name: set() for name in rules.ACTIVATIONS if name not in named}
    return {name: sorted(named[name]) for name in sorted(named)}


def base_classes(keras: Any) -> Iterator[type]:
    """Yield the base classes of the objects in configurations."""
    yield keras.layers.Layer
    yield keras.initializers.Initializer
    yield keras.regularizers.Regularizer
    yield keras.constraints.Constraint
    yield keras.losses.Loss
    yield keras.metrics.Metric
    yield keras.optimizers.Optimizer
    yield keras.optimizers.schedules.LearningRateSchedule
    if keras.__name__ == "keras":
        yield keras.Operation
        yield keras.Quantizer
        yield keras.dtype_policies.DTypePolicy
        yield keras.dtype_policies.DTypePolicyMap
        yield keras.random.SeedGenerator
    else:
        from tensorflow.python.ops import init_ops_v2

        yield init_ops_v2.Initializer  # the base of some initializers of tf-keras
        yield keras.mixed_precision.Policy
        yield keras.layers.InputSpec


def load_all(package: ModuleType) -> None:
    """Import all modules of a package, so that all subclasses are known."""
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.", lambda _: None):
        if not _IGNORED_MODULES.search(module.name):
            try:
                importlib.import_module(module.name)
            except (ImportError, AttributeError, RuntimeError):
                continue  # for another backend


def subclasses(kind: type) -> Iterator[type]:
    """Yield all subclasses, direct and indirect."""
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


def exported(keras: ModuleType) -> list[ModuleType]:
    """List the modules of a Keras's public interface."""
    prefix = f"{keras.__name__}."
    names = [
        name
        for name in sys.modules
        if name.startswith(prefix) and not _IGNORED_MODULES.search(name)
    ]
    inner = f"{prefix}src"
    return [keras, *(sys.modules[name] for name in sorted(names) if not name.startswith(inner))]


def old_names(keras: Any) -> dict[str, Any]:
    """Return the table in which Keras 2 looks up layers by names of older releases."""
    if keras.__name__ == "keras":
        return {}
    from tf_keras.src.layers import serialization

    serialization.populate_deserializable_objects()
    table: dict[str, Any] = serialization.LOCAL.ALL_OBJECTS
    return table


def without_package(module: str) -> str:
    """Return the name of a module of a Keras without the package and ``src``."""
    if module.startswith("tensorflow."):
        return module
    return ".".join(module.split(".")[1:]).removeprefix("src").removeprefix(".")


def functions() -> dict[str, Any]:
    """List the functions of TensorFlow that an operation layer of Keras 2 may call."""
    import tensorflow as tf  # noqa: F401 (registers its names)
    from tensorflow.python.util import tf_export

    symbols = tf_export._NAME_TO_SYMBOL_MAPPING
    allowed, left_out = set(), {}
    for name, symbol in symbols.items():
        space, _, _ = name.rpartition(".")
        if not inspect.isroutine(symbol) or space not in rules.NAMESPACES:
            continue
        if reason := why_not(name, rules.FUNCTIONS):
            left_out[name] = reason
        else:
            require_reviewed(name, parameters(symbol))
            allowed.add(name)
    simple = {name.rpartition(".")[2] for name in allowed} | set(rules.COMPAT_V1_ONLY)
    old = {name.removeprefix("compat.v1.") for name in symbols if name.startswith("compat.v1.")}
    return {
        "allowed": sorted(allowed),
        "of_compat_v1": sorted(
            name for name in old & simple - allowed if not why_not(name, rules.FUNCTIONS)
        ),
        "spaces": dict(rules.SPACES),
        "left_out": by_reason(left_out),
    }


def parameters(function: Any) -> list[str]:
    """Return the names of a function's parameters; none if it has no signature."""
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def operators() -> dict[str, Any]:
    """List the operators of TensorFlow's graphs."""
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session

    op_list = pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    allowed, left_out = [], {}
    for operator in op_def_pb2.OpList.FromString(op_list).op:
        has_model_state = any(re.fullmatch(pattern, operator.name) for pattern in rules.STATES)
        reason = None if has_model_state else why_not(operator.name, rules.OPERATORS)
        if reason is None and operator.is_stateful and not has_model_state:
            reason = "it keeps state, or reaches outside the graph"
        if reason:
            left_out[operator.name] = reason
        else:
            arguments = [*operator.input_arg, *operator.attr]
            require_reviewed(operator.name, [each.name for each in arguments])
            allowed.append(operator.name)
    return {"allowed": sorted(allowed), "left_out": by_reason(left_out)}


def by_reason(left_out: Mapping[str, str]) -> dict[str, list[str]]:
    """Group names by the reason for which they are left out."""
    return {
        reason: sorted(name for name, why in left_out.items() if why == reason)
        for reason in sorted(set(left_out.values()))
    }


def require_reviewed(name: str, arguments: Iterable[str]) -> None:
    """Exit if arguments sound like paths or code, and ``name`` was not reviewed."""
    reaching = [each for each in arguments if _REACHING_ARGUMENT.fullmatch(each)]
    if reaching and not any(re.fullmatch(pattern, name) for pattern in _REVIEWED):
        sys.exit(f"allowed: {name} takes {', '.join(reaching)}: review it, and add a rule")


def why_not(name: str, reasons: Mapping[str, str]) -> str | None:
    """Return the reason why a name is left out; None if it is not."""
    matching = (why for pattern, why in reasons.items() if re.fullmatch(pattern, name))
    return next(matching, None)


def write(lists: dict[str, Any]) -> str:
    """Format lists as JSON with readable diffs: one entry per line."""
    parts = []
    for part, groups in lists.items():
        lines = [f"  {json.dumps(name)}: {_entries(group)}" for name, group in groups.items()]
        parts.append(f" {json.dumps(part)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _entries(group: Mapping[str, Any] | list[str]) -> str:
    if isinstance(group, list):
        return "[\n" + ",\n".join(f"   {json.dumps(name)}" for name in group) + "\n  ]"
    lines = [f"   {json.dumps(name)}: {json.dumps(value)}" for name, value in group.items()]
    return "{\n" + ",\n".join(lines) + "\n  }"


def main() -> None:
    """Write the file."""
    FILE.write_text(write(derive()), encoding="utf-8")
    print(f"wrote {FILE}")


if __name__ == "__main__":
    main()
