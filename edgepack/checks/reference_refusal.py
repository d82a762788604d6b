"""Whether the reference kernels reject a model because its file is invalid.

TensorFlow Lite Micro and XNNPACK accept much that TensorFlow Lite's own kernels reject: strides
that leave no output, shapes that do not follow from the inputs, incompatible types. The results are
then undefined. So a model that those kernels reject fails on every target, even if the target's own
interpreter runs it. They also reject valid models, which must not fail:

- The kernels of tflite-runtime are from 2023. If they reject a model, LiteRT's own kernels, which
  are current, run it without a delegate, and decide.
- Neither resolver may have an operator in its version, such as a custom operator or one of
  TensorFlow Lite Micro. This says nothing about the content, if any measured interpreter supports
  that version.
- Valid operators that all of these kernels are known to reject are in
  :data:`edgepack.runtimes.kernel_defects.DEFECTS`.
- Exceeding a limit of time or memory, or NaN in the outputs, is not a rejection: LiteRT's kernels
  run the model, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from edgepack.core.findings import Finding
from edgepack.runtimes.kernel_defects import defects_of
from edgepack.runtimes.run_result import Run
from edgepack.runtimes.supported_operators import is_known
from edgepack.tflite.graph import Graph, Model, Operator
from edgepack.tflite.layer_names import layer_names
from edgepack.tflite.operator_calls import OperatorCall

_UNKNOWN = ("Didn't find op for builtin opcode", "Encountered unresolved custom op")
_NODE = re.compile(r"Node number (\d+) \((\w+)\) failed")
_PHONES = {"litert", "tflite-runtime"}


def needs_litert_kernels(reference: Run | None) -> bool:
    """Whether LiteRT's kernels must run too: tflite-runtime's failed, or are not installed."""
    return reference is None or reference.failure is not None


def contradictions(model: Model, reference: Run | None, second: Run | None) -> Iterator[Finding]:
    """Yield the errors that the kernels find in the content of a file.

    ``reference`` is the run of tflite-runtime's reference kernels, ``second`` that of LiteRT's
    kernels; None if they did not run.
    """
    run = second if needs_litert_kernels(reference) else reference
    if run is None:
        return
    if run.is_refused:
        refused = [each for each in (reference, second) if each and each.is_refused]
        if finding := _refusal(model, refused):
            yield finding
    for index, values in run.resized.items():
        tensor = model.main.tensors[index]
        yield Finding(
            message=f"the tensor {tensor.name!r} has the shape {list(tensor.shape)} in the file,"
            f" but the operators compute {values:,} values",
            layer=tensor.name,
        )


def _refusal(model: Model, runs: list[Run]) -> Finding | None:
    """Return why all kernels reject a model; None if this says nothing about its content."""
    known = [run for run in runs if not any(text in str(run.failure) for text in _UNKNOWN)]
    if not known:
        return _unknown(model)
    failure = str(known[0].failure)
    blamed = _blamed(model.main, failure)
    if any(_is_known_defect(OperatorCall.of(model.main, each)) for each in blamed):
        return None
    operator = blamed[0] if len(blamed) == 1 else None
    return Finding(
        message=f"the reference kernels reject the model: {failure}",
        cure="convert the model again: the file contradicts itself",
        operator=operator.name if operator else None,
        layer=_layer(model.main, operator) if operator else None,
    )


def _unknown(model: Model) -> Finding | None:
    """Return the first operator in a version that no release of any interpreter supports."""
    for graph in model.subgraphs:
        for operator in graph.operators:
            if not operator.is_custom and not is_known(operator.name, operator.version):
                return Finding(
                    message=f"no interpreter supports {operator.name} version {operator.version}",
                    operator=operator.name,
                    layer=_layer(graph, operator),
                )
    return None


def _blamed(graph: Graph, failure: str) -> list[Operator]:
    """Return the operators that a message may mean: all of them if it names none."""
    if node := _NODE.search(failure):
        index, name = int(node[1]), node[2]
        if index < len(graph.operators) and graph.operators[index].name == name:
            return [graph.operators[index]]
        return [operator for operator in graph.operators if operator.name == name]
    return list(graph.operators)


def _is_known_defect(call: OperatorCall) -> bool:
    return any(defect.refused.keys() >= _PHONES for defect in defects_of(call))


def _layer(graph: Graph, operator: Operator) -> str | None:
    return layer_names(graph)[operator.outputs[0]] if operator.outputs else None
