"""Magnitude pruning by TFMOT: with fine-tuning, or in one shot."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgepack.compression.keras_port import port_to_tf_keras
from edgepack.compression.pruning import tfmot_wrappers
from edgepack.compression.pruning.masks import Masks, pruning_callback
from edgepack.compression.pruning.schedule import PruningPlan
from edgepack.compression.pruning.settings import Prune, Pruning
from edgepack.compression.pruning.threshold import zero_below
from edgepack.compression.technique import Compressed, CompressionTask
from edgepack.compression.training.strategy import create_strategy
from edgepack.compression.training.task import Trained, Training
from edgepack.compression.training.trainer import SEED, Trainer, batch_size
from edgepack.compression.weights import layer_weights, tensorflow_variable
from edgepack.core.errors import EdgepackError, ModelError, reason
from edgepack.core.progress import Update
from edgepack.load.keras_model import KerasModel
from edgepack.load.loaded_model import FloatModel
from edgepack.storage.arrays import Arrays

UNSUPPORTED_LAYER = "TFMOT does not prune such layers"


def prune(task: CompressionTask, settings: Prune) -> Compressed:
    """Return a Keras model with the smallest weights set to zero, and the record of the pruning.

    With training, weights are pruned on TFMOT's schedule while the model is fine-tuned; without, in
    one shot. The same arguments always result in the same weights.

    A Keras 3 model is first ported to tf-keras
    (:func:`~edgepack.compression.keras_port.port_to_tf_keras`), and compared with the original on
    the samples. Where that fails, or TFMOT cannot wrap the layers, TFMOT's schedules and masks
    act on the model itself.

    Raises :class:`ModelError` if nothing can be pruned, or training fails.
    """
    import tensorflow as tf
    import tf_keras
    from tensorflow_model_optimization.sparsity.keras import strip_pruning

    tf_keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()

    original, training = _keras(task.model), task.training

    def load() -> KerasModel:
        return _keras(task.copy())

    def load_wrappable() -> KerasModel:
        model, _ = _wrappable(load(), task.samples)
        assert model is not None  # noqa: S101 (the first call returned one)
        return model

    plan = PruningPlan(settings, training.steps(batch_size(original)) if training else None)
    plan.check_patterns([name for name, _ in layer_weights(original.model)])
    if settings.threshold is not None:
        result = load()
        zero_below(result.model, settings.threshold, plan)
        record = Pruning(way="threshold", runtime=result.runtime, trained=None, left_out={})
        return Compressed(model=result, copy=_copy_function(load, result), record=record)
    job = _Job(original, plan, training, task.update)
    with job.scope():
        candidate, why_not_wrapped = _wrappable(load(), task.samples)
        try:
            wrapped = candidate and tfmot_wrappers.wrap_layers(candidate.model, plan)
        except EdgepackError:
            raise
        except Exception as error:  # noqa: BLE001 (TFMOT copies the graph: any layer may fail)
            candidate, why_not_wrapped = None, f"TFMOT cannot copy its graph: {reason(error)}"
    if candidate is None:
        if job.strategy:
            raise ModelError(
                f"{original.path}: a strategy of tf.distribute needs a model that TFMOT can wrap;"
                f" this one cannot be: {why_not_wrapped}"
            )
        way, result, rebuild = "callback", load(), load
        weights, trained = _prune_by_callback(job, result)
    else:
        way, rebuild = "wrappers" if original.is_legacy else "carried", load_wrappable
        weights, trained = _prune_by_wrappers(job, candidate, wrapped)
        result = KerasModel(strip_pruning(wrapped), candidate.keras, candidate.path)
    left_out = _left_out(result, plan, weights)
    if job.strategy:
        # The variables of a strategy live on its devices; later steps need ordinary ones.
        result = _copy_function(rebuild, result)()
    record = Pruning(
        way=way,
        runtime=result.runtime,
        trained=trained,
        left_out=left_out,
        why_not_carried=why_not_wrapped,
    )
    return Compressed(model=result, copy=_copy_function(rebuild, result), record=record)


def _keras(model: FloatModel) -> KerasModel:
    assert isinstance(model, KerasModel)  # noqa: S101 (the technique declares its forms)
    return model


def _copy_function(
    rebuild: Callable[[], KerasModel], result: KerasModel
) -> Callable[[], KerasModel]:
    """Return a function that copies a model; ``rebuild`` returns one with the same layers."""

    def copy() -> KerasModel:
        rebuilt = rebuild()
        rebuilt.model.set_weights(result.model.get_weights())
        return rebuilt

    return copy


@dataclass(frozen=True)
class _Job:
    """What pruning by wrappers and by callback have in common."""

    original: KerasModel
    plan: PruningPlan
    training: Training | None
    update: Update

    @property
    def strategy(self) -> str | None:
        """The name of the tf.distribute strategy to train with, if any."""
        return self.training.settings.strategy if self.training else None

    def scope(self) -> AbstractContextManager[Any]:
        """Return the scope of the strategy; without one, a context that does nothing."""
        return create_strategy(self.strategy).scope() if self.strategy else nullcontext()

    def train(self, loaded: KerasModel, model: Any, callback: Any, **arguments: Any) -> Trained:
        """Train a model while a callback prunes it."""
        assert self.training is not None  # noqa: S101 (the caller checked)
        try:
            trainer = Trainer(loaded, model, self.original, self.training, self.scope())
            return trainer.run(
                callbacks=[callback],
                final_step=self.plan.final_step,
                update=self.update,
                **arguments,
            )
        except EdgepackError:
            raise
        except Exception as error:
            raise ModelError(f"{loaded.path}: cannot be fine-tuned: {reason(error)}") from error


def _wrappable(loaded: KerasModel, samples: Arrays) -> tuple[KerasModel | None, str | None]:
    """Return the tf-keras model that TFMOT can wrap, or None and the reason why there is none."""
    if not loaded.is_graph:
        return None, "code, not a graph, calls its layers"
    if loaded.is_legacy:
        return loaded, None
    try:
        return port_to_tf_keras(loaded, samples), None
    except ModelError as error:
        return None, str(error).removeprefix(f"{loaded.path}: ")


def _prune_by_wrappers(
    job: _Job, loaded: KerasModel, wrapped: Any
) -> tuple[list[Any], Trained | None]:
    """Prune the wrapped layers; return the masked weights, and the record of the training."""
    from tensorflow_model_optimization.sparsity.keras import UpdatePruningStep

    weights = tfmot_wrappers.masked_weights(wrapped)
    if not weights:
        raise nothing_to_prune_error(loaded.path, job.plan)
    trained = None
    if job.training is not None:
        trained = job.train(
            loaded,
            wrapped,
            UpdatePruningStep(),
            variables=wrapped.variables,
            sparsity=lambda: _masked_fraction(tfmot_wrappers.find_masks(wrapped)),
        )
    # Without training, these are all layers; with it, those that lead only to untrained outputs.
    tfmot_wrappers.mask_untrained_layers(wrapped, job.plan.final_step)
    return weights, trained


def _prune_by_callback(job: _Job, loaded: KerasModel) -> tuple[list[Any], Trained | None]:
    """Prune a model's own variables; return the masked ones, and the record of the training."""
    masks = Masks(loaded.model, job.plan)
    if not masks.weights:
        raise nothing_to_prune_error(loaded.path, job.plan)
    if job.training is None:
        masks.advance()
        return masks.weights, None
    trained = job.train(
        loaded,
        loaded.model,
        pruning_callback(loaded.keras, masks),
        variables=masks.variables,
        sparsity=lambda: _masked_fraction(masks.masks),
    )
    masks.apply()
    return masks.weights, trained


def nothing_to_prune_error(path: Path, plan: PruningPlan) -> ModelError:
    """Return the error for a model of which no layer is pruned, with the reason."""
    why = next(iter(plan.left_out.values()), "the model has no layer that TFMOT can prune")
    return ModelError(f"{path}: {why}, so there is nothing to prune")


def _left_out(loaded: KerasModel, plan: PruningPlan, pruned: list[Any]) -> dict[str, str]:
    """Return the layers that were not pruned though the plan includes them, with the reason."""
    ids = {id(weight) for weight in pruned}
    return {
        name: plan.left_out.get(name, UNSUPPORTED_LAYER)
        for name, weights in layer_weights(loaded.model)
        if plan.sparsity(name)
        and ids.isdisjoint(id(tensorflow_variable(weight)) for weight in weights)
    }


def _masked_fraction(masks: list[Any]) -> float:
    """Return the fraction of weights that the masks set to zero."""
    sizes = [int(mask.shape.num_elements()) for mask in masks]
    kept = sum(int(np.count_nonzero(np.asarray(mask))) for mask in masks)
    return 1 - kept / sum(sizes)
