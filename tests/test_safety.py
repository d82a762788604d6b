"""Configurations that would run code, or reach outside, are refused before Keras reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgepack.errors import UnsafeModelError
from edgepack.load.safety import refuse_code, refuse_operators

MODEL = Path("model.h5")


def layer(class_name: str, **entries: Any) -> dict[str, Any]:
    """Nest a layer as deep as models do."""
    return {
        "class_name": "Sequential",
        "config": {"layers": [{"class_name": class_name} | entries]},
    }


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (layer("Lambda", config={"function": ["4wEAA"]}), "holds a Lambda layer"),
        (layer("Dense", config={"activation": {"class_name": "__lambda__"}}), "Lambda layer"),
        (layer("LSTM", config={"function_type": "lambda"}), "Lambda layer"),
        (layer("Popen", module="subprocess"), "names subprocess.Popen"),
        (layer("Mine", module="my.layers"), "names my.layers.Mine"),
        (layer("function", module="builtins", config="exec"), "names builtins.exec"),
        (layer("TFOpLambda", config={"function": "io.write_file"}), "calls tf.io.write_file"),
        (layer("TFOpLambda", config={"function": "compat.v1.py_func.py_function"}), "py_function"),
        (layer("TensorFlowOpLayer", config={"node_def": {"op": "WriteFile"}}), "WriteFile"),
        (layer("TensorFlowOpLayer", config={"node_def": '{"op": "PyFunc"}'}), "PyFunc"),
    ],
)
def test_what_reaches_outside_is_refused(config: dict[str, Any], said: str) -> None:
    with pytest.raises(UnsafeModelError) as error:
        refuse_code(MODEL, config)
    assert str(error.value).startswith("model.h5: ")
    assert said in str(error.value)


@pytest.mark.parametrize(
    "config",
    [
        layer("Dense", module="keras.layers", config={"activation": "relu"}),
        layer("Functional", module="keras.src.engine.functional"),
        layer("function", module="builtins", config="relu"),
        layer("TFOpLambda", config={"function": "math.multiply"}),
        layer("TensorFlowOpLayer", config={"node_def": {"op": "AddV2"}}),
        layer("Conv2D"),
        layer("Constant", module="tensorflow.python.ops.init_ops_v2", config={"value": 0}),
    ],
)
def test_keras_own_is_let_through(config: dict[str, Any]) -> None:
    refuse_code(MODEL, config)


def test_a_graph_is_judged_by_its_operators() -> None:
    refuse_operators(MODEL, ["Conv2D", "SaveV2", "RestoreV2"])
    with pytest.raises(UnsafeModelError, match="holds the operator EagerPyFunc"):
        refuse_operators(MODEL, ["Conv2D", "EagerPyFunc"])
