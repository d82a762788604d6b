"""Choice of the optimizer for fine-tuning."""

from __future__ import annotations

import inspect
from typing import Any

from edgepack.compression.training.task import Training
from edgepack.core.errors import ConfigError
from edgepack.core.wording import choose_one_of

_LEARNING_RATE = 1e-3
_DECAYED = 1e-4
"""A compiled learning rate below this is taken for the decayed one at the end of training."""


def choose_optimizer(keras: Any, training: Training) -> tuple[Any, dict[str, Any]]:
    """Return the class of the optimizer and its settings, including the initial learning rate.

    This is the requested optimizer, else the one that the model was compiled with, else Adam; it
    has the settings of the compiled one if it is the same class. Raises :class:`ConfigError` for an
    optimizer that Keras does not have.
    """
    settings = training.settings
    compiled = training.compiled.get("optimizer") or {}
    if isinstance(compiled, str):
        compiled = {"class_name": compiled}
    compiled_name = str(compiled.get("class_name", "")).rpartition(">")[2].lower()
    available = _available(keras)
    if settings.optimizer and settings.optimizer.lower() not in available:
        raise ConfigError(
            f"optimizer {settings.optimizer!r}: not one of Keras's:"
            f" {choose_one_of(settings.optimizer, sorted(available))}"
        )
    name = (settings.optimizer or compiled_name).lower()
    optimizer = available.get(name, available["adam"])
    compiled_config = dict(compiled.get("config") or {}) if name == compiled_name else {}
    parameters = inspect.signature(optimizer.__init__).parameters
    config = {
        key: value for key, value in compiled_config.items() if key in parameters and key != "name"
    }
    rate = settings.learning_rate or _learning_rate(compiled_config)
    return optimizer, config | {"learning_rate": rate}


def _learning_rate(compiled_config: dict[str, Any]) -> float:
    rate = compiled_config.get("learning_rate")
    if isinstance(rate, dict):  # a schedule: start at its initial rate
        rate = (rate.get("config") or {}).get("initial_learning_rate")
    return rate if isinstance(rate, float) and rate >= _DECAYED else _LEARNING_RATE


def _available(keras: Any) -> dict[str, Any]:
    """Return the optimizer classes of a Keras by their names in lower case."""
    base = keras.optimizers.Optimizer
    kinds = {name.lower(): getattr(keras.optimizers, name) for name in dir(keras.optimizers)}
    return {
        name: kind
        for name, kind in kinds.items()
        if isinstance(kind, type) and issubclass(kind, base) and kind is not base
    }
