"""The ``export`` and ``quantize`` commands."""
