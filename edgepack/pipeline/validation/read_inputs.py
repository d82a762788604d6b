"""A .tflite file that is validated, and what it is run on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgepack.calibration.datasets.reader import dataset_reader
from edgepack.config.export import DEFAULT_SEED
from edgepack.config.project_file import ProjectFile
from edgepack.config.quantization import FLOAT_TFLITE
from edgepack.config.validate import ValidateConfig
from edgepack.core.errors import ConfigError, ModelError
from edgepack.core.progress import Update
from edgepack.core.signature import Signature
from edgepack.core.user_files import read_user_file
from edgepack.load.tflite_file import of_file, real_signature, require_float
from edgepack.metrics import Measure, choose_measures, require_known_metric
from edgepack.quantization.affine import dequantize
from edgepack.quantization.quantize_inputs import quantize_inputs
from edgepack.runtimes.random_inputs import random_inputs
from edgepack.storage.arrays import Arrays
from edgepack.storage.artifact import Artifact, describe_bytes
from edgepack.storage.dataset import first_class_labels
from edgepack.storage.manifest import require_unaltered
from edgepack.tflite.graph import Model, Tensor
from edgepack.tflite.parser import DAMAGE, read_tflite


@dataclass(frozen=True, kw_only=True)
class ValidatedFile:
    """A .tflite file, parsed. ``signature`` tells what it takes and gives in real values."""

    path: Path
    data: bytes
    model: Model
    signature: Signature

    @cached_property
    def artifact(self) -> Artifact:
        """Its size and content, as it was read."""
        return describe_bytes(self.data)

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs."""
        return [output.name for output in self.signature.outputs]

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The outputs by their names."""
        return dict(zip(self.outputs, self.model.main.output_tensors, strict=True))


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """What a file runs on: arrays (samples, ...), by input.

    ``taken`` is as the file takes them, ``real`` as a float model does, if that is to be run too.
    ``measures`` has an entry for each output that there are labels for. ``labels`` has the class
    of each sample, (samples,), if it is known.
    """

    taken: Arrays
    real: Arrays
    measures: dict[str, Measure]
    labels: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.taken.values())))


def read_file(path: Path) -> ValidatedFile:
    """Read a .tflite file that is to be run.

    Raises what :func:`read_model` does, and :class:`ModelError` for an input or output with more
    than one scale or without elements, and for a file that gives nothing.
    """
    data, model = read_model(path)
    if not model.main.outputs:
        raise ModelError(f"{path}: the model gives no outputs: there is nothing to test")
    for tensor in (*model.main.input_tensors, *model.main.output_tensors):
        if 0 in tensor.shape and not tensor.signature:
            shape = list(tensor.shape)
            raise ModelError(f"{path}: {tensor.name}: its shape {shape} holds no values")
    return ValidatedFile(
        path=path, data=data, model=model, signature=real_signature(path, model.main)
    )


def read_model(path: Path) -> tuple[bytes, Model]:
    """Read a .tflite file, whatever it takes and gives: its bytes, and parsed.

    Raises :class:`ModelError` if it is none, or damaged, and
    :class:`~edgepack.core.errors.AlteredError` if it is not what the manifest beside it says.
    """
    data = read_user_file(path, ModelError, ".tflite file")
    require_unaltered(path)
    with of_file(path):
        return data, read_tflite(data)


@contextmanager
def making_sense_of(path: Path) -> Iterator[None]:
    """Take what a check stumbles over in the content of a file for damage of the file.

    A file may name what it does not have, or count and measure what cannot be: no parser sees all
    of that. Puts the file's name before it, and before what a :class:`ModelError` says of the
    content.
    """
    try:
        with of_file(path):
            yield
    except (*DAMAGE, ArithmeticError) as error:
        told = f"{type(error).__name__}: {error}".strip().splitlines()[-1].strip()
        raise ModelError(
            f"{path}: damaged .tflite file: it contradicts itself, and no sense can be made of it"
            f" ({told}); convert the model again, and report it if that does not help"
        ) from error


def read_float(gate: ValidateConfig, file: ValidatedFile) -> ValidatedFile | None:
    """Read the float model that a file came from; None if there is none."""
    path = gate.float_model
    if path is None:
        path = file.path.with_name(FLOAT_TFLITE)
        if path.name == file.path.name or not path.is_file():
            return None
    floating = read_file(path)
    require_float(path, floating.model.main)
    for its, wanted in (
        (floating.signature.inputs, file.signature.inputs),
        (floating.signature.outputs, file.signature.outputs),
    ):
        if [each.shape for each in its] != [each.shape for each in wanted]:
            raise ModelError(
                f"{path}: takes and gives {floating.signature}, {file.path} {file.signature}; give"
                " the float model that it was made of"
            )
    return floating


RANDOM_SAMPLES = 16
"""So many random inputs show a kernel that computes otherwise, in a moment."""

_AMPLE_BYTES = 32 << 20
"""One sample may take more; several are not to take long."""

_SHARE = 16  # of the memory, for the inputs; what is computed of them takes some times as much


def read_inputs(
    gate: ValidateConfig,
    file: ValidatedFile,
    project_file: ProjectFile,
    work: Path,
    update: Update,
    *,
    has_float: bool,
) -> Inputs:
    """Read the test data, or make random inputs if there are none.

    ``has_float`` tells that a float model is to run on them besides.
    """
    require_known_metric(gate.metric)
    if gate.test is None:
        if gate.metric is not None:
            raise ConfigError(f"metric {gate.metric!r} needs samples to measure: give --test")
        most = (gate.memory_limit_mib << 20) // _SHARE
        tensors = file.model.main.input_tensors
        each_bytes = sum(tensor.value_bytes for tensor in tensors)
        samples = max(1, min(RANDOM_SAMPLES, _AMPLE_BYTES // max(1, each_bytes)))
        with of_file(file.path):
            taken = random_inputs(file.model, samples, DEFAULT_SEED, most)
        real = {
            name: dequantize(array, tensor) if has_float and tensor.quant else array
            for (name, array), tensor in zip(taken.items(), tensors, strict=True)
        }
        return Inputs(real=real, taken=taken, measures={})
    with dataset_reader([gate.test], project_file) as reading:
        spooled = reading.read(gate.test, file.signature, work / "test", update=update)
    test = spooled.dataset()
    return Inputs(
        real=test.inputs,
        taken=quantize_inputs(test.inputs, file.model.main.input_tensors, work),
        measures=choose_measures(gate.metric, test, file.signature),
        labels=first_class_labels(test, file.signature),
    )
