"""Load SavedModels that do more than compute as edgepack does, and print the errors as JSON.

Run as a script, in a process of its own. Payloads are harmless: they create files named MARK_*, or
read ``secret.txt``. Prints the error for each model, and the names of the MARK_* files.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
import tf_keras
from flatbuffers import flexbuffers
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf import saved_model_pb2
from tf_keras.protobuf import saved_metadata_pb2
from tiny import Value, one_operator

from edgepack.config.model_source import ModelSource
from edgepack.core.errors import ModelError
from edgepack.load import load_model
from edgepack.load.graphs import require_pure_operators
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.rewrite import Rewrite

_Function = Callable[[Any], Any]


def functions(folder: Path) -> dict[str, _Function]:
    """Return functions for a signature that do more than compute, by name."""
    secret, mark = str(folder / "secret.txt"), str(folder / "MARK")

    def prints(x: Any) -> Any:
        tf.print("written", output_stream=f"file://{mark}_print")
        return x

    def caches(x: Any) -> Any:
        for each in tf.data.Dataset.from_tensors(x).cache(f"{mark}_cache"):
            x += 0.0 * tf.reduce_sum(each)
        return x

    def reads(x: Any) -> Any:
        return x + tf.cast(tf.strings.length(tf.io.read_file(secret)), tf.float32)

    def writes(x: Any) -> Any:
        tf.io.write_file(f"{mark}_write", "x")
        return x

    def calls_python(x: Any) -> Any:
        output = tf.py_function(lambda y: (Path(f"{mark}_python").touch(), y)[1], [x], tf.float32)
        return tf.ensure_shape(output, x.shape)

    def maps(x: Any) -> Any:
        mapped = tf.raw_ops.ImmutableConst(dtype=tf.uint8, shape=[4], memory_region_name=secret)
        return x + tf.reduce_sum(tf.cast(mapped, tf.float32))

    def looks_up(x: Any) -> Any:
        table = tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
        tf.raw_ops.InitializeTableFromTextFileV2(
            table_handle=table, filename=secret, key_index=-2, value_index=-1
        )
        return x + tf.cast(tf.raw_ops.LookupTableSizeV2(table_handle=table), tf.float32)

    def merges(x: Any) -> Any:
        tf.raw_ops.MergeV2Checkpoints(
            checkpoint_prefixes=[f"{mark}_a"], destination_prefix=f"{mark}_merge"
        )
        return x

    def saves(x: Any) -> Any:
        tf.raw_ops.SaveV2(
            prefix=f"{mark}_save", tensor_names=["x"], shape_and_slices=[""], tensors=[x]
        )
        return x

    def restores(x: Any) -> Any:
        restored = tf.raw_ops.RestoreV2(
            prefix=secret, tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32]
        )
        return x + restored[0]

    def in_a_branch(x: Any) -> Any:
        return tf.cond(tf.reduce_sum(x) > 1e9, lambda: reads(x), lambda: x)

    def in_a_loop(x: Any) -> Any:
        return tf.while_loop(lambda i, _: i < 1, lambda i, y: (i + 1, writes(y)), [0, x])[1]

    return dict(locals().items() - {"folder": folder, "secret": secret, "mark": mark}.items())


def save(path: Path, function: _Function) -> None:
    """Save a module with a weight."""
    weight = tf.Variable(np.ones((4, 3), np.float32))
    module = tf.Module()
    module.weight = weight
    signature = tf.TensorSpec([None, 4], tf.float32)
    module.f = tf.function(
        lambda x: {"y": tf.matmul(function(x), weight)}, input_signature=[signature]
    )
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.f})


def rewrite(path: Path, change: Callable[[Any], None]) -> None:
    """Change the protocol buffer of a SavedModel."""
    file = path / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    change(saved)
    file.write_bytes(saved.SerializeToString())


def make(folder: Path) -> None:
    """Write all models."""
    (folder / "secret.txt").write_text("a secret beside the model")
    for name, function in functions(folder).items():
        save(folder / name, function)
    save(folder / "harmless", lambda x: x)
    save(folder / "of TensorFlow 1", lambda x: x)
    # Without objects TensorFlow treats it as a model of TensorFlow 1, whose graph is run.
    rewrite(folder / "of TensorFlow 1", remove_objects)
    save(folder / "signature that saves", lambda x: x)
    rewrite(folder / "signature that saves", output_save_tensor)
    save(folder / "redefined operator", lambda x: x)
    rewrite(folder / "redefined operator", redefine_operator)
    for change in (
        output_sparse_tensor_of_saver,
        restore_from_elsewhere,
        pass_operator_as_function,
    ):
        path = folder / change.__name__
        save(path, lambda x: x)
        rewrite(path, change)
    save(folder / "linked", lambda x: x)
    data = folder / "linked" / "variables" / "variables.data-00000-of-00001"
    data.unlink()
    data.symlink_to(folder / "secret.txt")
    save_lambda_models(folder)


def remove_objects(saved: Any) -> None:
    """Remove the objects, so that only the graph remains."""
    saved.meta_graphs[0].ClearField("object_graph_def")


def output_save_tensor(saved: Any) -> None:
    """Make a TensorFlow 1 graph output the save tensor of its saver."""
    (meta,) = saved.meta_graphs
    meta.ClearField("object_graph_def")
    outputs = meta.signature_def["serving_default"].outputs
    outputs["y"].name = meta.saver_def.save_tensor_name


def output_sparse_tensor_of_saver(saved: Any) -> None:
    """Output the save tensor of the saver as a component of a sparse tensor."""
    (meta,) = saved.meta_graphs
    meta.ClearField("object_graph_def")
    output = meta.signature_def["serving_default"].outputs["y"]
    output.coo_sparse.values_tensor_name = meta.saver_def.save_tensor_name


def restore_from_elsewhere(saved: Any) -> None:
    """Make the saver of a TensorFlow 1 graph read a checkpoint from another path."""
    (meta,) = saved.meta_graphs
    meta.ClearField("object_graph_def")
    for function in meta.graph_def.library.function:
        for node in function.node_def:
            if node.op == "RestoreV2":
                other = function.node_def.add(name="other", op="Const")
                other.attr["value"].tensor.CopyFrom(tf.make_tensor_proto("secret"))
                node.input[0] = "other:output:0"


def pass_operator_as_function(saved: Any) -> None:
    """Make a branch call an operator as if it were a function of the graph."""
    function = saved.meta_graphs[0].graph_def.library.function[0]
    node = function.node_def.add(name="branch", op="StatelessIf")
    node.attr["then_branch"].func.name = "ReadFile"


def redefine_operator(saved: Any) -> None:
    """Define a function with the name of an allowed operator."""
    saved.meta_graphs[0].graph_def.library.function[0].signature.name = "Relu"


def save_lambda_models(folder: Path) -> None:
    """Save a Keras model with a Lambda layer, with its metadata in different valid spellings."""
    code = f"lambda t: (open({str(folder / 'MARK_metadata')!r}, 'w').close(), t)[1]"
    inputs = tf_keras.Input((4,))
    hidden = tf_keras.layers.Lambda(eval(code))(inputs)
    model = tf_keras.Model(inputs, tf_keras.layers.Dense(3)(hidden))
    spellings: dict[str, Callable[[str], str]] = {
        "metadata": lambda text: text,
        "blanks": lambda text: text.replace('{"', '{\n "'),
        "escapes": lambda text: text.replace('"Lambda"', '"\\u004cambda"'),
        "in objects": lambda text: text,
    }
    for name, spell in spellings.items():
        path = folder / name
        model.save(path, save_format="tf")
        file = path / "keras_metadata.pb"
        metadata = saved_metadata_pb2.SavedMetadata.FromString(file.read_bytes())
        for node in metadata.nodes:
            node.metadata = spell(node.metadata)
        file.write_bytes(metadata.SerializeToString())
        if name == "in objects":  # where Keras looks if the file does not exist

            def move(saved: Any, nodes: Any = metadata.nodes) -> None:
                objects = saved.meta_graphs[0].object_graph_def
                for node in nodes:
                    objects.nodes[node.node_id].user_object.metadata = node.metadata

            rewrite(path, move)
            file.unlink()
    for mark in folder.glob("MARK_*"):  # building the layer calls the function
        mark.unlink()


def load_error(path: Path) -> str | None:
    """Load and run a model; return the error, or None."""
    try:
        load_model(ModelSource(path=path)).predict([np.ones((2, 4), np.float32)])
    except ModelError as error:
        return str(error).removeprefix(f"{path}: ")
    return None


def flex_error(node: bytes) -> str | None:
    """Check a .tflite file whose FlexErf has ``node`` as options; return the error, or None."""
    value = Value((1, 4))
    rewrite = Rewrite(one_operator("FlexErf", [value], [value]))
    options = flexbuffers.Dumps(["Erf", node])
    rewrite.graph.operators[0].customOptions = np.frombuffer(bytes(options), np.uint8)
    try:
        require_pure_operators(Path("model.tflite"), read_tflite(rewrite.to_bytes()))
    except ModelError as error:
        return str(error).partition(", which is not allowed")[0]
    return None


def main() -> None:
    """Print the results."""
    errors: dict[str, str | None] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make(folder)
        for path in sorted(each for each in folder.iterdir() if each.is_dir()):
            errors[path.name] = load_error(path)
        marks = [each.name for each in folder.glob("MARK_*")]
    nodes = {op: NodeDef(name="x", op=op).SerializeToString() for op in ("Erf", "ReadFile")}
    flex = {name: flex_error(node) for name, node in (nodes | {"no node": b"\xff"}).items()}
    sys.stdout.write(json.dumps({"errors": errors, "marks": marks, "flex": flex}))


if __name__ == "__main__":
    main()
