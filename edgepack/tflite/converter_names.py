"""Names of tensors as TensorFlow's converter makes them, and what people gave of them."""

from __future__ import annotations

import re

NAMELESS = "StatefulPartitionedCall"
"""What an output is called that nobody named."""

_SIGNATURE = "serving_default_"


def without_suffix(name: str) -> str:
    """Leave out what the converter writes around the name of an input or output.

    >>> without_suffix("serving_default_alpha:0"), without_suffix("next:1")
    ('alpha', 'next:1')
    """
    return name.removeprefix(_SIGNATURE).removesuffix(":0")


def unnumbered(name: str) -> str:
    """Leave out which output of its operation a tensor is, too: all of them have one name then.

    >>> unnumbered("serving_default_alpha:0"), unnumbered("next:1")
    ('alpha', 'next')
    """
    return re.sub(r":\d+$", "", name.removeprefix(_SIGNATURE))


def fused(name: str) -> list[str]:
    """Take the names of all that the converter fused into one operator apart.

    >>> fused("model/relu/Relu;model/conv/BiasAdd")
    ['model/relu/Relu', 'model/conv/BiasAdd']
    """
    return name.split(";")
