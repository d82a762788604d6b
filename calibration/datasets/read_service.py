"""The service of the worker process that reads data whose decoders may crash or use TensorFlow."""

from __future__ import annotations

from pathlib import Path

from edgepack.calibration.datasets.read import StoredDataset, read_dataset
from edgepack.calibration.datasets.sources.source import Context
from edgepack.config.inputs import is_function_name
from edgepack.config.project_file import read_project_file
from edgepack.core.progress import Update
from edgepack.core.signature import Signature


class ReadService:
    """Reads datasets, one per call."""

    def read(
        self,
        *,
        data: str,
        signature: Signature,
        project_file: str | None,
        samples: int | None,
        seed: int,
        stem: str,
        update: Update,
    ) -> StoredDataset:
        """Read a dataset as :func:`edgepack.calibration.datasets.read.read_dataset` does.

        ``data`` is a path or ``module:function``; ``project_file`` a path, None for the defaults.
        """
        update(0, 1)
        context = Context(
            signature=signature,
            project_file=read_project_file(Path(project_file) if project_file else None),
            samples=samples,
        )
        source = data if is_function_name(data) else Path(data)
        return read_dataset(source, context, Path(stem), seed=seed, update=update)
