"""Reading a dataset: from its source, checked and preprocessed, to files that are mapped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from edgepack.calibration.datasets.columns_to_disk import ColumnWriter, InputColumnWriter
from edgepack.calibration.datasets.fields import find_fields
from edgepack.calibration.datasets.sampling import choose_samples
from edgepack.calibration.datasets.sources import find_source
from edgepack.calibration.datasets.sources.source import Context, SampleSource, Survey
from edgepack.config.preprocessing import Preprocessing
from edgepack.config.project_file import ProjectFile
from edgepack.core.errors import ConfigError
from edgepack.core.progress import Update, ignore
from edgepack.storage.array_writer import NpyWriter
from edgepack.storage.arrays import load_arrays
from edgepack.storage.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class StoredDataset:
    """A dataset on disk: .npy files by input and by output, and what there is to say about it."""

    source: str
    inputs: dict[str, str]
    labels: dict[str, str]
    classes: tuple[str, ...]
    notes: tuple[str, ...]

    def dataset(self) -> Dataset:
        """Map the files."""
        return Dataset(
            source=self.source,
            inputs=load_arrays(self.inputs),
            labels=load_arrays(self.labels),
            files=self.inputs,
            classes=self.classes,
        )


def read_dataset(
    data: object, context: Context, stem: Path, *, seed: int = 0, update: Update = ignore
) -> StoredDataset:
    """Read data of any kind into .npy files next to ``stem``, in little memory.

    Of a stream the first ``context.samples`` are taken; of everything else those that
    :func:`~edgepack.calibration.datasets.sampling.choose_samples` chooses. Raises
    :class:`~edgepack.core.errors.DatasetError` for what cannot be read or does not fit the model,
    and OSError if the disk is full.
    """
    source = find_source(data).open(context)
    fields = find_fields(source, context.signature, context.project_file.label)
    survey = source.survey(fields) if context.samples is not None else None
    chosen = choose_samples(survey, context.samples or 0, seed) if survey else None
    described = context.project_file.described(context.signature)
    specs = {spec.name: spec for spec in context.signature.inputs}
    _require_kind(source, described, context.project_file)
    with ExitStack() as files:

        def spool(kind: str, index: int) -> NpyWriter:
            return files.enter_context(NpyWriter(stem.with_name(f"{stem.name}-{kind}{index}.npy")))

        inputs = {
            name: InputColumnWriter(source, field, spool("", index), specs[name], described[name])
            for index, (name, field) in enumerate(fields.inputs.items())
        }
        labels = {
            name: ColumnWriter(source, field, spool("labels-", index))
            for index, (name, field) in enumerate(fields.labels.items())
        }
        columns = [
            *zip(fields.inputs.values(), inputs.values(), strict=True),
            *zip(fields.labels.values(), labels.values(), strict=True),
        ]
        total = len(chosen) if chosen is not None else source.total or context.samples or 0
        done = 0
        for block in source.blocks(fields, chosen):
            for field, column in columns:
                column.add(block.rows, block.values[field])
            done += len(block.rows)
            update(done, max(done, total))
        for _, column in columns:
            column.end()
    return StoredDataset(
        source=source.name,
        inputs={name: str(column.path) for name, column in inputs.items()},
        labels={name: str(column.path) for name, column in labels.items()},
        classes=source.classes,
        notes=tuple(_notes(source.name, context.samples, survey)),
    )


def _require_kind(
    source: SampleSource, described: Mapping[str, Preprocessing], project_file: ProjectFile
) -> None:
    """Raise :class:`ConfigError` for images that are described as sound, and the reverse."""
    kinds = {"images": "audio", "sounds": "image"}
    for each in described.values():
        if source.kind in kinds and getattr(each, kinds[source.kind]):
            raise ConfigError(
                f"{project_file.path}: describes {kinds[source.kind]} samples, and {source.name}"
                f" holds {source.kind}; describe those"
            )


def _notes(name: str, wanted: int | None, survey: Survey | None) -> Iterator[str]:
    if wanted is not None and survey is None:
        yield f"{name}: the first {wanted} of a stream are taken; shuffle it if it is sorted"
    elif wanted is not None and survey is not None and survey.count < wanted:
        yield f"{name}: {wanted} samples are wanted and it has {survey.count}: all are taken"
