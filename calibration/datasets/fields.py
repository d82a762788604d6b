"""Matching the arrays of a dataset to the inputs and outputs of a model."""

from __future__ import annotations

from collections.abc import Sequence

from edgepack.calibration.datasets.sources.source import Fields, SampleSource
from edgepack.core.errors import DatasetError
from edgepack.core.signature import Signature, TensorSpec


def find_fields(source: SampleSource, signature: Signature, label: str | None = None) -> Fields:
    """Return the names of the arrays that hold a model's inputs and the labels of its outputs.

    Arrays are matched by name. If the model has one input, its array may also be called ``x``; if
    it has one output, the labels may be in the array named by ``label``, or else in ``y``. Class
    numbers derived from a folder's subfolders are ignored if the model has several outputs.

    Raises :class:`DatasetError` for an input without an array, and for labels whose output is
    ambiguous.
    """
    names = source.names()
    inputs = {
        spec.name: _find_input_field(source, names, spec, signature) for spec in signature.inputs
    }
    labels = {
        output.name: field
        for output in signature.outputs
        if (field := _find_label_field(source, names, output, inputs, signature, label)) is not None
    }
    return Fields(inputs=inputs, labels=labels)


def _find_input_field(
    source: SampleSource, names: Sequence[str], spec: TensorSpec, signature: Signature
) -> str:
    if spec.name in names:
        return spec.name
    if len(signature.inputs) == 1:
        name, arguments = "x", "x=inputs, y=labels"
    else:
        name, arguments = spec.name, ", ".join(f"{each.name}=..." for each in signature.inputs)
    if name not in names:
        present = ", ".join(names) or "nothing"
        raise DatasetError(
            f"{source.name}: no array {name!r}; it holds {present};"
            f" {source.cure.format(arguments=arguments)}"
        )
    return name


def _find_label_field(
    source: SampleSource,
    names: Sequence[str],
    output: TensorSpec,
    inputs: dict[str, str],
    signature: Signature,
    label: str | None,
) -> str | None:
    unused = [name for name in names if name not in inputs.values()]
    default = label if label in unused else "y"
    if output.name in unused and default != label:
        return output.name
    if default not in unused:
        return None
    if len(signature.outputs) > 1:
        if source.classes:
            return None
        outputs = ", ".join(each.name for each in signature.outputs)
        raise DatasetError(
            f"{source.name}: {default!r} does not identify an output; the model's outputs are"
            f" {outputs}: name the arrays after them"
        )
    return default
