"""TensorFlow's strategies of training on several devices or hosts."""

from __future__ import annotations

from functools import cache
from typing import Any

from edgepack.config.export import MULTI_WORKER
from edgepack.core.errors import ConfigError, reason


@cache
def strategy(name: str) -> Any:
    """Make the strategy ``mirrored`` (all GPUs here, or else all CPUs) or ``multi-worker``.

    That of several hosts wants to be made before TensorFlow does anything else. Raises
    :class:`ConfigError` if TensorFlow refuses, such as for a TF_CONFIG that is none.
    """
    import tensorflow as tf

    try:
        if name == MULTI_WORKER:
            return tf.distribute.MultiWorkerMirroredStrategy()
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    except Exception as error:
        raise ConfigError(f"strategy {name!r}: TensorFlow refuses: {reason(error)}") from error
