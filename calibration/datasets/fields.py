"""Matching the arrays of a dataset to the inputs and outputs of a model."""

from __future__ import annotations

from collections.abc import Sequence

from edgepack.calibration.datasets.sources.source import Fields, SampleSource
from edgepack.core.errors import DatasetError
from edgepack.core.signature import Signature, TensorSpec
from edgepack.core.split_names import outputs_in_parts


def find_fields(source: SampleSource, signature: Signature, label: str | None = None) -> Fields:
    """Return the names of the arrays that hold a model's inputs and the labels of its outputs.

    Arrays are matched by name. If the model has one input, its array may also be called ``x``; if
    it has one output, the labels may be in the array named by ``label``, or else in ``y``. Class
    numbers derived from a folder's subfolders are ignored if the model has several outputs.
    Outputs that are the parts of one (:mod:`edgepack.core.split_names`) share its array, unless a
    part has an array of its own.

    Raises :class:`DatasetError` for an input without an array, and for labels whose output is
    ambiguous.
    """
    names = source.names()
    inputs = {
        spec.name: _find_input_field(source, names, spec, signature) for spec in signature.inputs
    }
    unused = [name for name in names if name not in inputs.values()]
    wholes = _wholes(source, unused, signature, label)
    labels = {
        output.name: field
        for output in signature.outputs
        if (
            field := wholes.get(output.name)
            or _find_label_field(source, unused, output, signature, label)
        )
        is not None
    }
    return Fields(inputs=inputs, labels=labels)


def _wholes(
    source: SampleSource, unused: Sequence[str], signature: Signature, label: str | None
) -> dict[str, str]:
    """Return the array of the whole output for each output that is a part of it."""
    found: dict[str, str] = {}
    for whole, parts in outputs_in_parts(signature.outputs).items():
        field = whole
        if len(parts) == len(signature.outputs) and not source.classes:
            default = label if label and label in unused else "y"
            field = whole if whole in unused and default != label else default
        if field in unused and not any(part.name in unused for part in parts):
            found |= {part.name: field for part in parts}
    return found


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
    unused: Sequence[str],
    output: TensorSpec,
    signature: Signature,
    label: str | None,
) -> str | None:
    default = label if label in unused else "y"
    if output.name in unused and default != label:
        return output.name
    if default not in unused:
        return None
    if len(signature.outputs) > 1:
        if source.classes:
            return None
        outputs = ", ".join(each.name for each in signature.outputs)
        wholes = [
            f", or {whole} for {', '.join(part.name for part in parts)} joined"
            for whole, parts in outputs_in_parts(signature.outputs).items()
        ]
        raise DatasetError(
            f"{source.name}: {default!r} does not identify an output; the model's outputs are"
            f" {outputs}: name the arrays after them{''.join(wholes)}"
        )
    return default
