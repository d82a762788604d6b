"""What fine-tuning minimizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.compress.training import Training
from edgepack.errors import RecipeError
from edgepack.load.keras_model import KerasModel
from edgepack.metrics import Loss, are_probabilities
from edgepack.recipe import DISTILLATION

_LOOKED_AT = 64  # samples, to tell probabilities from logits
_TEMPERATURE = 4.0
_LEAST = 1e-7  # a probability whose logarithm is still a number


@dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """What an output shall give, shape (samples, ...), and the loss of giving something else.

    In distillation the model as it was before says what is wanted: then ``wanted`` is None.
    """

    wanted: NDArray[Any] | None
    loss: Any


def name_of(loss: Any) -> str:
    """Tell a loss by Keras's name."""
    return str(getattr(loss, "name", None) or loss.__name__)


def lessons(loaded: KerasModel, training: Training) -> dict[str, Lesson]:
    """Choose what each output is taught, by its name; outputs that are not are left out.

    Raises :class:`RecipeError` for a loss that Keras does not know.
    """
    losses = loaded.keras.losses
    first = loaded.predict([array[:_LOOKED_AT] for array in training.inputs.values()])
    taught = {}
    for output, given in zip(loaded.signature.outputs, first, strict=True):
        if training.is_distillation:
            taught[output.name] = Lesson(wanted=None, loss=_distilled(losses, given))
            continue
        if output.name not in training.labels:
            continue
        labels, kind = training.labels[output.name], training.losses[output.name]
        loss = _named(losses, training) or _usual(losses, kind, training, given)
        classes = given.shape[-1]
        if kind is Loss.CROSS_ENTROPY and classes > 1 and "sparse" not in name_of(loss):
            labels = np.eye(classes, dtype=np.float32)[labels]
        taught[output.name] = Lesson(wanted=labels, loss=loss)
    return taught


def _named(losses: Any, training: Training) -> Any:
    wanted = training.settings.loss
    if wanted is None:
        return None
    try:
        return losses.get(wanted)
    except (ValueError, TypeError) as error:
        raise RecipeError(
            f"loss {wanted!r}: not one of Keras's; use {DISTILLATION}, or a name such as"
            " mean_squared_error"
        ) from error


def _usual(losses: Any, kind: Loss, training: Training, given: NDArray[Any]) -> Any:
    """Take the compiled loss if it goes with values, or what goes with the labels."""
    if kind is Loss.MEAN_SQUARED_ERROR:
        compiled = training.compiled.get("loss")
        if isinstance(compiled, str) and "entropy" not in compiled:
            try:
                return losses.get(compiled)
            except (ValueError, TypeError):  # one of the user's own
                pass
        return losses.MeanSquaredError()
    # By what the model gives, whatever layers stand behind its softmax or sigmoid.
    from_logits = not are_probabilities(given)
    if given.shape[-1] == 1:
        return losses.BinaryCrossentropy(from_logits=from_logits)
    return losses.SparseCategoricalCrossentropy(from_logits=from_logits)


def _distilled(losses: Any, given: NDArray[Any]) -> Any:
    """Choose how to learn from the outputs of the model before pruning."""
    if not are_probabilities(given):
        return losses.MeanSquaredError()
    if given.shape[-1] == 1 or not np.allclose(given.sum(axis=-1), 1, atol=1e-3):
        return losses.BinaryCrossentropy()
    return _soft_cross_entropy()


def _soft_cross_entropy() -> Callable[[Any, Any], Any]:
    import tensorflow as tf

    def distillation(teacher: Any, student: Any) -> Any:
        """Compare class probabilities softened by a temperature.

        ``-T^2 sum softmax(t / T) log softmax(s / T)`` for the logits t and s (Hinton, Vinyals and
        Dean, "Distilling the knowledge in a neural network", 2015).
        """
        soft, found = (
            tf.math.log(tf.maximum(probabilities, _LEAST)) / _TEMPERATURE
            for probabilities in (teacher, student)
        )
        both = tf.nn.softmax(soft) * tf.nn.log_softmax(found)
        return -(_TEMPERATURE**2) * tf.reduce_sum(both, axis=-1)

    return distillation
