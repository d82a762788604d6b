"""Training targets and losses of fine-tuning."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.compression.training.task import Training
from edgepack.config.compression_step import DISTILLATION
from edgepack.core.errors import ConfigError
from edgepack.core.wording import did_you_mean
from edgepack.load.allowlist import AllowedKerasNames, allowed_keras_names
from edgepack.load.keras_model import KerasModel
from edgepack.metrics import Loss, are_probabilities

_CHECKED_SAMPLES = 64  # to distinguish probabilities from logits
_TEMPERATURE = 4.0
_MIN_PROBABILITY = 1e-7  # clipped below, so that the logarithm stays finite


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingTarget:
    """The labels of an output, shape (samples, ...), and the loss to train it with.

    ``labels`` is None in distillation, where the outputs of the original model take their place.
    """

    labels: NDArray[Any] | None
    loss: Any


def loss_name(loss: Any) -> str:
    """Return Keras's name of a loss."""
    return str(getattr(loss, "name", None) or loss.__name__)


def training_targets(loaded: KerasModel, training: Training) -> dict[str, TrainingTarget]:
    """Return the training target of each output, by name; outputs without one are left out.

    Raises :class:`ConfigError` for a loss that Keras does not have.
    """
    losses = loaded.keras.losses
    predicted = loaded.predict([array[:_CHECKED_SAMPLES] for array in training.inputs.values()])
    targets = {}
    for position, (output, predictions) in enumerate(
        zip(loaded.signature.outputs, predicted, strict=True)
    ):
        if training.is_distillation:
            loss = _distillation_loss(losses, predictions)
            targets[output.name] = TrainingTarget(labels=None, loss=loss)
            continue
        if output.name not in training.labels:
            continue
        labels, kind = training.labels[output.name], training.losses[output.name]
        loss = _requested_loss(losses, training) or _suitable_loss(
            losses, kind, _compiled_loss(losses, training, output.name, position), predictions
        )
        classes = predictions.shape[-1]
        if kind is Loss.CROSS_ENTROPY and classes > 1 and "sparse" not in loss_name(loss):
            labels = np.eye(classes, dtype=np.float32)[labels]
        targets[output.name] = TrainingTarget(labels=labels, loss=loss)
    return targets


def _requested_loss(losses: Any, training: Training) -> Any:
    name = training.settings.loss
    if name is None:
        return None
    try:
        return losses.get(name)
    except (ValueError, TypeError) as error:
        hint = did_you_mean(name, [DISTILLATION, *_functions(losses)])
        raise ConfigError(
            f"loss {name!r}: {hint}not one of Keras's; use {DISTILLATION}, or a name such as"
            " mean_squared_error"
        ) from error


def _functions(module: Any) -> list[str]:
    return [name for name, value in vars(module).items() if inspect.isfunction(value)]


_BY_OUTPUT = {"categoricalcrossentropy", "sparsecategoricalcrossentropy", "binarycrossentropy"}
"""Losses that :func:`_suitable_loss` chooses anyway, with or without logits to fit the outputs."""


def _compiled_loss(losses: Any, training: Training, output: str, position: int) -> Any:
    """Return the Keras loss that an output was compiled with; None if it has none."""
    entry = training.compiled.get("loss")
    if isinstance(entry, list):
        entry = entry[position] if position < len(entry) else None
    if isinstance(entry, dict) and "class_name" not in entry:
        entry = entry.get(output)
    if isinstance(entry, str):  # a name that is not Keras's is the user's own loss
        return losses.get(entry) if _allowed_names(losses).has(entry) else None
    if not isinstance(entry, dict):
        return None
    kind = getattr(losses, str(entry["class_name"]), None)
    if not isinstance(kind, type) or not issubclass(kind, losses.Loss):
        return None
    config = entry.get("config") or {}
    parameters = inspect.signature(kind).parameters
    return kind(**{key: config[key] for key in config if key in parameters and key in _NUMERIC})


def _allowed_names(losses: Any) -> AllowedKerasNames:
    """Return the allowed names of the Keras that a module of losses belongs to."""
    return allowed_keras_names(losses.__name__.partition(".")[0])


_NUMERIC = {
    *("from_logits", "label_smoothing", "axis", "delta", "alpha", "gamma"),
    "apply_class_balancing",
}
"""The settings of losses that are numbers or booleans."""


def _suitable_loss(losses: Any, kind: Loss, compiled: Any, predictions: NDArray[Any]) -> Any:
    """Return the compiled loss if it suits the labels, or else the default for them."""
    name = "" if compiled is None else loss_name(compiled).replace("_", "").lower()
    if kind is Loss.MEAN_SQUARED_ERROR:
        return losses.MeanSquaredError() if not name or "sparse" in name else compiled
    if name and name not in _BY_OUTPUT and ("entropy" in name or "hinge" in name):
        return compiled
    # Decided by the predictions, whatever layers follow the model's softmax or sigmoid.
    from_logits = not are_probabilities(predictions)
    if predictions.shape[-1] == 1:
        return losses.BinaryCrossentropy(from_logits=from_logits)
    return losses.SparseCategoricalCrossentropy(from_logits=from_logits)


def _distillation_loss(losses: Any, predictions: NDArray[Any]) -> Any:
    """Return the loss to train an output on the predictions of the original model."""
    if not are_probabilities(predictions):
        return losses.MeanSquaredError()
    if predictions.shape[-1] == 1 or not np.allclose(predictions.sum(axis=-1), 1, atol=1e-3):
        return losses.BinaryCrossentropy()
    return _soft_cross_entropy()


def _soft_cross_entropy() -> Callable[[Any, Any], Any]:
    import tensorflow as tf

    def distillation(teacher: Any, student: Any) -> Any:
        """Compute the cross entropy of class probabilities softened by a temperature.

        ``-T^2 sum softmax(t / T) log softmax(s / T)`` for the logits t and s (Hinton, Vinyals and
        Dean, "Distilling the knowledge in a neural network", 2015).
        """
        teacher_logits, student_logits = (
            tf.math.log(tf.maximum(probabilities, _MIN_PROBABILITY)) / _TEMPERATURE
            for probabilities in (teacher, student)
        )
        products = tf.nn.softmax(teacher_logits) * tf.nn.log_softmax(student_logits)
        return -(_TEMPERATURE**2) * tf.reduce_sum(products, axis=-1)

    return distillation
