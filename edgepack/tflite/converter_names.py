"""The user's names of tensors, extracted from the names that TensorFlow's converter makes."""

from __future__ import annotations

import re

NAMELESS = "StatefulPartitionedCall"
"""The converter's name for an output without a name."""

_SIGNATURE = "serving_default_"


def without_suffix(name: str) -> str:
    """Remove what the converter adds to the name of an input or output.

    >>> without_suffix("serving_default_alpha:0"), without_suffix("next:1")
    ('alpha', 'next:1')
    """
    return name.removeprefix(_SIGNATURE).removesuffix(":0")


def unnumbered(name: str) -> str:
    """Remove the number of an operation's output, too, so that all its outputs have the same name.

    >>> unnumbered("serving_default_alpha:0"), unnumbered("next:1")
    ('alpha', 'next')
    """
    return re.sub(r":\d+$", "", name.removeprefix(_SIGNATURE))


def fused(name: str) -> list[str]:
    """Split the name of a fused operator into the names of the operations that it combines.

    >>> fused("model/relu/Relu;model/conv/BiasAdd")
    ['model/relu/Relu', 'model/conv/BiasAdd']
    """
    return name.split(";")
