"""Whether a model is refused for what its file says, or for what the reference kernels lack.

TensorFlow Lite Micro and XNNPACK take much that TensorFlow Lite's own kernels refuse: strides that
leave nothing over, shapes that do not follow from the inputs, types that do not go together. What
comes out then is defined nowhere. So a model that those kernels refuse fails everywhere, even where
the target's own interpreter runs it. They also lack what is sound, which must fail nothing:

- those of tflite-runtime are of 2023: where they refuse a model, LiteRT's own kernels, which are of
  today, are asked without a delegate, and have the last word;
- a resolver of neither may have an operator, in its version: a custom one, or one of TensorFlow
  Lite Micro's; that is no word on the content, if any interpreter measured has that version;
- what is known to be refused by all of them though it is sound is in
  :data:`edgepack.devices.kernel_defects.DEFECTS`;
- a limit of time or memory, and NaN among the outputs, are no refusal: LiteRT's are asked again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from edgepack.core.findings import Finding
from edgepack.devices.kernel_defects import defects_of
from edgepack.devices.op_registry import is_known
from edgepack.runtimes.run_result import Run
from edgepack.tflite.graph import Graph, Model, Operator
from edgepack.tflite.layer_names import layer_names
from edgepack.tflite.operator_calls import OperatorCall

_UNKNOWN = ("Didn't find op for builtin opcode", "Encountered unresolved custom op")
_NODE = re.compile(r"Node number (\d+) \((\w+)\) failed")
_PHONES = {"litert", "tflite-runtime"}


def needs_second(reference: Run | None) -> bool:
    """Whether LiteRT's kernels are to be asked: those of tflite-runtime failed, or are not here."""
    return reference is None or reference.failure is not None


def contradictions(model: Model, reference: Run | None, second: Run | None) -> Iterator[Finding]:
    """Tell what the kernels find wrong with the content of a file.

    ``second`` is the run of LiteRT's kernels, None where they were not asked.
    """
    run = second if needs_second(reference) else reference
    if run is None:
        return
    if run.is_refused:
        refused = [each for each in (reference, second) if each and each.is_refused]
        if found := _refusal(model, refused):
            yield found
    for index, values in run.resized.items():
        tensor = model.main.tensors[index]
        yield Finding(
            message=f"the tensor {tensor.name!r} has the shape {list(tensor.shape)} by the file,"
            f" and holds {values:,} values by the operators",
            layer=tensor.name,
        )


def _refusal(model: Model, runs: list[Run]) -> Finding | None:
    """Tell why all kernels refuse a model; None if that says nothing of its content."""
    known = [run for run in runs if not any(word in str(run.failure) for word in _UNKNOWN)]
    if not known:
        return _unknown(model)
    told = str(known[0].failure)
    blamed = _blamed(model.main, told)
    if any(_is_known_defect(OperatorCall.of(model.main, each)) for each in blamed):
        return None
    operator = blamed[0] if len(blamed) == 1 else None
    return Finding(
        message=f"the reference kernels refuse the model: {told}",
        cure="convert the model again: the file contradicts itself",
        operator=operator.name if operator else None,
        layer=_layer(model.main, operator) if operator else None,
    )


def _unknown(model: Model) -> Finding | None:
    """Tell of a version of an operator that no interpreter has, in any release."""
    for graph in model.subgraphs:
        for operator in graph.operators:
            if not operator.is_custom and not is_known(operator.name, operator.version):
                return Finding(
                    message=f"no interpreter has {operator.name} in version {operator.version}",
                    operator=operator.name,
                    layer=_layer(graph, operator),
                )
    return None


def _blamed(graph: Graph, told: str) -> list[Operator]:
    """Find the operator that a message names, or all of them if it names none."""
    if node := _NODE.search(told):
        at, name = int(node[1]), node[2]
        if at < len(graph.operators) and graph.operators[at].name == name:
            return [graph.operators[at]]
        return [operator for operator in graph.operators if operator.name == name]
    return list(graph.operators)


def _is_known_defect(use: OperatorCall) -> bool:
    return any(defect.refused.keys() >= _PHONES for defect in defects_of(use))


def _layer(graph: Graph, operator: Operator) -> str | None:
    return layer_names(graph)[operator.outputs[0]] if operator.outputs else None
