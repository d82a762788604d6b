"""Finds the first layer of a Keras model whose output a .tflite file does not compute."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from edgepack.load.keras_model import KerasModel
from edgepack.load.layer_settings import nested_layers
from edgepack.load.output_difference import relative_difference
from edgepack.tflite.converter_names import split_fused_name
from edgepack.tflite.graph import Graph
from edgepack.tflite.interpreter_api import TfliteInterpreter
from edgepack.tflite.parser import read_tflite

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class LayerDifference:
    """The first layer that differs, or several if the converter merges them into one operator.

    ``layers`` are the names of layers, after those of the layers that contain them, and their
    classes. ``difference`` is that of the last one's output, as a fraction of the largest; None if
    no tensor of the file is named after it.
    """

    layers: tuple[str, ...]
    difference: float | None

    def __str__(self) -> str:
        """Say in words how much it differs."""
        text = f"the first layer that differs is {' or '.join(self.layers)}"
        if self.difference is None:
            return f"{text}, whose output is not in the file"
        return f"{text}, by {self.difference:.1e} of the largest value of its output"


@dataclass(frozen=True, kw_only=True, eq=False)
class _Call:
    """A float output of a call of a layer, a tensor of TensorFlow's graph."""

    path: tuple[str, ...]
    kind: str
    tensor: Any

    def __str__(self) -> str:
        return f"{'/'.join(self.path)!r} ({self.kind})"


def find_first_difference(
    model: KerasModel, tflite: bytes, sample: Sequence[Array], tolerance: float
) -> LayerDifference | None:
    """Return the first layer whose output for a sample, (1, ...) per input, is not in a file.

    The converter merges layers, so the output of a layer may be missing though nothing is wrong:
    then a tensor that depends on it is in the file. A tensor matches if no value differs by more
    than ``tolerance``, as a fraction of the largest. Returns None if there is no such layer.
    """
    calls, outputs = _run_layers(model, sample)
    graph = read_tflite(tflite).main
    computed = _run_tensors(graph, tflite, sample)
    found = [
        any(_distance(output, values) <= tolerance for values in computed.values())
        for output in outputs
    ]
    # What computes a value that is in the file is right, even if its own output is not.
    right = _ancestors(call.tensor for call, is_found in zip(calls, found, strict=True) if is_found)
    wrong = [
        (call, output)
        for call, output in zip(calls, outputs, strict=True)
        if call.tensor.op not in right
    ]
    owners = _own_tensors(graph, calls, computed)
    for position, (call, output) in enumerate(wrong):
        own = [values for index, values in computed.items() if owners.get(index) is call]
        if (distance := min((_distance(output, each) for each in own), default=np.inf)) < np.inf:
            before = _ancestors([call.tensor])
            merged = [each for each, _ in wrong[: position + 1] if each.tensor.op in before]
            return LayerDifference(
                layers=tuple(dict.fromkeys(map(str, merged))), difference=distance
            )
    return LayerDifference(layers=(str(wrong[0][0]),), difference=None) if wrong else None


def _run_layers(model: KerasModel, sample: Sequence[Array]) -> tuple[list[_Call], list[Array]]:
    """Run a model as predictions do; returns the calls of its layers, and their outputs."""
    import tensorflow as tf

    calls: list[_Call] = []

    def traced(*inputs: Any) -> list[Any]:
        recorded: list[_Call] = []
        with _recording(model.model, recorded):
            model(*inputs)
        graph = tf.compat.v1.get_default_graph()
        calls[:] = [call for call in recorded if _is_readable(call.tensor, graph, inputs)]
        return [call.tensor for call in calls]

    specs = [
        tf.TensorSpec((model.batch, *array.shape[1:]), spec.dtype)
        for spec, array in zip(model.signature.inputs, sample, strict=True)
    ]
    function = tf.function(traced, input_signature=specs, autograph=False)
    runner = lambda *arrays: [tensor.numpy() for tensor in function(*arrays)]  # noqa: E731
    return calls, model.run(runner, sample)


def _is_readable(tensor: Any, graph: Any, inputs: Sequence[Any]) -> bool:
    """Whether a tensor is outside loops, and holds floats of each sample."""
    return (
        getattr(tensor, "graph", None) is graph
        and tensor.dtype.is_floating
        and bool(tensor.shape.rank)
        and tensor.shape[0] == inputs[0].shape[0]
    )


@contextmanager
def _recording(model: Any, calls: list[_Call]) -> Iterator[None]:
    """Record the outputs of all layers within a context, in the order in which they are ready."""
    active: list[str] = []
    with ExitStack() as stack:
        for layer in {id(layer): layer for layer in nested_layers(model)}.values():
            own = vars(layer)
            own["call"] = _recorded(layer, calls, active)  # hides the method of the class
            stack.callback(own.pop, "call")
        yield


def _recorded(layer: Any, calls: list[_Call], active: list[str]) -> Callable[..., Any]:
    import tensorflow as tf

    call = layer.call

    def recorded(*args: Any, **kwargs: Any) -> Any:
        active.append(layer.name)
        try:
            outputs = call(*args, **kwargs)
        finally:
            path = tuple(active)
            active.pop()
        calls.extend(
            _Call(path=path, kind=type(layer).__name__, tensor=tensor)
            for tensor in tf.nest.flatten(outputs)
            if tf.is_tensor(tensor)
        )
        return outputs

    return recorded


def _ancestors(tensors: Iterable[Any]) -> set[Any]:
    """Return the operations that compute tensors, and all that these depend on."""
    known: set[Any] = set()
    pending = [tensor.op for tensor in tensors]
    while pending:
        operation = pending.pop()
        if operation not in known:
            known.add(operation)
            pending += [tensor.op for tensor in operation.inputs]
    return known


def _run_tensors(graph: Graph, tflite: bytes, sample: Sequence[Array]) -> dict[int, Array]:
    """Run a .tflite file; returns the float tensors that its operators write, by index."""
    interpreter = Interpreter(
        model_content=tflite,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    TfliteInterpreter(interpreter).invoke(sample)
    return {
        index: interpreter.get_tensor(index)
        for operator in graph.operators
        for index in operator.outputs
        if graph.tensors[index].dtype == "float32"
    }


def _distance(output: Array, values: Array) -> float:
    """Return the relative difference of a layer's output from a tensor's values, in either layout.

    Infinite if their numbers of values differ.
    """
    if output.size != values.size:
        return np.inf
    layouts = [output]
    if output.ndim > 1:  # the converter prefers the channels last
        layouts += [np.moveaxis(output, 1, -1), np.moveaxis(output, -1, 1)]
    differences = [relative_difference(each.ravel(), values.ravel()) for each in layouts]
    return float(np.min(np.nan_to_num(differences, nan=np.inf, posinf=np.inf)))


def _own_tensors(graph: Graph, calls: Sequence[_Call], indices: Iterable[int]) -> dict[int, _Call]:
    """Return the calls that tensors are named after, by the tensors' indices.

    A merged operator bears the names of several layers; it computes what the last of them does.
    """
    order = {call.path: position for position, call in enumerate(calls)}
    owners = {}
    for index in indices:
        positions = []
        for name in split_fused_name(graph.tensors[index].name):
            parts = set(name.split("/"))
            within = [path for path in order if parts.issuperset(path)]
            positions += [order[path] for path in within if len(path) == max(map(len, within))]
        if positions:
            owners[index] = calls[max(positions)]
    return owners
