"""Pruning by TFMOT's wrappers: a tf-keras model whose layers are wrapped one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgepack.compression.pruning.schedule import PruningPlan


def wrap_layers(model: Any, plan: PruningPlan) -> Any:
    """Return a copy of a Sequential or functional tf-keras model with its layers wrapped by plan.

    Layers are wrapped one by one, because TFMOT rejects a whole model for one unsupported layer.
    """
    import tf_keras
    from tensorflow_model_optimization.python.core.sparsity.keras.prune_registry import (
        PruneRegistry,
    )
    from tensorflow_model_optimization.sparsity.keras import prune_low_magnitude

    def rebuild(model: Any, prefix: str) -> Any:
        return tf_keras.models.clone_model(model, clone_function=wrapper(prefix))

    def wrapper(prefix: str) -> Callable[[Any], Any]:
        def wrap_one(layer: Any) -> Any:
            name = f"{prefix}{layer.name}"
            if isinstance(layer, tf_keras.Model):
                return rebuild(layer, f"{name}/")
            if not PruneRegistry.supports(layer) or not layer.trainable_weights:
                return layer
            weights = PruneRegistry.make_prunable(layer).get_prunable_weights()
            if not weights:
                return layer
            settings = plan.settings(name, (weight.shape.as_list() for weight in weights))
            return prune_low_magnitude(layer, **settings) if settings else layer

        return wrap_one

    return rebuild(model, "")


def wrapped_layers(model: Any) -> list[Any]:
    """Return the layers that :func:`wrap_layers` wrapped, including those of nested models."""
    from tensorflow_model_optimization.python.core.sparsity.keras.pruning_wrapper import (
        collect_prunable_layers,
    )

    layers: list[Any] = collect_prunable_layers(model)
    return list({id(layer): layer for layer in layers}.values())


def mask_untrained_layers(model: Any, final_step: int) -> None:
    """Compute and apply TFMOT's masks for wrapped layers that were not trained.

    ``final_step`` is the step at which the schedule reaches its final sparsity.
    """
    for layer in wrapped_layers(model):
        if int(layer.pruning_step.numpy()) < 1:
            layer.pruning_step.assign(1 if layer.sparsity_m_by_n else final_step)
            layer.pruning_obj.conditional_mask_update()
            layer.pruning_obj.weight_mask_op()


def find_masks(model: Any) -> list[Any]:
    """Return TFMOT's mask variables: 1 keeps a weight, 0 prunes it."""
    return [mask for layer in wrapped_layers(model) for _, mask, _ in layer.pruning_vars]


def masked_weights(model: Any) -> list[Any]:
    """Return the weight variables that TFMOT's masks apply to."""
    return [
        weight for layer in wrapped_layers(model) for weight in layer.layer.get_prunable_weights()
    ]
