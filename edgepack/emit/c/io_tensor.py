"""An input or output of a model, as the emitters read it."""

from __future__ import annotations

from dataclasses import dataclass

from edgepack.tflite.graph import Tensor


@dataclass(frozen=True, kw_only=True)
class IOTensor:
    """An input or output of a model, with its name in emitted code.

    ``name`` begins with ``input`` or ``output`` and is an identifier of the emitted language;
    ``title`` is its name in the model's signature, as messages and comments show it.
    """

    name: str
    title: str
    tensor: Tensor
