"""Magnitude pruning by TFMOT, with fine-tuning."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.compress.carry import carry
from edgepack.errors import ModelError
from edgepack.load import KerasModel, load_keras
from edgepack.metrics import Loss
from edgepack.progress import Update
from edgepack.sparsity import Sparsity, measure

_BATCH = 32
_LEARNING_RATE = 3e-4
_SEED = 0
_PRUNING_UPDATES = 50
_PRUNING_SHARE = 2 / 3  # of the steps; the last third trains what is left


def prune(
    loaded: KerasModel,
    x: NDArray[Any],
    y: NDArray[Any],
    *,
    loss: Loss,
    sparsity: float,
    epochs: int,
    update: Update,
) -> KerasModel:
    """Return a copy of the model, pruned to ``sparsity`` and fine-tuned on ``x`` and ``y``.

    The smallest weights go first, on TFMOT's polynomial schedule (Zhu and Gupta, "To prune, or
    not to prune", 2017, equation 1) from 0 to ``sparsity`` over the first two thirds of the
    steps. Layers that TFMOT does not know are trained but not pruned. The same arguments give
    the same weights.

    A Keras 3 model is carried to tf-keras first (:func:`~edgepack.compress.carry.carry`).

    Raises :class:`ModelError` if it cannot be carried, or if nothing can be pruned.
    """
    import tensorflow as tf
    import tensorflow_model_optimization as tfmot
    import tf_keras
    from tensorflow_model_optimization.python.core.sparsity.keras.pruning_wrapper import (
        collect_prunable_layers,
    )

    tf_keras.utils.set_random_seed(_SEED)
    tf.config.experimental.enable_op_determinism()

    steps = epochs * -(-len(x) // _BATCH)
    end = max(1, int(steps * _PRUNING_SHARE))
    frequency = max(1, end // _PRUNING_UPDATES)
    schedule = tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=sparsity,
        begin_step=0,
        end_step=end - end % frequency,  # a step on which the schedule acts
        frequency=frequency,
    )
    # From the file again: fine-tuning changes the layers that it is given.
    fresh = load_keras(loaded.path)
    copy = fresh.model if fresh.is_legacy else carry(fresh, x).model
    wrapped = _wrap(tfmot, copy, schedule)
    if not any(layer.layer.get_prunable_weights() for layer in collect_prunable_layers(wrapped)):
        raise ModelError(f"{loaded.path}: the model has no layer that TFMOT can prune")
    wrapped.compile(
        optimizer=tf_keras.optimizers.Adam(_LEARNING_RATE), loss=_loss(tf_keras, loss, copy)
    )
    done = iter(range(1, steps + 1))
    wrapped.fit(
        x,
        y,
        batch_size=_BATCH,
        epochs=epochs,
        verbose=0,
        callbacks=[
            tfmot.sparsity.keras.UpdatePruningStep(),
            tf_keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda batch, logs: update(next(done), steps)  # noqa: ARG005
            ),
        ],
    )
    stripped = tfmot.sparsity.keras.strip_pruning(wrapped)
    return KerasModel(stripped, tf_keras, loaded.path)


def kernel_sparsity(loaded: KerasModel) -> Sparsity:
    """Measure the zeros among the weights of each layer, biases and statistics left out."""
    weights = {}
    for layer in loaded.model._flatten_layers(include_self=False):
        kernels = [
            np.asarray(weight)
            for weight in layer.weights
            if len(weight.shape) > 1 and "bias" not in weight.name  # a GRU's bias is a matrix
        ]
        is_leaf = not any(layer._flatten_layers(include_self=False, recursive=False))
        if kernels and is_leaf:
            weights[layer.name] = np.concatenate([kernel.ravel() for kernel in kernels])
    return measure(weights)


def _wrap(tfmot: Any, model: Any, schedule: Any) -> Any:
    """Wrap layer by layer: whole models with one layer that TFMOT does not know are refused."""
    from tensorflow_model_optimization.python.core.sparsity.keras.prune_registry import (
        PruneRegistry,
    )

    class Known(tfmot.sparsity.keras.PruningPolicy):  # type: ignore[misc]  # untyped base
        """Prunes the layers that TFMOT knows and that have weights."""

        def allow_pruning(self, layer: Any) -> bool:
            return bool(PruneRegistry.supports(layer) and layer.trainable_weights)

        def ensure_model_supports_pruning(self, model: Any) -> None:
            """Every model is supported: what cannot be pruned is left as it is."""

    return tfmot.sparsity.keras.prune_low_magnitude(
        model, pruning_schedule=schedule, pruning_policy=Known()
    )


def _loss(keras: Any, loss: Loss, model: Any) -> Any:
    if loss is Loss.MEAN_SQUARED_ERROR:
        return keras.losses.MeanSquaredError()
    activation = getattr(getattr(model.layers[-1], "activation", None), "__name__", "")
    if model.output_shape[-1] == 1:
        return keras.losses.BinaryCrossentropy(from_logits=activation != "sigmoid")
    return keras.losses.SparseCategoricalCrossentropy(from_logits=activation != "softmax")
