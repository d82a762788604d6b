"""Which commands need which packages: what ``edgepack doctor`` says of those that are missing."""

from __future__ import annotations

_OF_KERAS = ("debug", "export", "lint", "quantize", "study")
_READING_MODELS = tuple(
    sorted((*_OF_KERAS, "compare", "diff", "firmware", "inspect", "phone", "validate"))
)

STARTING_PROCESSES = tuple(sorted((*_OF_KERAS, "compare", "firmware", "validate")))
"""The commands that run something in processes of their own."""

RUNNING_MODELS = ("compare", "export", "quantize", "validate")
"""The commands that run models on every interpreter that is installed."""

CANNOT_WORK = {
    "ai-edge-litert": _READING_MODELS,
    "click": (*_READING_MODELS, "targets"),
    "flatbuffers": _READING_MODELS,
    "numpy": _READING_MODELS,
    "packaging": ("compare", "debug", "export", "firmware", "quantize", "targets", "validate"),
    "tensorflow": _OF_KERAS,
    "tflite-micro": ("firmware",),
    "tomli": (*_READING_MODELS, "targets"),
}
"""The commands that cannot work at all without a package, by its name for pip."""

IN_PART = {
    "h5py": (*_OF_KERAS, "compare"),
    "keras": (*_OF_KERAS, "compare"),
    "scikit-learn": ("compare",),
    "scipy": ("compare", "debug", "export", "lint", "quantize", "study", "validate"),
    "tensorflow": ("compare",),
    "tensorflow-model-optimization": ("export",),
    "tf-keras": (*_OF_KERAS, "compare"),
}
"""The commands that cannot work with every model or option without a package, likewise."""
