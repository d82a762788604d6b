"""Reading of .tflite files, and of the inputs that they are run on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgepack.calibration.datasets.reader import dataset_reader
from edgepack.config.project_file import ProjectFile
from edgepack.config.quantization import FLOAT_TFLITE
from edgepack.config.shared_settings import DEFAULT_SEED
from edgepack.config.validate import ValidateConfig
from edgepack.core.errors import ConfigError, ModelError
from edgepack.core.progress import Update
from edgepack.core.signature import Signature
from edgepack.core.split_names import joined_along, outputs_in_parts
from edgepack.core.user_files import read_user_file
from edgepack.load.tflite_file import name_file_in_errors, real_signature, require_float
from edgepack.metrics import Measure, choose_measures, label_notes, require_known_metric
from edgepack.quantization.affine import dequantize
from edgepack.quantization.quantize_inputs import quantize_inputs
from edgepack.runtimes.random_inputs import random_inputs
from edgepack.storage.arrays import Arrays
from edgepack.storage.artifact import Artifact, describe_bytes
from edgepack.storage.dataset import first_class_labels
from edgepack.storage.manifest import Manifest, require_unaltered
from edgepack.tflite.graph import Model, Tensor
from edgepack.tflite.parser import DAMAGE, read_tflite


@dataclass(frozen=True, kw_only=True)
class ParsedFile:
    """A parsed .tflite file; ``data`` is its content, ``signature`` is in real values."""

    path: Path
    data: bytes
    model: Model
    signature: Signature

    @cached_property
    def artifact(self) -> Artifact:
        """The size and SHA-256 of the file as it was read."""
        return describe_bytes(self.data)

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs."""
        return [output.name for output in self.signature.outputs]

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The output tensors by name."""
        return dict(zip(self.outputs, self.model.main.output_tensors, strict=True))


@dataclass(frozen=True, kw_only=True, eq=False)
class ValidationInputs:
    """The inputs that a file is run on: arrays (samples, ...) by input name.

    ``encoded`` are in the dtypes of the file's inputs, ``real`` are real values for the float
    model, if that is run too. ``measures`` has an entry for each output that can be measured.
    ``labels`` are the class numbers, (samples,), if known. ``notes`` are remarks on the data.
    """

    encoded: Arrays
    real: Arrays
    measures: dict[str, Measure]
    labels: NDArray[Any] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.encoded.values())))


def read_file(path: Path) -> ParsedFile:
    """Read and parse a .tflite file that will be run.

    Raises what :func:`read_model` does, and :class:`ModelError` for a file without outputs, and for
    an input or output without elements or with more than one scale.
    """
    data, model = read_model(path)
    if not model.main.outputs:
        raise ModelError(f"{path}: the model has no outputs: there is nothing to test")
    for tensor in (*model.main.input_tensors, *model.main.output_tensors):
        if 0 in tensor.shape and not tensor.signature:
            shape = list(tensor.shape)
            raise ModelError(f"{path}: {tensor.name}: its shape {shape} has no values")
    return ParsedFile(path=path, data=data, model=model, signature=real_signature(path, model.main))


def read_model(path: Path) -> tuple[bytes, Model]:
    """Read a .tflite file with any inputs and outputs; returns its bytes, and the parsed model.

    Raises :class:`ModelError` if it is not a .tflite file, or damaged, and
    :class:`~edgepack.core.errors.AlteredError` if it does not match the manifest beside it.
    """
    data = read_user_file(path, ModelError, ".tflite file")
    require_unaltered(path)
    with name_file_in_errors(path):
        return data, read_tflite(data)


@contextmanager
def reporting_damage(path: Path) -> Iterator[None]:
    """Report errors caused by a file's content as damage of the file.

    A file may refer to things that it does not contain, or have impossible counts and sizes, and no
    parser detects all of that. Raises :class:`ModelError` instead, with the file's path; a
    :class:`ModelError` gets the path, too.
    """
    try:
        with name_file_in_errors(path):
            yield
    except (*DAMAGE, ArithmeticError) as error:
        cause = f"{type(error).__name__}: {error}".strip().splitlines()[-1].strip()
        raise ModelError(
            f"{path}: damaged .tflite file: its content is inconsistent"
            f" ({cause}); convert the model again, and report it if that does not help"
        ) from error


def read_float(config: ValidateConfig, file: ParsedFile) -> ParsedFile | None:
    """Read the float model of a file; None if there is none.

    That is the configured file, or else ``float.tflite`` beside the model. Raises
    :class:`ModelError` if its inputs and outputs have other shapes, or it is quantized.
    """
    path = config.float_model
    if path is None:
        path = file.path.with_name(FLOAT_TFLITE)
        if path.name == file.path.name or not path.is_file():
            return None
    float_file = read_file(path)
    require_float(path, float_file.model.main)
    for float_specs, specs in (
        (float_file.signature.inputs, file.signature.inputs),
        (float_file.signature.outputs, file.signature.outputs),
    ):
        if [each.shape for each in float_specs] != [each.shape for each in specs]:
            raise ModelError(
                f"{path}: has the inputs and outputs {float_file.signature}, but {file.path} has"
                f" {file.signature}; {_float_cure(file, path, float_file.signature)}"
            )
    return float_file


def split_cure(file: ParsedFile, given: Path, signature: Signature) -> str | None:
    """Return what to compare a file with whose outputs are parts of those of the ``given`` model.

    None if its outputs were not split: the manifest beside it tells, or else their shapes.
    """
    manifest = Manifest.beside(file.path)
    recipe = manifest.recipe if manifest else None
    joined = (
        joined_along(parts, output.shape) is not None
        for parts in outputs_in_parts(file.signature.outputs).values()
        for output in signature.outputs
    )
    if not (recipe and recipe.values.get("split_outputs") is True) and not any(joined):
        return None
    beside = file.path.with_name(FLOAT_TFLITE)
    if not beside.is_file():
        return (
            f"its outputs were split: compare it with the {FLOAT_TFLITE} that was written with it"
        )
    if given.exists() and beside.samefile(given):
        return None
    return f"its outputs were split: compare it with {beside}"


def _float_cure(file: ParsedFile, given: Path, signature: Signature) -> str:
    return split_cure(file, given, signature) or "give the float model that it was made from"


RANDOM_SAMPLES = 16
"""Enough to reveal a kernel that computes differently, and quick to run."""

_MAX_RANDOM_BYTES = 32 << 20
"""The most bytes of several random samples, to keep runs short; a single one may take more."""

_MEMORY_DIVISOR = 16
"""The fraction of the memory limit for inputs; intermediate results take several times as much."""


def read_inputs(
    config: ValidateConfig,
    file: ParsedFile,
    project_file: ProjectFile,
    work: Path,
    update: Update,
    *,
    has_float: bool,
) -> ValidationInputs:
    """Read the test data, or make random inputs if there are none.

    ``has_float`` says whether a float model will run on them, too. Arrays go to the folder
    ``work``. Raises :class:`ConfigError` for a metric without test data, and what reading a dataset
    does.
    """
    require_known_metric(config.metric)
    if config.test is None:
        if config.metric is not None:
            raise ConfigError(f"metric {config.metric!r} needs samples to measure: give --test")
        max_bytes = (config.memory_limit_mib << 20) // _MEMORY_DIVISOR
        tensors = file.model.main.input_tensors
        sample_bytes = sum(tensor.value_bytes for tensor in tensors)
        samples = max(1, min(RANDOM_SAMPLES, _MAX_RANDOM_BYTES // max(1, sample_bytes)))
        with name_file_in_errors(file.path):
            encoded = random_inputs(file.model, samples, DEFAULT_SEED, max_bytes)
        real = {
            name: dequantize(array, tensor) if has_float and tensor.quant else array
            for (name, array), tensor in zip(encoded.items(), tensors, strict=True)
        }
        return ValidationInputs(real=real, encoded=encoded, measures={})
    with dataset_reader([config.test], project_file) as reader:
        stored = reader.read(config.test, file.signature, work / "test", update=update)
    test = stored.dataset()
    measures = choose_measures(config.metric, test, file.signature)
    return ValidationInputs(
        real=test.inputs,
        encoded=quantize_inputs(test.inputs, file.model.main.input_tensors, work),
        measures=measures,
        labels=first_class_labels(test, file.signature),
        notes=(*stored.notes, *label_notes(measures, test, file.signature, "test")),
    )
