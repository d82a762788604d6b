"""Converts a loaded model to a float .tflite."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from edgepack.conversion.layer_scopes import scopes_named_after_layers
from edgepack.conversion.same_outputs import require_same_outputs
from edgepack.core.errors import ConversionError, reason
from edgepack.load.keras_model import KerasModel
from edgepack.load.layer_settings import unrolled
from edgepack.load.loaded_model import FloatModel, TensorFlowModel
from edgepack.load.tflite_file import TfliteFile
from edgepack.tflite.graph import Model
from edgepack.tflite.parser import read_tflite


@dataclass(frozen=True, kw_only=True)
class Converted:
    """A float .tflite, and the names of the recurrent layers that were unrolled for it.

    ``not_compared`` says why an output was not held against the model's, by its name.
    """

    tflite: bytes
    unrolled: tuple[str, ...] = ()
    not_compared: Mapping[str, str] = field(default_factory=dict)


def to_float_tflite(model: FloatModel, samples: Sequence[NDArray[Any]]) -> Converted:
    """Convert a model to a float .tflite with batch 1, as microcontrollers need it.

    ``samples`` has an array of shape (samples, ...) for each input. Their shapes replace dimensions
    that are open in the model, and the outputs of the .tflite are held against the model's on some
    of them. If the result has a loop, which crashes TensorFlow's calibrator, the recurrent layers
    of a Keras model are unrolled: the same operations, step by step. A .tflite file is returned
    unchanged. The model is not modified.

    Raises :class:`ConversionError` if TensorFlow's converter refuses the model or changes its
    outputs, :class:`~edgepack.core.errors.ModelError` if the model cannot be run on the samples,
    and TypeError for a model that cannot be converted.
    """
    if isinstance(model, TfliteFile):
        return Converted(tflite=model.data)
    if not isinstance(model, TensorFlowModel):
        raise TypeError(f"{type(model).__name__} cannot be converted")
    shapes = [array.shape[1:] for array in samples]
    names: tuple[str, ...] = ()
    tflite = _convert(model, shapes)
    if isinstance(model, KerasModel) and has_loop(read_tflite(tflite)):
        with unrolled(model.model) as names:
            tflite = _convert(model, shapes) if names else tflite
    not_compared = require_same_outputs(model, tflite, samples)
    return Converted(tflite=tflite, unrolled=names, not_compared=not_compared)


def has_loop(model: Model) -> bool:
    """Whether a .tflite file holds a loop, such as that of a rolled LSTM."""
    return any(op.name == "WHILE" for graph in model.subgraphs for op in graph.operators)


def _convert(model: TensorFlowModel, shapes: Sequence[tuple[int, ...]]) -> bytes:
    """Freeze the variables into a graph and convert it.

    The converter's own way, which saves the model and loads it again, takes several times as long
    for the same result. Raises :class:`ConversionError` if the converter refuses the model.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    specs = [
        tf.TensorSpec((1, *shape), spec.dtype, name=spec.name)
        for spec, shape in zip(model.signature.inputs, shapes, strict=True)
    ]
    try:
        with ExitStack() as stack:
            if isinstance(model, KerasModel):
                stack.enter_context(scopes_named_after_layers(model.model))
            traced = tf.function(model).get_concrete_function(*specs)
        frozen = convert_variables_to_constants_v2(traced)
        frozen = _without_negations(frozen)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
        tflite: bytes = converter.convert()
    except Exception as error:
        raise ConversionError(
            f"{model.path}: TensorFlow's converter refuses the model: {_explain(error)}"
        ) from error
    return tflite


_ASSIGNED = re.compile(r"node (?:\S+/)?(\S+)/Assign\w*VariableOp\S* was passed (\w+)")
_MISSING = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")


_SEED_DTYPES = ("int64", "uint32", "int32")
"""The dtypes of the states of Keras's and TensorFlow's random number generators."""


def _explain(error: Exception) -> str:
    """Return why the conversion failed, with the cure for known causes."""
    if assigned := _ASSIGNED.search(str(error)):
        layer, dtype = assigned.groups()
        if dtype in _SEED_DTYPES:
            return (
                f"the layer {layer!r} changes an integer variable during inference, such as the"
                " state of a random number generator; draw random numbers in training only"
            )
        return (
            f"the layer {layer!r} keeps a state from one inference to the next, which a frozen"
            " model cannot; build it with stateful=False, and make its state an input and an output"
            " of the model"
        )
    if names := sorted(set(_MISSING.findall(str(error))) - {"Placeholder"}):  # not an operator
        return (
            f"TensorFlow Lite has no {' and no '.join(names)}; remove the layers that need what is"
            " missing, such as lookups, hashing and encodings, from the model, and feed it the"
            " numbers that they compute"
        )
    return reason(error)


def _without_negations(frozen: Any) -> Any:
    """Replace ``-x`` by ``x * -1`` in a frozen graph: TensorFlow Lite has no int8 NEG.

    The layer normalization of Keras 3 uses many of them. Those that feed an Erfc, directly or
    through one operator, are kept: the converter recognizes GELU by them.
    """
    import tensorflow as tf
    from tensorflow.python.eager.wrap_function import function_from_graph_def

    graph = frozen.graph.as_graph_def()
    feeds_erfc = {name for node in graph.node if node.op == "Erfc" for name in node.input}
    feeds_erfc |= {name for node in graph.node if node.name in feeds_erfc for name in node.input}
    negations = [node for node in graph.node if node.op == "Neg" and node.name not in feeds_erfc]
    if not negations:
        return frozen
    for node in negations:
        minus_one = graph.node.add(name=f"{node.name}/minus_one", op="Const")
        minus_one.attr["dtype"].CopyFrom(node.attr["T"])
        value = tf.make_tensor_proto(-1, tf.as_dtype(node.attr["T"].type))
        minus_one.attr["value"].tensor.CopyFrom(value)
        node.op = "Mul"
        node.input.append(minus_one.name)
    inputs, outputs = (
        [tensor.name for tensor in tensors] for tensors in (frozen.inputs, frozen.outputs)
    )
    return function_from_graph_def(graph, inputs, outputs)
