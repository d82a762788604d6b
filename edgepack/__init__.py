"""Export trained Keras models to phones and microcontrollers.

>>> from pathlib import Path
>>> from edgepack import Recipe
>>> recipe = Recipe(
...     model=Path("model.h5"), representative=Path("train.npz"), output=Path("build/model")
... )
>>> recipe.targets
('android-arm64', 'nano-33-ble-sense')

``edgepack.export(recipe)`` then does what ``edgepack export`` does, and returns the
:class:`~edgepack.report.Report` that the command prints; ``edgepack.validate(gate)`` likewise
what ``edgepack validate`` does, ``edgepack.compare(trial)`` what ``edgepack compare`` does,
``edgepack.firmware(build)`` what ``edgepack firmware`` does,
``edgepack.phone(app)`` what ``edgepack phone`` does, ``edgepack.inspect(path)`` what ``edgepack
inspect`` does, and ``edgepack.diff(a, b)`` what ``edgepack diff`` does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgepack.app import App
from edgepack.budgets import Budgets
from edgepack.build import Build, Source
from edgepack.compress.prune_settings import Prune
from edgepack.errors import EdgepackError
from edgepack.gate import Gate
from edgepack.recipe import FineTune, Recipe, Schedule
from edgepack.schemes import Quantization
from edgepack.trial import Trial

if TYPE_CHECKING:
    from edgepack.pipeline.compare import compare
    from edgepack.pipeline.diff import diff
    from edgepack.pipeline.export import export
    from edgepack.pipeline.firmware import firmware
    from edgepack.pipeline.inspect import inspect
    from edgepack.pipeline.phone import phone
    from edgepack.pipeline.validate import validate
    from edgepack.report import Report
    from edgepack.report.comparison import ComparisonReport
    from edgepack.report.difference import Difference
    from edgepack.report.firmware import FirmwareReport
    from edgepack.report.inspection import Inspection
    from edgepack.report.phone import PhoneReport
    from edgepack.report.validation import ValidationReport

__all__ = [
    "App",
    "Budgets",
    "Build",
    "ComparisonReport",
    "Difference",
    "EdgepackError",
    "FineTune",
    "FirmwareReport",
    "Gate",
    "Inspection",
    "PhoneReport",
    "Prune",
    "Quantization",
    "Recipe",
    "Report",
    "Schedule",
    "Source",
    "Trial",
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


def __getattr__(name: str) -> Any:
    """Import what needs numpy when it is first asked for: ``edgepack --help`` does not."""
    if name not in _LATER:
        raise AttributeError(f"module 'edgepack' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)


_LATER = {
    "ComparisonReport": "edgepack.report.comparison",
    "Difference": "edgepack.report.difference",
    "FirmwareReport": "edgepack.report.firmware",
    "Inspection": "edgepack.report.inspection",
    "PhoneReport": "edgepack.report.phone",
    "Report": "edgepack.report",
    "ValidationReport": "edgepack.report.validation",
    "compare": "edgepack.pipeline.compare",
    "diff": "edgepack.pipeline.diff",
    "export": "edgepack.pipeline.export",
    "firmware": "edgepack.pipeline.firmware",
    "inspect": "edgepack.pipeline.inspect",
    "phone": "edgepack.pipeline.phone",
    "validate": "edgepack.pipeline.validate",
}
