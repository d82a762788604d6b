"""How reports call the channels of an output that its scale under-resolves."""

from __future__ import annotations


def worst_channels_of(output: str, worst: str) -> str:
    """Return a clause on the ``worst`` channels of an output, which names one or several.

    >>> worst_channels_of("head", "channel 4 of 5: coarse")
    'worst channel of head: channel 4 of 5: coarse'
    >>> worst_channels_of("head", "channels 4 to 9 of 14: lost")
    'worst channels of head: channels 4 to 9 of 14: lost'
    """
    noun = "channel" if worst.startswith("channel ") else "channels"
    return f"worst {noun} of {output}: {worst}"
