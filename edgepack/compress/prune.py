"""Magnitude pruning by TFMOT: with fine-tuning, or in one shot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.compress.carry import carry
from edgepack.errors import ModelError, reason
from edgepack.keras_model import KerasModel
from edgepack.load import load_keras
from edgepack.metrics import Loss, are_probabilities
from edgepack.progress import Update
from edgepack.sparsity import Sparsity, measure

_BATCH = 32
_LEARNING_RATE = 3e-4
_SEED = 0
_PRUNING_UPDATES = 50
_PRUNING_SHARE = 2 / 3  # of the steps; the last third trains what is left


@dataclass(frozen=True, kw_only=True, eq=False)
class Training:
    """What fine-tuning learns: to give ``y`` for ``x``, both of shape (samples, ...)."""

    x: NDArray[Any]
    y: NDArray[Any]
    loss: Loss
    epochs: int


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """How a model was pruned.

    ``is_fine_tuned`` tells fine-tuning from one shot, ``is_carried`` that Keras 3 saved the model
    and tf-keras pruned it; ``left_out`` names the layers that TFMOT does not know how to prune.
    """

    is_fine_tuned: bool
    is_carried: bool
    left_out: tuple[str, ...]


def prune(
    loaded: KerasModel,
    samples: NDArray[Any],
    *,
    sparsity: float,
    training: Training | None,
    update: Update,
) -> tuple[KerasModel, Pruning]:
    """Return a copy of the model with the smallest weights of each layer set to zero.

    With ``training`` they go on TFMOT's polynomial schedule (Zhu and Gupta, "To prune, or not to
    prune", 2017, equation 1) from 0 to ``sparsity`` over the first two thirds of the steps, and
    the model is fine-tuned meanwhile; without, all at once. Layers that TFMOT does not know are
    not pruned. The same arguments give the same weights.

    A Keras 3 model is carried to tf-keras first (:func:`~edgepack.compress.carry.carry`), and
    compared with the original on ``samples``.

    Raises :class:`ModelError` if it cannot be carried, or if nothing can be pruned.
    """
    import tensorflow as tf
    import tensorflow_model_optimization as tfmot
    import tf_keras

    tf_keras.utils.set_random_seed(_SEED)
    tf.config.experimental.enable_op_determinism()

    # From the file again: fine-tuning changes the layers that it is given.
    fresh = load_keras(loaded.path)
    model = fresh.model if fresh.is_legacy else carry(fresh, samples).model
    if training is None:
        schedule = tfmot.sparsity.keras.ConstantSparsity(sparsity, begin_step=0, frequency=1)
        wrapped = _wrap(tfmot, model, schedule, loaded)
        _mask(wrapped)
    else:
        batch = loaded.batch or _BATCH
        steps = training.epochs * -(-len(training.x) // batch)
        wrapped = _wrap(tfmot, model, _gradual(tfmot, sparsity, steps), loaded)
        wrapped.compile(
            optimizer=tf_keras.optimizers.Adam(_LEARNING_RATE),
            loss=_loss(tf_keras, loaded, training),
        )
        try:
            _fine_tune(tfmot, wrapped, training, steps, batch, update)
        except Exception as error:
            raise ModelError(f"{loaded.path}: cannot be fine-tuned: {reason(error)}") from error
    pruned = {
        id(weight)
        for layer in _pruned_layers(wrapped)
        for weight in layer.layer.get_prunable_weights()
    }
    result = KerasModel(tfmot.sparsity.keras.strip_pruning(wrapped), tf_keras, loaded.path)
    left_out = tuple(
        name
        for name, kernels in _kernels(result.model)
        if pruned.isdisjoint(id(weight) for weight in kernels)
    )
    return result, Pruning(
        is_fine_tuned=training is not None, is_carried=not fresh.is_legacy, left_out=left_out
    )


def _gradual(tfmot: Any, sparsity: float, steps: int) -> Any:
    end = max(1, int(steps * _PRUNING_SHARE))
    frequency = max(1, end // _PRUNING_UPDATES)
    return tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=sparsity,
        begin_step=0,
        end_step=end - end % frequency,  # a step on which the schedule acts
        frequency=frequency,
    )


def _mask(wrapped: Any) -> None:
    """Let TFMOT find its masks and apply them, as in its first step of training."""
    for layer in _pruned_layers(wrapped):
        layer.pruning_step.assign(1)
        layer.pruning_obj.conditional_mask_update()
        layer.pruning_obj.weight_mask_op()


def _fine_tune(
    tfmot: Any, wrapped: Any, training: Training, steps: int, batch: int, update: Update
) -> None:
    import tf_keras

    done = iter(range(1, steps + 1))
    wrapped.fit(
        training.x,
        training.y,
        batch_size=batch,
        epochs=training.epochs,
        verbose=0,
        callbacks=[
            tfmot.sparsity.keras.UpdatePruningStep(),
            tf_keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda batch, logs: update(next(done), steps)  # noqa: ARG005
            ),
        ],
    )


def _pruned_layers(wrapped: Any) -> list[Any]:
    """Find the wrapped layers that have something to prune."""
    from tensorflow_model_optimization.python.core.sparsity.keras.pruning_wrapper import (
        collect_prunable_layers,
    )

    layers = collect_prunable_layers(wrapped)
    return [layer for layer in layers if layer.layer.get_prunable_weights()]


def kernel_sparsity(loaded: KerasModel) -> Sparsity:
    """Measure the zeros among the weights of each layer, biases and statistics left out."""
    return measure(
        {
            name: np.concatenate([np.asarray(weight).ravel() for weight in kernels])
            for name, kernels in _kernels(loaded.model)
        }
    )


def _kernels(layer: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Find the weights of the layers inside a layer, by their path, such as ``encoder/dense``."""
    for inner in layer._flatten_layers(include_self=False, recursive=False):
        name = f"{path}{inner.name}"
        kernels = [
            weight
            for weight in inner.weights
            if "kernel" in weight.name or "embedding" in weight.name
        ]
        if any(inner._flatten_layers(include_self=False, recursive=False)):
            yield from _kernels(inner, f"{name}/")
        elif kernels:
            yield name, kernels


def _wrap(tfmot: Any, model: Any, schedule: Any, loaded: KerasModel) -> Any:
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

    wrapped = tfmot.sparsity.keras.prune_low_magnitude(
        model, pruning_schedule=schedule, pruning_policy=Known()
    )
    if not _pruned_layers(wrapped):
        raise ModelError(f"{loaded.path}: the model has no layer that TFMOT can prune")
    return wrapped


def _loss(keras: Any, loaded: KerasModel, training: Training) -> Any:
    if training.loss is Loss.MEAN_SQUARED_ERROR:
        return keras.losses.MeanSquaredError()
    # By what the model gives, whatever layers stand behind its softmax or sigmoid.
    outputs = np.asarray(loaded(np.asarray(training.x[: loaded.batch or _BATCH])))
    is_binary = outputs.shape[-1] == 1
    kind = (
        keras.losses.BinaryCrossentropy if is_binary else keras.losses.SparseCategoricalCrossentropy
    )
    return kind(from_logits=not are_probabilities(outputs))
