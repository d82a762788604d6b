"""A small model of two convolutions, to be changed in ways that make it invalid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from conftest import PHONE
from tiny import Tiny, Value

from edgepack import ValidateConfig, ValidateReport, validate
from edgepack.tflite.rewrite import Rewrite

BOARD = "nano-33-ble-sense"


def net(change: Callable[[Any], None] | None = None) -> bytes:
    """Write a convolution and a depthwise one, in int8; ``change`` modifies their SubGraphT."""
    tiny = Tiny()
    x = tiny.tensor("x", Value((1, 8, 8, 3), "int8", 0.05))
    weights = Value((4, 3, 3, 3), "int8", [0.01] * 4, values=np.arange(108) % 100)
    bias = Value((4,), "int32", [0.0005] * 4, values=range(4))
    middle = tiny.tensor("model/conv/Conv2D", Value((1, 6, 6, 4), "int8", 0.1))
    depthwise = Value((1, 3, 3, 4), "int8", [0.01] * 4, axis=3, values=np.arange(36))
    depthwise_bias = Value((4,), "int32", [0.001] * 4, values=range(4))
    output = tiny.tensor("model/deep/depthwise", Value((1, 4, 4, 4), "int8", 0.1))
    window = {"padding": 1, "strideW": 1, "strideH": 1}
    tiny.operator(
        "CONV_2D",
        [x, tiny.tensor("kernel", weights), tiny.tensor("bias", bias)],
        [middle],
        version=3,
        table="Conv2DOptions",
        **window,
    )
    tiny.operator(
        "DEPTHWISE_CONV_2D",
        [middle, tiny.tensor("deep", depthwise), tiny.tensor("deep_bias", depthwise_bias)],
        [output],
        version=3,
        table="DepthwiseConv2DOptions",
        depthMultiplier=1,
        **window,
    )
    data = tiny.to_bytes([x], [output])
    if change is None:
        return data
    rewrite = Rewrite(data)
    change(rewrite.graph)
    return rewrite.to_bytes()


def validated(data: bytes, folder: Path, **settings: Any) -> ValidateReport:
    """Validate the bytes of a .tflite file for a board and a phone, or with other settings."""
    (folder / "model.tflite").write_bytes(data)
    return validate(
        ValidateConfig(
            model=folder / "model.tflite", **{"targets": (BOARD, PHONE), "jobs": 2} | settings
        )
    )
