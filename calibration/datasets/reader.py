"""Reading datasets in this process or, if their decoders may crash, in a worker process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from edgepack.calibration.datasets.read import StoredDataset, read_dataset
from edgepack.calibration.datasets.sources import find_source
from edgepack.calibration.datasets.sources.source import Context
from edgepack.config.project_file import ProjectFile
from edgepack.config.shared_settings import DEFAULT_SEED
from edgepack.core.codec import restore
from edgepack.core.progress import Update, ignore
from edgepack.core.signature import Signature
from edgepack.workers.client import Worker


class Reader:
    """Reads datasets of the kinds for which it was made; see :func:`dataset_reader`."""

    def __init__(self, project_file: ProjectFile, worker: Worker | None) -> None:
        self._project_file = project_file
        self._worker = worker

    def read(
        self,
        data: object,
        signature: Signature,
        stem: Path,
        *,
        samples: int | None = None,
        seed: int = DEFAULT_SEED,
        update: Update = ignore,
    ) -> StoredDataset:
        """Read a dataset for a model into .npy files next to ``stem``.

        ``samples`` is how many samples to read, None for all. Raises what
        :func:`edgepack.calibration.datasets.read.read_dataset` raises, and
        :class:`~edgepack.core.errors.WorkerCrashError`.
        """
        if self._worker is None or not find_source(data).is_isolated:
            context = Context(signature=signature, project_file=self._project_file, samples=samples)
            return read_dataset(data, context, stem, seed=seed, update=update)
        path = self._project_file.path
        answer = self._worker.call(
            "read",
            update=update,
            data=str(data),
            signature=signature,
            project_file=path and str(path),
            samples=samples,
            seed=seed,
            stem=str(stem),
        )
        return restore(StoredDataset, answer)


@contextmanager
def dataset_reader(
    datasets: Iterable[object], project_file: ProjectFile, *, verbose: bool = False
) -> Iterator[Reader]:
    """Detect the kind of each dataset, and start a worker process if one of them needs it.

    Raises what :func:`edgepack.calibration.datasets.sources.find_source` raises, before anything is
    read.
    """
    isolated = [source.name for data in datasets if (source := find_source(data)).is_isolated]
    process = (
        Worker(
            "edgepack.calibration.datasets.read_service:ReadService",
            label=f"reading {', '.join(dict.fromkeys(isolated))}",
            verbose=verbose,
        )
        if isolated
        else nullcontext()
    )
    with process as worker:
        yield Reader(project_file, worker)
