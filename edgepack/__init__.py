"""Export trained Keras models to phones and microcontrollers.

>>> from pathlib import Path
>>> from edgepack import Recipe
>>> recipe = Recipe(
...     model=Path("model.h5"), representative=Path("train.npz"), output=Path("build/model")
... )
>>> recipe.targets
('android-arm64', 'nano-33-ble-sense')

``edgepack.export(recipe)`` then does what ``edgepack export`` does, and returns the
:class:`~edgepack.report.Report` that the command prints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgepack.errors import EdgepackError
from edgepack.recipe import FineTune, Prune, Recipe, Schedule
from edgepack.schemes import Quantization

if TYPE_CHECKING:
    from edgepack.pipeline.export import export
    from edgepack.report import Report

__all__ = [
    "EdgepackError",
    "FineTune",
    "Prune",
    "Quantization",
    "Recipe",
    "Report",
    "Schedule",
    "__version__",
    "export",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what needs numpy when it is first asked for: ``edgepack --help`` does not."""
    if name == "export":
        from edgepack.pipeline.export import export

        return export
    if name == "Report":
        from edgepack.report import Report

        return Report
    raise AttributeError(f"module 'edgepack' has no attribute {name!r}")
