"""The quantization settings that the tests use, by name."""

from __future__ import annotations

from edgepack.config.quantization import Quantization

QUANTIZATIONS = {
    "int8": Quantization(),
    "int8-per-tensor": Quantization(dense="per-tensor"),
    "uint8-to-float": Quantization(input_type="uint8", output_type="float32"),
    "int16": Quantization(scheme="int16"),
    "int16-float-ends": Quantization(scheme="int16", input_type="float32", output_type="float32"),
    "int16-then-int8": Quantization(
        scheme="int16",
        layers=(("hidden", "int8"), ("scores", "int8"), ("Identity", "int8")),
        output_type="int8",
    ),
    "int8-and-int16": Quantization(layers=(("deep", "int16"), ("side_*", "int16"))),
    "int4": Quantization(scheme="int4"),
    "int4-per-channel": Quantization(scheme="int4", dense="per-channel"),
    "int4-convolutions": Quantization(layers=(("side_*", "int4"), ("first", "int4"))),
    "float-layer": Quantization(layers=(("*", "int8"), ("deep", "float"))),
    "dynamic-range": Quantization(scheme="dynamic-range"),
    "dynamic-range-per-channel": Quantization(scheme="dynamic-range", dense="per-channel"),
    "float16": Quantization(scheme="float16"),
}
