"""The user's names of tensors, extracted from the names that TensorFlow's converter makes."""

from __future__ import annotations

import re

NAMELESS = "StatefulPartitionedCall"
"""The converter's name for an output without a name."""

_SIGNATURE = "serving_default_"


def without_converter_affixes(name: str) -> str:
    """Remove what the converter adds to the name of an input or output.

    >>> without_converter_affixes("serving_default_alpha:0"), without_converter_affixes("next:1")
    ('alpha', 'next:1')
    """
    return name.removeprefix(_SIGNATURE).removesuffix(":0")


def without_output_number(name: str) -> str:
    """Remove the number of an operation's output, too, so that all its outputs have the same name.

    >>> without_output_number("serving_default_alpha:0"), without_output_number("next:1")
    ('alpha', 'next')
    """
    return re.sub(r":\d+$", "", name.removeprefix(_SIGNATURE))


def split_fused_name(name: str) -> list[str]:
    """Split the name of a fused operator into the names of the operations that it combines.

    >>> split_fused_name("model/relu/Relu;model/conv/BiasAdd")
    ['model/relu/Relu', 'model/conv/BiasAdd']
    """
    return name.split(";")
