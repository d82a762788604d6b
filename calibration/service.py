"""The inside of the process that reads data whose decoders may crash, or import TensorFlow."""

from __future__ import annotations

from pathlib import Path

from edgepack.calibration.reading import Spooled, read
from edgepack.calibration.sources.source import Context
from edgepack.progress import Update
from edgepack.recipe import is_function_name
from edgepack.recipe_file import read_recipe_file
from edgepack.types import Signature


class ReadService:
    """Reads one dataset after the other."""

    def read(
        self,
        *,
        data: str,
        signature: Signature,
        recipe_file: str | None,
        samples: int | None,
        seed: int,
        stem: str,
        update: Update,
    ) -> Spooled:
        """Do what :func:`edgepack.calibration.reading.read` does."""
        update(0, 1)
        context = Context(
            signature=signature,
            recipe_file=read_recipe_file(Path(recipe_file) if recipe_file else None),
            samples=samples,
        )
        source = data if is_function_name(data) else Path(data)
        return read(source, context, Path(stem), seed=seed, update=update)
