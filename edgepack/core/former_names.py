"""Former names of edgepack's public interface: they still work, with a DeprecationWarning."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar, cast

FORMER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "App": "PhoneConfig",
        "Build": "FirmwareConfig",
        "Gate": "ValidateConfig",
        "RecipeError": "ConfigError",
        "Source": "NamedModel",
        "Trial": "CompareConfig",
    }
)
"""The current name of each former name in ``edgepack``, or in a module that moved."""

FORMER_MODULES: Mapping[str, str] = MappingProxyType(
    {
        "edgepack.app": "edgepack.config.phone",
        "edgepack.budgets": "edgepack.config.budgets",
        "edgepack.build": "edgepack.config.firmware",
        "edgepack.compress": "edgepack.compression",
        "edgepack.compress.prune_settings": "edgepack.compression.pruning.settings",
        "edgepack.errors": "edgepack.core.errors",
        "edgepack.gate": "edgepack.config.validate",
        "edgepack.pipeline.compare": "edgepack.pipeline.comparison.compare",
        "edgepack.pipeline.export": "edgepack.pipeline.exporting.export",
        "edgepack.pipeline.firmware": "edgepack.pipeline.firmware_project.firmware",
        "edgepack.pipeline.validate": "edgepack.pipeline.validation.validate",
        "edgepack.recipe": "edgepack.config.export",
        "edgepack.report.comparison": "edgepack.report.data.comparison",
        "edgepack.report.difference": "edgepack.report.differences.difference",
        "edgepack.report.firmware": "edgepack.report.data.firmware",
        "edgepack.report.inspection": "edgepack.report.data.inspection",
        "edgepack.report.phone": "edgepack.report.data.phone",
        "edgepack.report.validation": "edgepack.report.data.validation",
        "edgepack.schemes": "edgepack.config.quantization",
        "edgepack.trial": "edgepack.config.compare",
    }
)
"""The current name of each former module of the public interface."""

_Target = TypeVar("_Target", bound=Callable[..., Any])


def resolve_former_name(name: str, module: str) -> Any:
    """Return what a former name in ``module`` refers to, with a DeprecationWarning."""
    current = FORMER_NAMES.get(name, name)
    warnings.warn(f"{name} is now {module}.{current}", DeprecationWarning, stacklevel=3)
    return getattr(import_module(module), current)


def former_argument(name: str, current: str) -> Callable[[_Target], _Target]:
    """Let a function or a dataclass accept a keyword by its former name, with a warning."""

    def decorate(target: _Target) -> _Target:
        call: Callable[..., Any] = vars(target)["__init__"] if isinstance(target, type) else target

        @functools.wraps(call)
        def accept(*arguments: Any, **keywords: Any) -> Any:
            if name in keywords and current not in keywords:
                message = f"the argument {name} of {target.__name__} is now {current}"
                warnings.warn(message, DeprecationWarning, stacklevel=2)
                keywords[current] = keywords.pop(name)
            return call(*arguments, **keywords)

        if not isinstance(target, type):
            return cast(_Target, accept)
        type.__setattr__(target, "__init__", accept)
        return target

    return decorate


class _FormerModules(MetaPathFinder, Loader):
    """Imports former modules, each of which forwards to the current one."""

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        if fullname not in FORMER_MODULES:
            return None
        is_package = any(name.startswith(f"{fullname}.") for name in FORMER_MODULES)
        return spec_from_loader(fullname, self, is_package=is_package)

    def exec_module(self, module: ModuleType) -> None:
        name, current = module.__name__, FORMER_MODULES[module.__name__]
        warnings.warn(f"{name} is now {current}", DeprecationWarning, stacklevel=2)

        def attribute(attribute_name: str) -> Any:
            current_module = import_module(current)
            if hasattr(current_module, attribute_name) or attribute_name not in FORMER_NAMES:
                return getattr(current_module, attribute_name)
            return getattr(current_module, FORMER_NAMES[attribute_name])

        module.__getattr__ = attribute  # type: ignore[method-assign]


def find_former_modules() -> None:
    """Make former modules importable; they are searched last, and loaded only when imported."""
    sys.meta_path.append(_FormerModules())
