"""Names that edgepack's public interface had before: still taken, with a DeprecationWarning."""

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
from typing import Any, TypeVar

FORMER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "App": "PhoneConfig",
        "Build": "FirmwareConfig",
        "Gate": "ValidateConfig",
        "Source": "NamedModel",
        "Trial": "CompareConfig",
    }
)
"""The former names of what ``edgepack`` offers, and today's."""

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
"""The modules that defined what ``edgepack`` offers, and today's."""

_Class = TypeVar("_Class", bound=type)


def former(name: str, module: str) -> Any:
    """Return what a former name stands for in a module, with a DeprecationWarning."""
    today = FORMER_NAMES.get(name, name)
    warnings.warn(f"{name} is now {module}.{today}", DeprecationWarning, stacklevel=3)
    return getattr(import_module(module), today)


def former_argument(name: str, today: str) -> Callable[[_Class], _Class]:
    """Let a dataclass take an argument by its former name too, with a DeprecationWarning."""

    def decorate(kind: _Class) -> _Class:
        construct: Callable[..., None] = kind.__init__  # type: ignore[misc]

        @functools.wraps(construct)
        def init(self: object, **arguments: Any) -> None:
            if name in arguments and today not in arguments:
                message = f"the argument {name} of {kind.__name__} is now {today}"
                warnings.warn(message, DeprecationWarning, stacklevel=2)
                arguments[today] = arguments.pop(name)
            construct(self, **arguments)

        kind.__init__ = init  # type: ignore[misc]
        return kind

    return decorate


class _FormerModules(MetaPathFinder, Loader):
    """Finds former modules, each of which hands out the names of today's."""

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        if fullname not in FORMER_MODULES:
            return None
        is_package = any(name.startswith(f"{fullname}.") for name in FORMER_MODULES)
        return spec_from_loader(fullname, self, is_package=is_package)

    def exec_module(self, module: ModuleType) -> None:
        name, today = module.__name__, FORMER_MODULES[module.__name__]
        warnings.warn(f"{name} is now {today}", DeprecationWarning, stacklevel=2)

        def attribute(wanted: str) -> Any:
            found = import_module(today)
            if hasattr(found, wanted) or wanted not in FORMER_NAMES:
                return getattr(found, wanted)
            return getattr(found, FORMER_NAMES[wanted])

        module.__getattr__ = attribute  # type: ignore[method-assign]


def find_former_modules() -> None:
    """Let former modules be imported. They are looked for last, and none is loaded before."""
    sys.meta_path.append(_FormerModules())
