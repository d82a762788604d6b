"""Export trained Keras models to phones and microcontrollers.

>>> from pathlib import Path
>>> from edgepack import Recipe
>>> recipe = Recipe(
...     model=Path("model.h5"), representative=Path("train.npz"), output=Path("build/model")
... )
>>> recipe.targets
('android-arm64', 'nano-33-ble-sense')

``edgepack.export(recipe)`` then does the same as the ``edgepack export`` command, and returns the
:class:`~edgepack.report.data.export.Report` that the command prints. The other commands have
functions of their own: ``edgepack.validate(config)``, ``edgepack.compare(config)``,
``edgepack.firmware(config)``, ``edgepack.phone(config)``, ``edgepack.inspect(path)`` and
``edgepack.diff(a, b)``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgepack.compression.pruning.settings import Prune
from edgepack.config.budgets import Budgets
from edgepack.config.compare import CompareConfig
from edgepack.config.export import FineTune, Recipe, Schedule
from edgepack.config.firmware import FirmwareConfig, NamedModel
from edgepack.config.phone import PhoneConfig
from edgepack.config.quantization import Quantization
from edgepack.config.validate import ValidateConfig
from edgepack.core.errors import EdgepackError
from edgepack.core.former_names import (
    FORMER_MODULES,
    FORMER_NAMES,
    install_former_modules,
    resolve_former_name,
)

if TYPE_CHECKING:
    from edgepack.pipeline.comparison.compare import compare
    from edgepack.pipeline.diff import diff
    from edgepack.pipeline.exporting.export import export
    from edgepack.pipeline.firmware_project.firmware import firmware
    from edgepack.pipeline.inspect import inspect
    from edgepack.pipeline.phone import phone
    from edgepack.pipeline.validation.validate import validate
    from edgepack.report.data.comparison import ComparisonReport
    from edgepack.report.data.export import Report
    from edgepack.report.data.firmware import FirmwareReport
    from edgepack.report.data.inspection import Inspection
    from edgepack.report.data.phone import PhoneReport
    from edgepack.report.data.validation import ValidationReport
    from edgepack.report.differences.difference import Difference

__all__ = [
    "Budgets",
    "CompareConfig",
    "ComparisonReport",
    "Difference",
    "EdgepackError",
    "FineTune",
    "FirmwareConfig",
    "FirmwareReport",
    "Inspection",
    "NamedModel",
    "PhoneConfig",
    "PhoneReport",
    "Prune",
    "Quantization",
    "Recipe",
    "Report",
    "Schedule",
    "ValidateConfig",
    "ValidationReport",
    "__version__",
    "compare",
    "diff",
    "export",
    "firmware",
    "inspect",
    "phone",
    "validate",
]

__version__ = "0.1.0"

install_former_modules()


def __getattr__(name: str) -> Any:
    """Import on first access what needs numpy, so that ``edgepack --help`` does not load it."""
    if name in FORMER_NAMES[__name__]:
        return resolve_former_name(name, __name__, __name__)
    if f"{__name__}.{name}" in FORMER_MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _LAZY:
        raise AttributeError(f"module 'edgepack' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


_LAZY = {
    "ComparisonReport": "edgepack.report.data.comparison",
    "Difference": "edgepack.report.differences.difference",
    "FirmwareReport": "edgepack.report.data.firmware",
    "Inspection": "edgepack.report.data.inspection",
    "PhoneReport": "edgepack.report.data.phone",
    "Report": "edgepack.report.data.export",
    "ValidationReport": "edgepack.report.data.validation",
    "compare": "edgepack.pipeline.comparison.compare",
    "diff": "edgepack.pipeline.diff",
    "export": "edgepack.pipeline.exporting.export",
    "firmware": "edgepack.pipeline.firmware_project.firmware",
    "inspect": "edgepack.pipeline.inspect",
    "phone": "edgepack.pipeline.phone",
    "validate": "edgepack.pipeline.validation.validate",
}
