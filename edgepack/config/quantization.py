"""Settings of quantization: schemes, and types of inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass

from edgepack.config.checked_settings import Settings
from edgepack.config.known_words import require_one_of
from edgepack.core.errors import ConfigError

INT8, INT16, INT4 = "int8", "int16", "int4"
FLOAT16, DYNAMIC_RANGE = "float16", "dynamic-range"
FLOAT = "float"
SCHEMES = (INT8, INT16, INT4, DYNAMIC_RANGE, FLOAT16)
LAYER_SCHEMES = (INT8, INT16, INT4, FLOAT)
IO_TYPES = ("int8", "uint8", "int16", "float32")
DENSE = ("per-channel", "per-tensor")


def tflite_name(scheme: str) -> str:
    """Return a model's file name in an output folder, for its scheme or ``float``."""
    return f"{scheme}.tflite"


FLOAT_TFLITE = tflite_name(FLOAT)
"""The file name of the float model that the quantized model beside it was made from."""


@dataclass(frozen=True, kw_only=True)
class Quantization(Settings):
    """How a model is quantized.

    ``scheme``: ``int8``; ``int16`` (activations; weights in int8); ``int4`` (weights; activations
    in int8); ``dynamic-range`` (weights in int8, activations in float); ``float16`` (weights).
    ``layers`` pairs patterns of layer names with a scheme for those layers, ``int8``, ``int16``,
    ``int4`` or ``float``; the last match wins. ``input_type`` and ``output_type`` are in
    :data:`IO_TYPES`; None keeps the type that the operators compute in. ``dense`` is in
    :data:`DENSE`: whether the weights of a dense layer have a scale per output channel or one per
    tensor; None chooses what most interpreters run. Raises :class:`ConfigError` for inconsistent
    settings.
    """

    scheme: str = INT8
    layers: tuple[tuple[str, str], ...] = ()
    input_type: str | None = None
    output_type: str | None = None
    dense: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_one_of("scheme", self.scheme, SCHEMES)
        for pattern, scheme in self.layers:
            require_one_of(f"--layer {pattern}={scheme}: unknown scheme", scheme, LAYER_SCHEMES)
            if not self.needs_ranges and scheme != FLOAT:
                raise ConfigError(
                    f"layers {pattern!r} in {scheme}: the scheme {self.scheme} computes in float;"
                    " its layers can only be excluded, with float"
                )
        for end in ("input", "output"):
            dtype = getattr(self, f"{end}_type")
            if dtype is None:
                continue
            require_one_of(f"{end} type", dtype, IO_TYPES)
            if not self.needs_ranges and dtype != "float32":
                raise ConfigError(
                    f"{end} type {dtype}: the scheme {self.scheme} computes in float, so inputs"
                    " and outputs are float32; choose the scheme int8, int16 or int4"
                )
            if dtype == "int16" and self.scheme != INT16:
                raise ConfigError(f"{end} type int16: needs the scheme int16, not {self.scheme}")
        if self.dense is not None:
            require_one_of("dense", self.dense, DENSE)
            if self.scheme == FLOAT16:
                raise ConfigError(f"dense {self.dense}: the scheme float16 has no scales")

    @property
    def needs_ranges(self) -> bool:
        """Whether activations are integers, so that their ranges must be calibrated."""
        return self.scheme in (INT8, INT16, INT4)

    @property
    def inputs(self) -> str:
        """The type of the model's inputs."""
        return self.input_type or self._default_type

    @property
    def outputs(self) -> str:
        """The type of the model's outputs."""
        return self.output_type or self._default_type

    @property
    def _default_type(self) -> str:
        if not self.needs_ranges:
            return "float32"
        return "int16" if self.scheme == INT16 else "int8"

    def is_dense_per_tensor(self, scheme: str) -> bool:
        """Whether the weights of dense layers have a single scale in a scheme."""
        if self.dense is None:
            # Most kernels support nothing else for FULLY_CONNECTED in int4 or with float
            # activations; in int16, tflite-runtime computes per-channel weights incorrectly.
            return scheme in (INT16, INT4, DYNAMIC_RANGE)
        return self.dense == "per-tensor"
