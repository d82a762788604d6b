"""TFMOT's schedules and masks applied to the variables of any model, without its wrappers.

For models that TFMOT cannot wrap: subclassed models, whose layers are called by code, and Keras 3
models that cannot be ported to tf-keras.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from numpy.typing import NDArray

from edgepack.compression.pruning.schedule import PruningPlan
from edgepack.compression.weights import tensorflow_variable


class Masks:
    """Masks of the prunable weights of a model of either Keras.

    ``weights`` are the masked variables and ``masks`` their masks, 1 to keep; ``variables`` is
    the state that a checkpoint must hold to resume.
    """

    def __init__(self, model: Any, plan: PruningPlan) -> None:
        import tensorflow as tf
        from tensorflow_model_optimization.python.core.sparsity.keras.pruning_impl import Pruning

        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.variables: list[Any] = [self._step]
        self.weights: list[Any] = []
        self.masks: list[Any] = []
        self._prunings = []
        for name, weights in prunable_weights(model):
            settings = plan.settings(name, (weight.shape.as_list() for weight in weights))
            if settings is None:
                continue
            masked = [
                (
                    weight,
                    tf.Variable(tf.ones_like(weight), trainable=False),
                    tf.Variable(0.0, dtype=weight.dtype, trainable=False),
                )
                for weight in weights
            ]
            self.weights += weights
            self.masks += [mask for _, mask, _ in masked]
            self.variables += [variable for _, *pair in masked for variable in pair]
            self._prunings.append(
                Pruning(
                    training_step_fn=lambda: self._step,
                    pruning_vars=masked,
                    block_pooling_type="AVG",
                    **settings,
                )
            )
        self._traced = tf.function(self._advance)

    def advance(self) -> None:
        """Begin a step: recompute the masks if the schedule requires it, and apply them."""
        self._traced()

    def apply(self) -> None:
        """Set the masked weights to zero."""
        for pruning in self._prunings:
            pruning.weight_mask_op()

    def _advance(self) -> None:
        self._step.assign_add(1)
        for pruning in self._prunings:
            pruning.conditional_mask_update()
            pruning.weight_mask_op()


def one_shot_mask(values: NDArray[Any], settings: dict[str, Any]) -> NDArray[Any]:
    """Return TFMOT's mask for an array of weights after its first step: 1 to keep, 0 to prune.

    ``settings`` are those that :meth:`PruningPlan.settings` returns. The mask has the shape of
    ``values``.
    """
    import tensorflow as tf
    from tensorflow_model_optimization.python.core.sparsity.keras.pruning_impl import Pruning

    mask = tf.Variable(tf.ones_like(values))
    Pruning(
        training_step_fn=lambda: tf.constant(1, tf.int64),
        pruning_vars=[(tf.Variable(values), mask, tf.Variable(0.0))],
        block_pooling_type="AVG",
        **settings,
    ).conditional_mask_update()
    result: NDArray[Any] = mask.numpy()
    return result


def pruning_callback(keras: Any, masks: Masks) -> Any:
    """Return a callback of this Keras that advances the masks while a model is trained."""

    class Prune(keras.callbacks.Callback):  # type: ignore[misc]  # untyped base
        """Applies the masks before every step, and once more at the end of every epoch."""

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            masks.advance()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            masks.apply()

    return Prune()


def prunable_weights(model: Any) -> Iterator[tuple[str, list[Any]]]:
    """Yield the weights that TFMOT can prune, as TensorFlow variables, by layer path."""
    for path, layer in _leaves(model, ""):
        owner = getattr(layer, "cell", layer)  # recurrent layers keep their weights in a cell
        names = _weight_names().get(type(owner).__name__, ())
        weights = [tensorflow_variable(getattr(owner, name)) for name in names if "." not in name]
        if weights and layer.trainable:
            yield path, weights


def _leaves(layer: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for inner in layer._flatten_layers(include_self=False, recursive=False):
        path = f"{prefix}{inner.name}"
        names = _weight_names()
        cell = getattr(inner, "cell", None)
        if type(inner).__name__ in names or type(cell).__name__ in names:
            yield path, inner
        else:
            yield from _leaves(inner, f"{path}/")


@cache
def _weight_names() -> dict[str, tuple[str, ...]]:
    """Return the names of the weights that TFMOT prunes, by class of layer or recurrent cell."""
    from tensorflow_model_optimization.python.core.sparsity.keras.prune_registry import (
        PruneRegistry,
    )

    registered = PruneRegistry._LAYERS_WEIGHTS_MAP | PruneRegistry._RNN_CELLS_WEIGHTS_MAP
    return {kind.__name__: tuple(names) for kind, names in registered.items() if names}
