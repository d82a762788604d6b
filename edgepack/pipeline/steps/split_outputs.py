"""The outputs of the float model split into their parts, where the settings ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgepack.core.codec import restore
from edgepack.core.errors import ConfigError, DatasetError
from edgepack.core.signature import Signature, TensorSpec
from edgepack.metrics import choose_measures
from edgepack.pipeline.steps.job import Job, JobData
from edgepack.pipeline.steps.model_process import collect_output
from edgepack.storage.arrays import Arrays
from edgepack.storage.dataset import Dataset
from edgepack.tflite.split_outputs import OutputSlice


def split_outputs(job: Job, data: JobData) -> tuple[JobData, tuple[str, ...]]:
    """Split the outputs of the float .tflite, and the labels with them, if the settings ask for it.

    Returns the data of the model with the parts as outputs, and notes. The float model's
    predictions are split alike from now on. Raises :class:`ConfigError` if no output can be split,
    and :class:`DatasetError` for labels that have another shape than the output.
    """
    if not job.config.split_outputs:
        return data, ()
    with job.progress.step("split") as update:
        written = job.session_folder / "split.tflite"
        result = job.session.call(
            "split_outputs",
            update=update,
            float_tflite=str(job.float_tflite),
            split_tflite=str(written),
        )
        outputs = restore(tuple[OutputSlice, ...], result["outputs"])
        obstacles = restore(dict[str, str], result["obstacles"])
        if len(outputs) == len(data.signature.outputs):
            raise ConfigError(
                f"{job.config.model}: --split-outputs: no output can be split:"
                f" {_reasons(obstacles)}; leave the option out"
            )
        collect_output(written, job.float_tflite)
    whole = data.signature.outputs
    signature = Signature(
        inputs=data.signature.inputs,
        outputs=tuple(
            TensorSpec(name=each.name, shape=each.shape, dtype=whole[each.source].dtype)
            for each in outputs
        ),
    )
    split = replace(data, signature=signature)
    if data.is_tested:
        tested = _with_split_labels(data.evaluation_data, whole, outputs)
        measures = choose_measures(job.config.metric, tested, signature)
        split = replace(split, evaluation_data=tested, measures=measures)
    return split, (_note(whole, outputs, obstacles),)


def _reasons(obstacles: dict[str, str]) -> str:
    return "; ".join(f"{name}: {why}" for name, why in obstacles.items())


def _note(
    whole: Sequence[TensorSpec], outputs: Sequence[OutputSlice], obstacles: dict[str, str]
) -> str:
    """Say which outputs stand for which, and which stayed whole."""
    parts = {
        spec.name: [each.name for each in outputs if each.source == source]
        for source, spec in enumerate(whole)
    }
    split = "; ".join(
        f"{name} into {', '.join(names)}" for name, names in parts.items() if name not in obstacles
    )
    return f"split: {split}" + (f"; whole: {_reasons(obstacles)}" if obstacles else "")


def _with_split_labels(
    dataset: Dataset, whole: Sequence[TensorSpec], outputs: Sequence[OutputSlice]
) -> Dataset:
    """Return a dataset with the labels of each part of an output, if the output has labels."""
    labels: Arrays = {}
    for each in outputs:
        name = whole[each.source].name
        if name not in dataset.labels:
            continue
        known = dataset.labels[name]
        if each.name == name:
            labels[name] = known
            continue
        shape = tuple(
            max(other.region[axis][1] for other in outputs if other.source == each.source)
            for axis in range(len(each.region))
        )
        if known.shape[1:] != shape:
            raise DatasetError(
                f"{dataset.source}: the labels of the output {name!r} have shape"
                f" {list(known.shape[1:])} for each sample, and can only be split with it if they"
                f" have its shape, {list(shape)}; leave out the labels, or --split-outputs"
            )
        labels[each.name] = known[each.index]
    return replace(dataset, labels=labels)
