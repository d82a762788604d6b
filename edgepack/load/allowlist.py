"""What a model may be built of without being trusted: lists, made by ``scripts/allowed.py``.

They hold what the two Kerases and TensorFlow have that only computes. Whatever is not listed is
refused, known or not; for what is known, there is a reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("allowlist.json")
_PACKAGES = {"keras", "tf_keras"}
_V1 = "compat.v1."


@dataclass(frozen=True, kw_only=True)
class Kit:
    """What a configuration may name of a Keras: classes and functions, with their modules."""

    classes: Mapping[str, frozenset[str]]
    functions: Mapping[str, frozenset[str]]
    left_out: Mapping[str, str]

    def has_class(self, name: str, module: str | None) -> bool:
        """Whether a class is allowed, of this module if one is named."""
        return _is_listed(self.classes, name, module)

    def has_function(self, name: str, module: str | None) -> bool:
        """Whether a function is allowed; Keras's own are said to be of ``builtins``."""
        return _is_listed(self.functions, name, None if module == "builtins" else module)

    def has(self, name: str) -> bool:
        """Whether a name by itself, such as an activation's, is that of something allowed."""
        return name in self.functions or name in self.classes


def _is_listed(listed: Mapping[str, frozenset[str]], name: str, module: str | None) -> bool:
    if name not in listed:
        return False
    return module is None or _place(module) in listed[name]


def _place(module: str) -> str:
    """Tell a module without its Keras, and without ``src``, which releases put in or leave out.

    >>> _place("keras.src.layers.core.dense"), _place("tf_keras"), _place("os.path")
    ('layers.core.dense', '', 'os.path')
    """
    package, _, rest = module.partition(".")
    if package not in _PACKAGES:
        return module
    return "" if rest == "src" else rest.removeprefix("src.")


@dataclass(frozen=True, kw_only=True)
class AllowedNames:
    """Names that are allowed, and why others are not: by name, or by what is before the dot."""

    allowed: frozenset[str]
    left_out: Mapping[str, str]

    def why_not(self, name: str) -> str | None:
        """Say why a name is not allowed, as what follows it; None if it is."""
        if name in self.allowed:
            return None
        parts = name.removeprefix(_V1).split(".")
        wholes = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
        reasons = (self.left_out[whole] for whole in wholes if whole in self.left_out)
        return next(reasons, "it is not known to compute and do no more")


@cache
def kit(package: str) -> Kit:
    """Give the lists of ``keras`` or ``tf_keras``."""
    part = _read()[package]
    return Kit(
        classes={name: frozenset(modules) for name, modules in part["classes"].items()},
        functions={name: frozenset(modules) for name, modules in part["functions"].items()},
        left_out=_by_name(part["left_out"]),
    )


@cache
def functions() -> AllowedNames:
    """Give the functions of TensorFlow, by their names under ``tf``, that a layer may call."""
    part = _read()["functions"]
    new, old = part["allowed"], part["of_compat_v1"]
    return AllowedNames(
        allowed=frozenset([*new, *(_V1 + name for name in (*new, *old))]),
        left_out=part["spaces"] | _by_name(part["left_out"]),
    )


@cache
def operators() -> AllowedNames:
    """Give the operators that a graph of TensorFlow may hold."""
    part = _read()["operators"]
    return AllowedNames(allowed=frozenset(part["allowed"]), left_out=_by_name(part["left_out"]))


def _by_name(reasons: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: reason for reason, names in reasons.items() for name in names}


@cache
def _read() -> dict[str, Any]:
    lists: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return lists
