"""The inside of the process that reads data whose decoders may crash, or import TensorFlow."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgepack.calibration.reading import read
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
        signature: dict[str, Any],
        recipe_file: str | None,
        samples: int | None,
        seed: int,
        stem: str,
        update: Update,
    ) -> dict[str, Any]:
        """Do what :func:`edgepack.calibration.reading.read` does; returns its fields."""
        update(0, 1)
        context = Context(
            signature=Signature.of(signature),
            recipe_file=read_recipe_file(Path(recipe_file) if recipe_file else None),
            samples=samples,
        )
        source = data if is_function_name(data) else Path(data)
        return asdict(read(source, context, Path(stem), seed=seed, update=update))
