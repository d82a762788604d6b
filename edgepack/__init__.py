"""Export trained Keras models to phones and microcontrollers.

Every command is a function of its settings, and returns its report as data:

>>> from pathlib import Path
>>> import edgepack
>>> config = edgepack.ExportConfig(
...     model=Path("model.h5"), representative=Path("train.npz"), output=Path("build/model")
... )
>>> config.targets
('android-arm64', 'nano-33-ble-sense')

``edgepack.export(config)`` then does what the command ``edgepack export`` does, and returns the
:class:`~edgepack.report.data.export.ExportReport` that the command prints. The settings and the
report of any command are named after it, such as ``LintConfig`` and ``LintReport`` for ``lint``;
``quantize`` returns an ``ExportReport``, too, and ``list_targets()`` the target devices;
``doctor()`` takes no settings.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgepack.compression.pruning.settings import Prune
from edgepack.config.budgets import Budgets
from edgepack.config.compare import CompareConfig
from edgepack.config.compression_step import FineTune, Schedule
from edgepack.config.debug import DebugConfig
from edgepack.config.diff import DiffConfig
from edgepack.config.export import ExportConfig
from edgepack.config.firmware import FirmwareConfig, NamedModel
from edgepack.config.inspect import InspectConfig
from edgepack.config.lint import LintConfig
from edgepack.config.phone import PhoneConfig
from edgepack.config.quantization import Quantization
from edgepack.config.quantize import QuantizeConfig
from edgepack.config.study import StudyConfig
from edgepack.config.validate import ValidateConfig
from edgepack.core.errors import EdgepackError
from edgepack.core.former_names import (
    FORMER_MODULES,
    FORMER_NAMES,
    install_former_modules,
    resolve_former_name,
)
from edgepack.core.progress import Progress, Update
from edgepack.core.version import __version__

if TYPE_CHECKING:
    from edgepack.devices.target import Target, list_targets
    from edgepack.layer_errors.result import DebugReport
    from edgepack.pipeline.comparison.compare import compare
    from edgepack.pipeline.debug import debug
    from edgepack.pipeline.diff import diff
    from edgepack.pipeline.doctor import doctor
    from edgepack.pipeline.exporting.export import export
    from edgepack.pipeline.exporting.quantize import quantize
    from edgepack.pipeline.firmware_project.firmware import firmware
    from edgepack.pipeline.inspect import inspect
    from edgepack.pipeline.lint import lint
    from edgepack.pipeline.phone import phone
    from edgepack.pipeline.study import study
    from edgepack.pipeline.validation.validate import validate
    from edgepack.report.data.compare import CompareReport
    from edgepack.report.data.doctor import DoctorReport
    from edgepack.report.data.export import ExportReport
    from edgepack.report.data.firmware import FirmwareReport
    from edgepack.report.data.inspect import InspectReport
    from edgepack.report.data.lint import LintReport
    from edgepack.report.data.phone import PhoneReport
    from edgepack.report.data.study import StudyReport
    from edgepack.report.data.validate import ValidateReport
    from edgepack.report.differences.difference import DiffReport

__all__ = [
    "Budgets",
    "CompareConfig",
    "CompareReport",
    "DebugConfig",
    "DebugReport",
    "DiffConfig",
    "DiffReport",
    "DoctorReport",
    "EdgepackError",
    "ExportConfig",
    "ExportReport",
    "FineTune",
    "FirmwareConfig",
    "FirmwareReport",
    "InspectConfig",
    "InspectReport",
    "LintConfig",
    "LintReport",
    "NamedModel",
    "PhoneConfig",
    "PhoneReport",
    "Progress",
    "Prune",
    "Quantization",
    "QuantizeConfig",
    "Schedule",
    "StudyConfig",
    "StudyReport",
    "Target",
    "Update",
    "ValidateConfig",
    "ValidateReport",
    "__version__",
    "compare",
    "debug",
    "diff",
    "doctor",
    "export",
    "firmware",
    "inspect",
    "lint",
    "list_targets",
    "phone",
    "quantize",
    "study",
    "validate",
]

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


def __dir__() -> list[str]:
    return __all__


_LAZY = {
    "CompareReport": "edgepack.report.data.compare",
    "DebugReport": "edgepack.layer_errors.result",
    "DiffReport": "edgepack.report.differences.difference",
    "DoctorReport": "edgepack.report.data.doctor",
    "ExportReport": "edgepack.report.data.export",
    "FirmwareReport": "edgepack.report.data.firmware",
    "InspectReport": "edgepack.report.data.inspect",
    "LintReport": "edgepack.report.data.lint",
    "PhoneReport": "edgepack.report.data.phone",
    "StudyReport": "edgepack.report.data.study",
    "Target": "edgepack.devices.target",
    "ValidateReport": "edgepack.report.data.validate",
    "compare": "edgepack.pipeline.comparison.compare",
    "debug": "edgepack.pipeline.debug",
    "diff": "edgepack.pipeline.diff",
    "doctor": "edgepack.pipeline.doctor",
    "export": "edgepack.pipeline.exporting.export",
    "firmware": "edgepack.pipeline.firmware_project.firmware",
    "inspect": "edgepack.pipeline.inspect",
    "lint": "edgepack.pipeline.lint",
    "list_targets": "edgepack.devices.target",
    "phone": "edgepack.pipeline.phone",
    "quantize": "edgepack.pipeline.exporting.quantize",
    "study": "edgepack.pipeline.study",
    "validate": "edgepack.pipeline.validation.validate",
}
