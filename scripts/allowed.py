#!/usr/bin/env python3
"""List what a model may be built of, for what looks at it before Keras and TensorFlow do.

    .venv/bin/python scripts/allowed.py            # writes edgepack/load/allowlist.json

Lists classes of both Kerases, functions of TensorFlow's interface and operators of its graphs that
only compute, as the installed packages have them, but for those that scripts/allowed_rules.py
leaves out, which are listed with the reason. Look at the difference before you commit it: what
a new release brings is allowed from then on, and must be known to compute and no more.
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
"""Arguments of this name hold a path, an address or code, most likely: someone has to look."""

_LOOKED_AT = (
    "CTCBeamSearchDecoder|.*ctc_.*",  # top_paths is a number
    r"signal\..*",  # a window is a function of TensorFlow, or a tensor
)

_REACHING_CODE = re.compile(
    r"(?<![.\w])(?:exec|eval|open|globals)\b(?=\()"
    r"|\b(?:func_load|marshal|pickle_utils|gfile|import_module|load_model|load_weights|globs"
    r"|get_symbol_from_name)\b(?=[(.\[])"
)
"""What reads files, or makes code or objects of what a configuration says."""

_LOOKED_AT_CLASSES = (
    "IndexLookup|StringLookup|IntegerLookup|TextVectorization"  # of a vocabulary, looked at
    "|TFOpLambda|SlicingOpLambda"  # of a function's name, which is looked at
    "|Layer|Model|Functional|Sequential"  # in methods that loading does not call
)

_NEVER = re.compile(
    r"(^|\.)(testing_infra|training_v1|legacy_tf_layers|integration_test|tests?)(\.|$)"
    r"|_test$|test_util|_v1$|\._tf_keras\b|\.api\b"
)
"""Modules of Keras's own tests, for graphs of TensorFlow 1, and copies of its interface."""


def derive() -> dict[str, Any]:
    """List what is allowed, and what is left out with the reason, of what is installed."""
    packages = {name: version(name) for name in ("keras", "tensorflow", "tf-keras")}
    return {
        "made_of": {"packages": packages},
        "keras": classes("keras"),
        "tf_keras": classes("tf_keras"),
        "functions": functions(),
        "operators": operators(),
    }


def classes(package: str) -> dict[str, Any]:
    """List the classes and functions of a Keras that a configuration may name, with its modules.

    A module is told without the package and without ``src``, as releases move them.
    """
    keras = importlib.import_module(package)
    load_all(keras)
    found, left_out = of_kinds(keras)
    for module in exported(keras):
        for name, each in vars(module).items():
            if isinstance(each, type) and each.__name__ in found:
                found.setdefault(name, set()).add(place(module.__name__))
    for name, each in old_names(keras).items():
        if isinstance(each, type) and each.__name__ in found:
            found.setdefault(name, set())
    return {
        "classes": {name: sorted(found[name]) for name in sorted(found)},
        "functions": named_functions(keras),
        "left_out": by_reason(left_out),
    }


def of_kinds(keras: Any) -> tuple[dict[str, set[str]], dict[str, str]]:
    """Find a Keras's classes with their modules, and those that are left out with the reason."""
    found: dict[str, set[str]] = {}
    left_out: dict[str, str] = {}
    for kind in kinds(keras):
        reasons = rules.LAYERS | (rules.OPERATIONS if kind.__name__ == "Operation" else {})
        for each in {kind, *subclasses(kind)}:
            is_its_own = each.__module__.split(".")[0] in (keras.__name__, "tensorflow")
            if not is_its_own or _NEVER.search(each.__module__):
                continue
            if reason := why_not(each.__name__, reasons):
                left_out[each.__name__] = reason
            else:
                require_nothing_reached(each)
                found.setdefault(each.__name__, set()).add(place(each.__module__))
    return {name: its for name, its in found.items() if name not in left_out}, left_out


def require_nothing_reached(kind: type) -> None:
    """End if a class reads files or makes code of its settings, and nobody has looked at it."""
    source = sources(kind.__module__).get(kind.__name__)
    if source is None:
        sys.exit(f"allowed: {kind.__name__} is not in {kind.__module__}: look at where it is made")
    reached = sorted(set(_REACHING_CODE.findall(source)))
    if reached and not re.fullmatch(_LOOKED_AT_CLASSES, kind.__name__):
        sys.exit(f"allowed: {kind.__name__} has {', '.join(reached)}: look at it, and say why")


@cache
def sources(module: str) -> dict[str, str]:
    """Give the source of each class of a module: asking for one by one reads it all each time."""
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
                named.setdefault(name, set()).update({family, place(each.__module__)})
    if keras.__name__ == "tf_keras":
        named |= {name: set() for name in rules.ACTIVATIONS if name not in named}
    return {name: sorted(named[name]) for name in sorted(named)}


def kinds(keras: Any) -> Iterator[type]:
    """Name the bases of what configurations hold."""
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

        yield init_ops_v2.Initializer  # tf-keras takes some of its own from there
        yield keras.mixed_precision.Policy
        yield keras.layers.InputSpec


def load_all(package: ModuleType) -> None:
    """Import all modules of a package, so that all subclasses are known."""
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.", lambda _: None):
        if not _NEVER.search(found.name):
            try:
                importlib.import_module(found.name)
            except (ImportError, AttributeError, RuntimeError):
                continue  # of another backend


def subclasses(kind: type) -> Iterator[type]:
    """Go through all subclasses."""
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


def exported(keras: ModuleType) -> list[ModuleType]:
    """List the modules of a Keras's public interface."""
    prefix = f"{keras.__name__}."
    names = [name for name in sys.modules if name.startswith(prefix) and not _NEVER.search(name)]
    inner = f"{prefix}src"
    return [keras, *(sys.modules[name] for name in sorted(names) if not name.startswith(inner))]


def old_names(keras: Any) -> dict[str, Any]:
    """Give the table in which Keras 2 looks layers up by names of older releases."""
    if keras.__name__ == "keras":
        return {}
    from tf_keras.src.layers import serialization

    serialization.populate_deserializable_objects()
    table: dict[str, Any] = serialization.LOCAL.ALL_OBJECTS
    return table


def place(module: str) -> str:
    """Tell a module of a Keras without the package, and without ``src``."""
    if module.startswith("tensorflow."):
        return module
    return ".".join(module.split(".")[1:]).removeprefix("src").removeprefix(".")


def functions() -> dict[str, Any]:
    """List the functions of TensorFlow that an operation layer of Keras 2 may call."""
    import tensorflow as tf  # noqa: F401 (registers its names)
    from tensorflow.python.util import tf_export

    symbols = tf_export._NAME_TO_SYMBOL_MAPPING
    found, left_out = set(), {}
    for name, symbol in symbols.items():
        space, _, _ = name.rpartition(".")
        if not inspect.isroutine(symbol) or space not in rules.NAMESPACES:
            continue
        if reason := why_not(name, rules.FUNCTIONS):
            left_out[name] = reason
        else:
            require_looked_at(name, parameters(symbol))
            found.add(name)
    simple = {name.rpartition(".")[2] for name in found} | set(rules.TWINS)
    old = {name.removeprefix("compat.v1.") for name in symbols if name.startswith("compat.v1.")}
    return {
        "allowed": sorted(found),
        "of_compat_v1": sorted(
            name for name in old & simple - found if not why_not(name, rules.FUNCTIONS)
        ),
        "spaces": dict(rules.SPACES),
        "left_out": by_reason(left_out),
    }


def parameters(function: Any) -> list[str]:
    """Name a function's parameters, if it tells."""
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def operators() -> dict[str, Any]:
    """List the operators of TensorFlow's graphs."""
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session

    held = pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    found, left_out = [], {}
    for operator in op_def_pb2.OpList.FromString(held).op:
        states = any(re.fullmatch(pattern, operator.name) for pattern in rules.STATES)
        reason = None if states else why_not(operator.name, rules.OPERATORS)
        if reason is None and operator.is_stateful and not states:
            reason = "it keeps a state, or reaches outside the graph"
        if reason:
            left_out[operator.name] = reason
        else:
            arguments = [*operator.input_arg, *operator.attr]
            require_looked_at(operator.name, [each.name for each in arguments])
            found.append(operator.name)
    return {"allowed": sorted(found), "left_out": by_reason(left_out)}


def by_reason(left_out: Mapping[str, str]) -> dict[str, list[str]]:
    """Put together what is left out for the same reason."""
    return {
        reason: sorted(name for name, its in left_out.items() if its == reason)
        for reason in sorted(set(left_out.values()))
    }


def require_looked_at(name: str, arguments: Iterable[str]) -> None:
    """End if arguments sound like paths or code, and nobody has looked at what takes them."""
    reaching = [each for each in arguments if _REACHING_ARGUMENT.fullmatch(each)]
    if reaching and not any(re.fullmatch(pattern, name) for pattern in _LOOKED_AT):
        sys.exit(f"allowed: {name} takes {', '.join(reaching)}: look at it, and say what it does")


def why_not(name: str, reasons: Mapping[str, str]) -> str | None:
    """Find the reason why a name is left out."""
    found = (why for pattern, why in reasons.items() if re.fullmatch(pattern, name))
    return next(found, None)


def write(lists: dict[str, Any]) -> str:
    """Write lists as JSON of which a difference is read: an entry a line."""
    parts = []
    for part, its in lists.items():
        groups = [f"  {json.dumps(name)}: {_entries(group)}" for name, group in its.items()]
        parts.append(f" {json.dumps(part)}: {{\n" + ",\n".join(groups) + "\n }")
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
