"""Reading a dataset from its source, checked and preprocessed, into memory-mapped .npy files."""

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
from edgepack.calibration.datasets.split_labels import LabelPart, split_labels, split_notes
from edgepack.config.preprocessing import Preprocessing
from edgepack.config.project_file import ProjectFile
from edgepack.core.errors import ConfigError
from edgepack.core.progress import Update, ignore
from edgepack.storage.array_writer import NpyWriter
from edgepack.storage.arrays import load_arrays
from edgepack.storage.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class StoredDataset:
    """A dataset on disk.

    ``inputs`` and ``labels`` are paths of .npy files by the model's inputs and outputs;
    ``parts`` says which part of the file holds the labels of an output, if not all of it.
    ``classes`` are the names of the classes, if known; ``rows`` and ``names`` those of the samples,
    as in :class:`Dataset`, as ``unused`` is; ``notes`` sentences for the user.
    """

    source: str
    inputs: dict[str, str]
    labels: dict[str, str]
    parts: dict[str, LabelPart]
    classes: tuple[str, ...]
    rows: tuple[int, ...]
    names: tuple[str, ...]
    unused: tuple[str, ...]
    notes: tuple[str, ...]

    def dataset(self) -> Dataset:
        """Return the dataset with its arrays memory-mapped from the files."""
        labels = load_arrays(self.labels)
        labels |= {name: labels[name][part.index] for name, part in self.parts.items()}
        return Dataset(
            source=self.source,
            inputs=load_arrays(self.inputs),
            labels=labels,
            files=self.inputs,
            classes=self.classes,
            rows=self.rows,
            names=self.names,
            unused=self.unused,
        )


def read_dataset(
    data: object, context: Context, stem: Path, *, seed: int = 0, update: Update = ignore
) -> StoredDataset:
    """Read data of any kind, block by block, into .npy files next to ``stem``.

    If ``context.samples`` is set, a stream is read up to that many samples; from other sources
    :func:`~edgepack.calibration.datasets.sampling.choose_samples` chooses them with ``seed``.

    Raises :class:`~edgepack.core.errors.DatasetError` for data that cannot be read or do not fit
    the model, :class:`~edgepack.core.errors.ConfigError` if the project file describes another
    kind of data, and OSError if the disk is full.
    """
    source = find_source(data).open(context)
    fields = find_fields(source, context.signature, context.project_file.label)
    survey = source.survey(fields) if context.samples is not None else None
    chosen = choose_samples(survey, context.samples or 0, seed) if survey else None
    preprocessing = context.project_file.described(context.signature)
    specs = {spec.name: spec for spec in context.signature.inputs}
    _require_kind(source, preprocessing, context.project_file)
    with ExitStack() as files:

        def spool(kind: str, index: int) -> NpyWriter:
            return files.enter_context(NpyWriter(stem.with_name(f"{stem.name}-{kind}{index}.npy")))

        inputs = {
            name: InputColumnWriter(
                source, field, spool("", index), specs[name], preprocessing[name]
            )
            for index, (name, field) in enumerate(fields.inputs.items())
        }
        labels = {
            field: ColumnWriter(source, field, spool("labels-", index))
            for index, field in enumerate(dict.fromkeys(fields.labels.values()))
        }
        columns = [
            *zip(fields.inputs.values(), inputs.values(), strict=True),
            *labels.items(),
        ]
        total = len(chosen) if chosen is not None else source.total or context.samples or 0
        done = 0
        names: list[str] = []
        for block in source.blocks(fields, chosen):
            for field, column in columns:
                column.add(block.rows, block.values[field])
            if source.kind != "numbers":
                names += map(source.sample, block.rows)
            done += len(block.rows)
            update(done, max(done, total))
        for _, column in columns:
            column.end()
    shapes = {field: column.sample_shape for field, column in labels.items()}
    parts = split_labels(source.name, fields.labels, shapes, context.signature)
    return StoredDataset(
        source=source.name,
        inputs={name: str(column.path) for name, column in inputs.items()},
        labels={name: str(labels[field].path) for name, field in fields.labels.items()},
        parts=parts,
        classes=source.classes,
        rows=() if chosen is None else tuple(chosen.tolist()),
        names=tuple(names),
        unused=tuple(
            sorted({*source.names()} - {*fields.inputs.values(), *fields.labels.values()})
        ),
        notes=(
            *_notes(source.name, context.samples, survey),
            *split_notes(source.name, fields.labels, parts),
        ),
    )


def _require_kind(
    source: SampleSource, preprocessing: Mapping[str, Preprocessing], project_file: ProjectFile
) -> None:
    """Raise :class:`ConfigError` for images that are described as audio, and vice versa."""
    wrong_kinds = {"images": "audio", "sounds": "image"}
    for each in preprocessing.values():
        if source.kind in wrong_kinds and getattr(each, wrong_kinds[source.kind]):
            raise ConfigError(
                f"{project_file.path}: describes {wrong_kinds[source.kind]} samples, but"
                f" {source.name} contains {source.kind}; describe {source.kind} instead"
            )


def _notes(name: str, samples: int | None, survey: Survey | None) -> Iterator[str]:
    if samples is not None and survey is None:
        yield f"{name}: the first {samples} samples of the stream are used; shuffle it if sorted"
    elif samples is not None and survey is not None and survey.count < samples:
        yield f"{name}: {samples} samples were requested, but it has {survey.count}: all are used"
