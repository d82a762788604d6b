"""Configurations that could do more than compute are rejected before Keras reads them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from edgepack.core.errors import ModelError, UnsafeModelError
from edgepack.load.allowlist import allowed_keras_names
from edgepack.load.configurations import entries, require_allowed

MODEL = Path("model.h5")


def layer(class_name: Any, **entries: Any) -> dict[str, Any]:
    """Nest a layer as deeply as models do."""
    wrapped = {"class_name": class_name} | entries
    return {
        "class_name": "Sequential",
        "config": {
            "layers": [{"class_name": "TimeDistributed", "config": {"layer": wrapped}}],
        },
    }


READ = {"func": {"name": "ReadFile"}}
IF = {"op": "If", "attr": {"then_branch": READ}}
CASE = json.dumps({"op": "Case", "attr": {"branches": {"list": {"func": [READ["func"]]}}}})
LAMBDA = layer("Lambda", config={"function": ["4wEAA"]})


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
@pytest.mark.parametrize(
    ("config", "message"),
    [
        (LAMBDA, "contains a Lambda layer"),
        (layer("Dense", config={"activation": {"class_name": "__lambda__"}}), "Lambda layer"),
        (layer("LSTM", config={"function_type": "lambda"}), "Lambda layer"),
        (layer("Dense", config={"name": json.dumps(LAMBDA)}), "contains a Lambda layer"),
        (layer("Dense", config={"name": f"\n [{json.dumps(json.dumps(LAMBDA))}]"}), "Lambda layer"),
        (layer("Popen", module="subprocess"), "names 'subprocess.Popen'"),
        (layer("Mine", module="my.layers"), "--custom-objects my.layers:Mine"),
        (layer("Mine"), "--custom-objects MODULE:Mine"),
        (layer("Dense", module="os"), "names 'os.Dense'"),
        (layer("Dense", module="keras.src.utils.file_utils"), "names 'keras.src.utils.file_utils"),
        (layer("Dense", module=["keras.layers"]), "names"),
        (layer(["Dense"]), "as a class"),
        (layer("Dense", module="keras.layers", registered_name="Other"), "names 'keras.layers.D"),
        (layer("function", module="builtins", config="exec"), "names 'builtins.exec'"),
        (layer("function", module="keras.utils", config="get_file"), "names 'keras.utils.get_file"),
        (layer("function", module="builtins", config={"name": "relu"}), "names"),
        (layer("get_file", module="keras.utils"), "names 'keras.utils.get_file'"),
        (layer("CSVLogger", module="keras.callbacks"), "names 'keras.callbacks.CSVLogger'"),
        (layer("Dense", config={"activation": "deserialize"}), "names 'deserialize'"),
        (layer("Dense", config={"kernel_initializer": "get"}), "names 'get'"),
        (layer("TextVectorization", config={"vocabulary": "/etc/passwd"}), "from the file"),
        (layer("CompositeTensor", spec={}), "names 'CompositeTensor'"),
        (layer("TypeSpec", type_spec="tf.data.DatasetSpec"), "describes a tensor by"),
        (layer("__typespec__", spec_name="Popen", module="subprocess"), "describes a tensor by"),
    ],
)
def test_what_is_not_listed_is_rejected(config: dict[str, Any], message: str, package: str) -> None:
    with pytest.raises(UnsafeModelError) as error:
        require_allowed(MODEL, config, allowed_keras_names(package))
    text = str(error.value)
    assert text.startswith("model.h5: ")
    assert message in text
    trust = "--allow-unsafe if you trust the author of the file"
    # Trust is not suggested for objects that are not found without their module.
    assert trust in text or re.search("if it is yours, name it: --custom-objects [^ ]+$", text)


def test_trust_is_suggested_only_where_it_helps() -> None:
    def cure(config: dict[str, Any]) -> str:
        with pytest.raises(UnsafeModelError) as error:
            require_allowed(MODEL, config, allowed_keras_names("keras"))
        return str(error.value).partition("it is yours, name it: ")[2]

    custom = layer("function", module="builtins", config="my_activation")
    assert cure(custom) == "--custom-objects MODULE:my_activation"
    assert cure(layer("Mine", module="my.layers")) == "--custom-objects my.layers:Mine"
    assert "or use --allow-unsafe" in cure(layer("CSVLogger", module="keras.callbacks"))


def test_an_activation_that_keras_cannot_load_is_named() -> None:
    code = {"value": ["4wEAA", None, None]}
    config = layer("Dense", config={"activation": code})
    with pytest.raises(ModelError, match="its 'activation' is a lambda, which Keras saves but"):
        require_allowed(MODEL, config, allowed_keras_names("keras"))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (layer("TFSMLayer", module="keras.layers"), "a SavedModel from another path"),
        (layer("TorchModuleWrapper", module="keras.layers"), "pickled PyTorch module"),
        (layer("Map", module="keras.src.ops.core"), "functions that the file names"),
    ],
)
def test_what_is_left_out_of_keras_3_is_rejected_with_the_reason(
    config: dict[str, Any], message: str
) -> None:
    with pytest.raises(UnsafeModelError, match=message):
        require_allowed(MODEL, config, allowed_keras_names("keras"))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (layer("TFOpLambda", config={"function": "io.write_file"}), "calls tf.io.write_file"),
        (layer("TFOpLambda", config={"function": "compat.v1.py_func.py_function"}), "py_function"),
        (layer("TFOpLambda", config={"function": "raw_ops.ReadFile"}), "raw_ops.ReadFile"),
        (layer("TFOpLambda", config={"function": "keras.models.model_from_json"}), "model_from"),
        (layer("TFOpLambda", config={"function": ["math.add"]}), "calls tf."),
        (layer("TFOpLambda", config="math.add"), "calls tf.None"),
        (layer("SlicingOpLambda", config={"function": "io.read_file"}), "calls tf.io.read_file"),
        (layer("ClassMethod", config={"cls_symbol": "io.gfile.copy"}), "a method of a class"),
        (layer("InstanceMethod", config={"method_name": "__class__"}), "a method of a class"),
        (layer("InstanceProperty", config={"attr_name": "__class__"}), "a method of a class"),
        (layer("TensorFlowOpLayer", config={"node_def": {"op": "WriteFile"}}), "WriteFile"),
        (layer("TensorFlowOpLayer", config={"node_def": '{"op": "PyFunc"}'}), "PyFunc"),
        (layer("TensorFlowOpLayer", config={"node_def": '{"o\\u0070": "PyFunc"}'}), "PyFunc"),
        (layer("TensorFlowOpLayer", config={"node_def": "op: 'AddV2'"}), "operator None"),
        (layer("TensorFlowOpLayer", config={"node_def": IF}), "If, which calls a function"),
        (layer("TensorFlowOpLayer", config={"node_def": CASE}), "Case, which calls a function"),
        (layer("DenseFeatures"), "vocabulary files"),
        (layer("ResidualWrapper", config={"residual_fn": "x"}), "may hold Python code"),
        (layer("LSTM", config={"cell": {"residual_fn_type": "lambda"}}), "Lambda layer"),
        (layer("TensorShape", module="keras.utils", registered_name="get_file"), "names"),
        (layer("__tuple__", registered_name="TFOpLambda"), "names"),
        (layer("Custom>TFOpLambda", config={"function": "io.read_file"}), "names"),
        (layer("Custom>Adam", module="keras.layers", registered_name="TFOpLambda"), "names"),
        (layer("TypeSpec", type_spec="tf.TensorSpec", module="os"), "describes a tensor by"),
    ],
)
def test_what_calls_tensorflow_in_keras_2_is_rejected(config: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsafeModelError) as error:
        require_allowed(MODEL, config, allowed_keras_names("tf_keras"))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("package", "config"),
    [
        ("keras", layer("Dense", module="keras.layers", config={"activation": "relu"})),
        ("keras", layer("Functional", module="keras.src.models.functional")),
        ("keras", layer("Add", module="keras.src.ops.numpy", registered_name="Add")),
        ("keras", layer("function", module="builtins", config="relu", registered_name="relu")),
        ("keras", layer("function", module="keras.activations", config="silu")),
        ("keras", layer("__keras_tensor__", config={"keras_history": ["dense", 0, 0]})),
        ("keras", layer("__slice__", config={"start": None})),
        ("tf_keras", layer("Functional", module="keras.src.engine.functional")),
        ("tf_keras", layer("Dense", module="keras.layers", config={"dtype": "float32"})),
        ("tf_keras", layer("Conv2D", config={"kernel_initializer": "glorot_uniform"})),
        ("tf_keras", layer("BatchNormalizationV1")),
        ("tf_keras", layer("Dense", config={"activation": "leaky_relu"})),
        ("tf_keras", layer("TFOpLambda", config={"function": "math.multiply"})),
        ("tf_keras", layer("TFOpLambda", config={"function": "compat.v1.transpose"})),
        ("tf_keras", layer("SlicingOpLambda", config={"function": "__operators__.getitem"})),
        ("tf_keras", layer("TensorFlowOpLayer", config={"node_def": {"op": "AddV2"}})),
        ("tf_keras", layer("Constant", module="tensorflow.python.ops.init_ops_v2")),
        ("tf_keras", layer("TypeSpec", type_spec="tf.TensorSpec")),
        ("tf_keras", layer("Custom>Adam")),
        ("tf_keras", layer("Adam", module="keras.optimizers", registered_name="Custom>Adam")),
    ],
)
def test_what_only_computes_is_allowed(package: str, config: dict[str, Any]) -> None:
    require_allowed(MODEL, config, allowed_keras_names(package))


def test_custom_objects_are_allowed_by_the_name_that_keras_looks_up() -> None:
    keras, tf_keras = map(allowed_keras_names, ("keras", "tf_keras"))
    custom = layer("Mine", module="my.layers", registered_name="pack>Mine")
    require_allowed(MODEL, custom, keras, known={"pack>Mine", "Mine"})
    require_allowed(MODEL, layer("Dense", config={"activation": "f"}), keras, known={"f"})
    for bypass in (
        layer("function", module="keras.utils", config="get_file", registered_name="pack>Mine"),
        layer("Lambda", registered_name="pack>Mine"),
        layer("deserialize_keras_object", registered_name="pack>Mine"),
        layer("get_file", module="keras.utils", registered_name="pack>Mine"),
        layer("ClassMethod", registered_name="pack>Mine", config={"cls_symbol": "io.gfile.copy"}),
        layer("pack>Mine", module="antigravity", registered_name=None),
        layer("TFOpLambda", registered_name="pack>Mine", config={"function": "io.read_file"}),
    ):
        with pytest.raises(UnsafeModelError):
            require_allowed(MODEL, bypass, tf_keras, known={"pack>Mine", "Mine"})


def test_a_deep_configuration_is_traversed_without_recursion() -> None:
    config: Any = LAMBDA
    for _ in range(50_000):
        config = [{"config": config}]
    with pytest.raises(UnsafeModelError, match="Lambda"):
        require_allowed(MODEL, config, allowed_keras_names("keras"))
    assert sum(1 for _ in entries(MODEL, config)) > 50_000
    while isinstance(config, list):  # otherwise Python would free it recursively
        config = config[0]["config"]


def test_a_configuration_of_many_strings_that_look_like_json_is_rejected() -> None:
    with pytest.raises(ModelError, match="more than 10,000 strings that look like JSON"):
        require_allowed(MODEL, {"a": ["[1"] * 10_001}, allowed_keras_names("keras"))


def test_long_and_unusual_names_are_shortened_and_escaped() -> None:
    config = layer("\x1b[31m\n" + "x" * 10_000)
    with pytest.raises(UnsafeModelError) as error:
        require_allowed(MODEL, config, allowed_keras_names("keras"))
    assert len(str(error.value)) < 1_000
    assert "\\x1b[31m\\n" in str(error.value)
