"""Which array belongs to which input and output of a model."""

from __future__ import annotations

from collections.abc import Sequence

from edgepack.calibration.datasets.sources.source import Fields, SampleSource
from edgepack.core.errors import DatasetError
from edgepack.core.signature import Signature, TensorSpec


def find_fields(source: SampleSource, signature: Signature, label: str | None = None) -> Fields:
    """Find the arrays of a model's inputs and outputs.

    An array bears the name of its input or output; that of a lone input may be called ``x``,
    that of a lone output ``label``, or ``y``. Names that count the classes of a folder are no
    output's if there are several. Raises :class:`DatasetError` for an input without an array.
    """
    names = source.names()
    inputs = {spec.name: _of_input(source, names, spec, signature) for spec in signature.inputs}
    labels = {
        output.name: found
        for output in signature.outputs
        if (found := _of_output(source, names, output, inputs, signature, label)) is not None
    }
    return Fields(inputs=inputs, labels=labels)


def _of_input(
    source: SampleSource, names: Sequence[str], spec: TensorSpec, signature: Signature
) -> str:
    if spec.name in names:
        return spec.name
    if len(signature.inputs) == 1:
        name, arguments = "x", "x=inputs, y=labels"
    else:
        name, arguments = spec.name, ", ".join(f"{each.name}=..." for each in signature.inputs)
    if name not in names:
        held = ", ".join(names) or "nothing"
        raise DatasetError(
            f"{source.name}: no array {name!r}; it holds {held};"
            f" {source.cure.format(arguments=arguments)}"
        )
    return name


def _of_output(
    source: SampleSource,
    names: Sequence[str],
    output: TensorSpec,
    inputs: dict[str, str],
    signature: Signature,
    label: str | None,
) -> str | None:
    free = [name for name in names if name not in inputs.values()]
    lone = label if label in free else "y"
    if output.name in free and lone != label:
        return output.name
    if lone not in free:
        return None
    if len(signature.outputs) > 1:
        if source.classes:
            return None
        outputs = ", ".join(each.name for each in signature.outputs)
        raise DatasetError(
            f"{source.name}: {lone!r} does not say of which output; the model's outputs are"
            f" {outputs}: name the arrays after them"
        )
    return lone
