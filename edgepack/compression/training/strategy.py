"""TensorFlow's strategies for training on several devices or hosts."""

from __future__ import annotations

from functools import cache
from typing import Any

from edgepack.config.compression_step import MULTI_WORKER
from edgepack.core.errors import ConfigError, reason


@cache
def create_strategy(name: str) -> Any:
    """Return the strategy ``mirrored`` (all local GPUs, or else all CPUs) or ``multi-worker``.

    ``multi-worker``, for several hosts, must be created before TensorFlow does anything else.
    Raises :class:`ConfigError` if TensorFlow rejects it, such as for an invalid TF_CONFIG.
    """
    import tensorflow as tf

    try:
        if name == MULTI_WORKER:
            return tf.distribute.MultiWorkerMirroredStrategy()
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    except Exception as error:
        raise ConfigError(f"strategy {name!r}: TensorFlow rejects it: {reason(error)}") from error
