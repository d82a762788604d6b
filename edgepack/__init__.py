"""Export trained Keras models to phones and microcontrollers.

>>> from pathlib import Path
>>> from edgepack import Recipe
>>> recipe = Recipe(
...     model=Path("model.h5"), representative=Path("train.npz"), output=Path("build/model")
... )
>>> recipe.targets
('phone', 'cortex-m4')

``edgepack.export(recipe)`` then does what ``edgepack export`` does, and returns the
:class:`~edgepack.report.Report` that the command prints.
"""

from edgepack.errors import EdgepackError
from edgepack.pipeline import export
from edgepack.recipe import Prune, Recipe
from edgepack.report import Report

__all__ = ["EdgepackError", "Prune", "Recipe", "Report", "__version__", "export"]

__version__ = "0.1.0"
