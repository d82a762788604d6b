"""Valid models that cannot be validated: too large, without values, without outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from convolutions import net, validated
from tiny import Tiny, Value

from edgepack.core.errors import ModelError


def test_too_large_inputs_are_refused_before_they_are_created(tmp_path: Path) -> None:
    def huge(graph: Any) -> None:
        graph.tensors[graph.inputs[0]].shape = [1, 1 << 14, 1 << 14, 3]

    with pytest.raises(ModelError, match=r"the inputs take 768 MiB for 1 samples, and the memory"):
        validated(net(huge), tmp_path)


@pytest.mark.parametrize("empty", ["x", "model/layer/Op"])
def test_inputs_and_outputs_without_elements_are_refused(empty: str, tmp_path: Path) -> None:
    shapes = [(1, 0) if each == empty else (1, 4) for each in ("x", "model/layer/Op")]
    tiny = Tiny()
    x, y = (
        tiny.tensor("x", Value(shapes[0])),
        tiny.tensor("model/layer/Op", Value(shapes[1])),
    )
    tiny.operator("RELU", [x], [y])
    with pytest.raises(ModelError, match=f"{empty}: its shape .* has no values"):
        validated(tiny.to_bytes([x], [y]), tmp_path)


def test_a_model_without_outputs_is_refused(tmp_path: Path) -> None:
    tiny = Tiny()
    x, y = tiny.tensor("x", Value((1, 4))), tiny.tensor("y", Value((1, 4)))
    tiny.operator("RELU", [x], [y])
    with pytest.raises(ModelError, match="the model has no outputs"):
        validated(tiny.to_bytes([x], []), tmp_path)
