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
from edgepack.compression.pruning.masks import Masks, callback
from edgepack.compression.pruning.schedule import PruningPlan
from edgepack.compression.pruning.settings import Prune, Pruning
from edgepack.compression.pruning.threshold import zero_below
from edgepack.compression.technique import Compressed, Task
from edgepack.compression.training.strategy import strategy
from edgepack.compression.training.task import Trained, Training
from edgepack.compression.training.trainer import SEED, Trainer, batch_of
from edgepack.compression.weights import kernels, variable
from edgepack.core.errors import EdgepackError, ModelError, reason
from edgepack.core.progress import Update
from edgepack.load.keras_model import KerasModel
from edgepack.load.loaded_model import FloatModel
from edgepack.storage.arrays import Arrays

UNKNOWN = "TFMOT does not prune such layers"


def prune(task: Task, settings: Prune) -> Compressed:
    """Return a Keras model with the smallest weights set to zero, and how it came about.

    With training weights go on TFMOT's schedule while the model is fine-tuned; without, all at
    once. The same arguments give the same weights.

    A Keras 3 model is carried to tf-keras first
    (:func:`~edgepack.compression.keras_port.port_to_tf_keras`), and compared with the original on
    the samples. Where that fails, or no graph of layers can be wrapped, TFMOT's schedules and masks
    act on the model itself.

    Raises :class:`ModelError` if nothing can be pruned, or training fails.
    """
    import tensorflow as tf
    import tf_keras
    from tensorflow_model_optimization.sparsity.keras import strip_pruning

    tf_keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()

    given, training = _keras(task.model), task.training

    def load() -> KerasModel:
        return _keras(task.copy())

    def wrappable() -> KerasModel:
        found, _ = _wrappable(load(), task.samples)
        assert found is not None  # noqa: S101 (it was before)
        return found

    plan = PruningPlan(settings, training.steps(batch_of(given)) if training else None)
    plan.check_patterns([name for name, _ in kernels(given.model)])
    if settings.threshold is not None:
        result = load()
        zero_below(result.model, settings.threshold, plan)
        record = Pruning(way="threshold", runtime=result.runtime, trained=None, left_out={})
        return Compressed(model=result, copy=_copying(load, result), record=record)
    job = _Job(given, plan, training, task.update)
    with job.scope():
        candidate, why = _wrappable(load(), task.samples)
        try:
            wrapped = candidate and tfmot_wrappers.wrap(candidate.model, plan)
        except EdgepackError:
            raise
        except Exception as error:  # noqa: BLE001 (TFMOT copies the graph: any layer may object)
            candidate, why = None, f"TFMOT cannot copy its graph: {reason(error)}"
    if candidate is None:
        if job.strategy:
            raise ModelError(
                f"{given.path}: a strategy of tf.distribute needs a model that TFMOT can wrap;"
                f" this one cannot be: {why}"
            )
        way, result, anew = "callback", load(), load
        weights, trained = _prune_by_callback(job, result)
    else:
        way, anew = "wrappers" if given.is_legacy else "carried", wrappable
        weights, trained = _prune_by_wrappers(job, candidate, wrapped)
        result = KerasModel(strip_pruning(wrapped), candidate.keras, candidate.path)
    left_out = _left_out(result, plan, weights)
    if job.strategy:
        # The variables of a strategy live on its devices: the rest goes on with plain ones.
        result = _copying(anew, result)()
    record = Pruning(
        way=way, runtime=result.runtime, trained=trained, left_out=left_out, why_not_carried=why
    )
    return Compressed(model=result, copy=_copying(anew, result), record=record)


def _keras(model: FloatModel) -> KerasModel:
    assert isinstance(model, KerasModel)  # noqa: S101 (a technique says what it takes)
    return model


def _copying(anew: Callable[[], KerasModel], result: KerasModel) -> Callable[[], KerasModel]:
    """Make a function that copies a model; ``anew`` gives one of the same layers."""

    def copy() -> KerasModel:
        made = anew()
        made.model.set_weights(result.model.get_weights())
        return made

    return copy


@dataclass(frozen=True)
class _Job:
    """What both ways of pruning need."""

    given: KerasModel
    plan: PruningPlan
    training: Training | None
    update: Update

    @property
    def strategy(self) -> str | None:
        """The strategy of tf.distribute to train with, if any."""
        return self.training.settings.strategy if self.training else None

    def scope(self) -> AbstractContextManager[Any]:
        """Enter the strategy."""
        return strategy(self.strategy).scope() if self.strategy else nullcontext()

    def train(self, loaded: KerasModel, model: Any, callback: Any, **arguments: Any) -> Trained:
        """Train a model while a callback prunes it."""
        assert self.training is not None  # noqa: S101 (there is something to learn)
        try:
            trainer = Trainer(loaded, model, self.given, self.training, self.scope())
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
    """Find the model of tf-keras that TFMOT can wrap, or why there is none."""
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
    """Prune the wrapped layers; returns the weights under masks, and how they were trained."""
    from tensorflow_model_optimization.sparsity.keras import UpdatePruningStep

    weights = tfmot_wrappers.pruned_weights(wrapped)
    if not weights:
        raise nothing_to_prune(loaded.path, job.plan)
    trained = None
    if job.training is not None:
        trained = job.train(
            loaded,
            wrapped,
            UpdatePruningStep(),
            variables=wrapped.variables,
            sparsity=lambda: _zeros(tfmot_wrappers.masks(wrapped)),
        )
    # Without training all layers, with it those that lead to outputs that are not taught.
    tfmot_wrappers.mask(wrapped, job.plan.final_step)
    return weights, trained


def _prune_by_callback(job: _Job, loaded: KerasModel) -> tuple[list[Any], Trained | None]:
    """Prune a model's own variables; returns those under masks, and how they were trained."""
    masks = Masks(loaded.model, job.plan)
    if not masks.weights:
        raise nothing_to_prune(loaded.path, job.plan)
    if job.training is None:
        masks.advance()
        return masks.weights, None
    trained = job.train(
        loaded,
        loaded.model,
        callback(loaded.keras, masks),
        variables=masks.variables,
        sparsity=lambda: _zeros(masks.masks),
    )
    masks.apply()
    return masks.weights, trained


def nothing_to_prune(path: Path, plan: PruningPlan) -> ModelError:
    """Say why no layer of a model is pruned."""
    why = next(iter(plan.left_out.values()), "the model has no layer that TFMOT can prune")
    return ModelError(f"{path}: {why}, so there is nothing to prune")


def _left_out(loaded: KerasModel, plan: PruningPlan, pruned: list[Any]) -> dict[str, str]:
    """Name the layers that keep all their weights though nobody said so."""
    ids = {id(weight) for weight in pruned}
    return {
        name: plan.left_out.get(name, UNKNOWN)
        for name, weights in kernels(loaded.model)
        if plan.sparsity(name) and ids.isdisjoint(id(variable(weight)) for weight in weights)
    }


def _zeros(masks: list[Any]) -> float:
    """Measure the fraction of weights that masks set to zero."""
    sizes = [int(mask.shape.num_elements()) for mask in masks]
    kept = sum(int(np.count_nonzero(np.asarray(mask))) for mask in masks)
    return 1 - kept / sum(sizes)
