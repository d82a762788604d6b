"""Former names of edgepack's public interface: they still work, with a DeprecationWarning."""

from __future__ import annotations

import functools
import inspect
import sys
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from os import PathLike
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar, cast

FORMER_NAMES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "edgepack": {
            "App": "PhoneConfig",
            "Build": "FirmwareConfig",
            "ComparisonReport": "CompareReport",
            "Difference": "DiffReport",
            "Gate": "ValidateConfig",
            "Inspection": "InspectReport",
            "Recipe": "ExportConfig",
            "Report": "ExportReport",
            "Source": "NamedModel",
            "Trial": "CompareConfig",
            "ValidationReport": "ValidateReport",
        },
        "edgepack.app": {"App": "PhoneConfig"},
        "edgepack.build": {"Build": "FirmwareConfig", "Source": "NamedModel"},
        "edgepack.errors": {"RecipeError": "ConfigError"},
        "edgepack.gate": {"Gate": "ValidateConfig"},
        "edgepack.recipe": {
            "FineTune": "edgepack.config.compression_step.FineTune",
            "Recipe": "ExportConfig",
            "Schedule": "edgepack.config.compression_step.Schedule",
            "Source": "edgepack.config.model_source.ModelSource",
        },
        "edgepack.report": {"Report": "ExportReport"},
        "edgepack.report.comparison": {"ComparisonReport": "CompareReport"},
        "edgepack.report.difference": {"Difference": "DiffReport"},
        "edgepack.report.inspection": {"Inspection": "InspectReport"},
        "edgepack.report.validation": {"ValidationReport": "ValidateReport"},
        "edgepack.trial": {"Trial": "CompareConfig"},
    }
)
"""The current names of what had another name, by the module that it was imported from.

A name with a module is of that module, and not of the one that replaces the former module.
"""

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
        "edgepack.report.comparison": "edgepack.report.data.compare",
        "edgepack.report.difference": "edgepack.report.differences.difference",
        "edgepack.report.firmware": "edgepack.report.data.firmware",
        "edgepack.report.inspection": "edgepack.report.data.inspect",
        "edgepack.report.phone": "edgepack.report.data.phone",
        "edgepack.report.validation": "edgepack.report.data.validate",
        "edgepack.schemes": "edgepack.config.quantization",
        "edgepack.trial": "edgepack.config.compare",
    }
)
"""The current name of each former module of the public interface."""

_IMPORT_SYSTEM = "importlib._bootstrap"
_Target = TypeVar("_Target", bound=Callable[..., Any])


def resolve_former_name(name: str, module: str, current_module: str) -> Any:
    """Return what ``name`` of ``module`` is in ``current_module``, with a DeprecationWarning."""
    current = FORMER_NAMES.get(module, {}).get(name, name)
    message = f"{name} is now {current_module}.{current}"
    # For "from edgepack import Recipe", the import system asks, too, before Python does.
    if sys._getframe(2).f_globals["__name__"] != _IMPORT_SYSTEM:
        warnings.warn(message, DeprecationWarning, stacklevel=3)
    return getattr(import_module(current_module), current)


def former_argument(
    name: str,
    current: str,
    *,
    renew: Callable[[Any], Any] = lambda value: value,
    restore: Callable[[Any], Any] = lambda value: value,
) -> Callable[[_Target], _Target]:
    """Let a function or a dataclass accept a keyword by its former name, with a warning.

    ``renew`` turns the former value into the current one, ``restore`` the current one into the
    former; by default the value has stayed the same.
    """

    def decorate(target: _Target) -> _Target:
        if not isinstance(target, type):
            return cast(_Target, _accepting(target, target.__name__, name, current, renew))
        read = functools.partial(_current, name=name, current=current, restore=restore)
        setattr(target, name, property(read, doc=f"The former name of ``{current}``."))
        init = target.__init__  # type: ignore[misc]
        target.__init__ = _accepting(init, target.__name__, name, current, renew)  # type: ignore[misc]
        return target

    return decorate


def former_call(
    renew: Callable[..., Any], former: str, current: str
) -> Callable[[_Target], _Target]:
    """Let a function of settings accept the paths that it took before, with a warning.

    ``renew`` makes the settings of them; ``former`` and ``current`` are calls, for the warning.
    """
    signature = inspect.signature(renew)

    def is_former(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> bool:
        try:
            signature.bind(*arguments, **keywords)
        except TypeError:
            return False
        return bool(keywords) or isinstance(arguments[0], str | PathLike)

    def decorate(function: _Target) -> _Target:
        @functools.wraps(function)
        def accept(*arguments: Any, **keywords: Any) -> Any:
            if is_former(arguments, keywords):
                warnings.warn(f"{former} is now {current}", DeprecationWarning, stacklevel=2)
                return function(renew(*arguments, **keywords))
            return function(*arguments, **keywords)

        return cast(_Target, accept)

    return decorate


def _accepting(
    function: Callable[..., Any],
    owner: str,
    name: str,
    current: str,
    renew: Callable[[Any], Any],
) -> Callable[..., Any]:
    @functools.wraps(function)
    def accept(*arguments: Any, **keywords: Any) -> Any:
        if name in keywords:  # dataclasses.replace passes the current name, too
            message = f"the argument {name} of {owner} is now {current}"
            warnings.warn(message, DeprecationWarning, stacklevel=2)
            keywords[current] = renew(keywords.pop(name))
        return function(*arguments, **keywords)

    return accept


def _current(instance: object, name: str, current: str, restore: Callable[[Any], Any]) -> Any:
    warnings.warn(f"{name} is now {current}", DeprecationWarning, stacklevel=2)
    return restore(getattr(instance, current))


class _FormerModules(MetaPathFinder, Loader):
    """Imports former modules, each of which forwards to the current one."""

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        if fullname not in FORMER_MODULES:
            return None
        is_package = any(name.startswith(f"{fullname}.") for name in FORMER_MODULES)
        return spec_from_loader(fullname, self, is_package=is_package)

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        current = import_module(FORMER_MODULES[name])
        names = FORMER_NAMES.get(name, {})
        warnings.warn(f"{name} is now {current.__name__}", DeprecationWarning, stacklevel=2)
        module.__getattr__ = lambda each: _attribute(current, names.get(each, each))  # type: ignore[method-assign]
        module.__dict__["__all__"] = [
            *names,
            *(each for each in dir(current) if not each.startswith("_")),
        ]


def _attribute(module: ModuleType, name: str) -> Any:
    """Return an attribute of a module, or of the module that is part of the name."""
    other, _, own_name = name.rpartition(".")
    return getattr(import_module(other) if other else module, own_name)


def install_former_modules() -> None:
    """Make former modules importable; they are searched last, and loaded only when imported."""
    sys.meta_path.append(_FormerModules())
