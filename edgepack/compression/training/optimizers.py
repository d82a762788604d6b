"""How fine-tuning minimizes."""

from __future__ import annotations

import inspect
from typing import Any

from edgepack.compression.training.task import Training
from edgepack.core.errors import ConfigError

_LEARNING_RATE = 1e-3
_DECAYED = 1e-4
"""Below this, the learning rate of a compiled model is where its training ended, not began."""


def choose_optimizer(keras: Any, training: Training) -> tuple[Any, dict[str, Any]]:
    """Choose the class of the optimizer, and its settings, the starting learning rate included.

    The one named, or the one that the model was compiled with, or Adam; with the settings of the
    compiled one if it is the same. Raises :class:`ConfigError` for what is not Keras's.
    """
    settings = training.settings
    compiled = training.compiled.get("optimizer") or {}
    if isinstance(compiled, str):
        compiled = {"class_name": compiled}
    compiled_name = str(compiled.get("class_name", "")).rpartition(">")[2].lower()
    known = _known(keras)
    if settings.optimizer and settings.optimizer.lower() not in known:
        raise ConfigError(
            f"optimizer {settings.optimizer!r}: not one of Keras's: {', '.join(sorted(known))}"
        )
    name = (settings.optimizer or compiled_name).lower()
    kind = known.get(name, known["adam"])
    held = dict(compiled.get("config") or {}) if name == compiled_name else {}
    taken = inspect.signature(kind.__init__).parameters
    config = {key: value for key, value in held.items() if key in taken and key != "name"}
    return kind, config | {"learning_rate": settings.learning_rate or _rate(held)}


def _rate(compiled: dict[str, Any]) -> float:
    rate = compiled.get("learning_rate")
    if isinstance(rate, dict):  # a schedule of its own: ours begins where it began
        rate = (rate.get("config") or {}).get("initial_learning_rate")
    return rate if isinstance(rate, float) and rate >= _DECAYED else _LEARNING_RATE


def _known(keras: Any) -> dict[str, Any]:
    base = keras.optimizers.Optimizer
    kinds = {name.lower(): getattr(keras.optimizers, name) for name in dir(keras.optimizers)}
    return {
        name: kind
        for name, kind in kinds.items()
        if isinstance(kind, type) and issubclass(kind, base) and kind is not base
    }
