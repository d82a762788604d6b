"""Magnitude pruning by TFMOT: with fine-tuning, or in one shot."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from edgepack.arrays import Arrays
from edgepack.compress import wrappers
from edgepack.compress.carry import carry
from edgepack.compress.fine_tune import SEED, Trainer, batch_of
from edgepack.compress.kernels import kernels, variable
from edgepack.compress.masks import Masks, callback
from edgepack.compress.schedule import Plan
from edgepack.compress.threshold import zero_below
from edgepack.compress.training import Trained, Training
from edgepack.errors import EdgepackError, ModelError, reason
from edgepack.load.keras_model import KerasModel
from edgepack.progress import Update
from edgepack.recipe import Prune

UNKNOWN = "TFMOT does not prune such layers"


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """How a model was pruned.

    ``way`` is ``wrappers`` (TFMOT's, on a model of tf-keras), ``carried`` (those, on a Keras 3
    model rebuilt in tf-keras), ``callback`` (TFMOT's schedules and masks on the model itself),
    ``file`` (TFMOT's masks on the weights of a .tflite file) or ``threshold``; ``runtime`` runs
    the pruned model. ``why_not_carried`` says why a model was not. ``left_out`` has the layers
    that were not pruned though nobody said so, with the reason. ``trained`` is None in one shot.
    """

    way: str
    runtime: str
    trained: Trained | None
    left_out: dict[str, str]
    why_not_carried: str | None = None


def prune(
    load: Callable[[], KerasModel],
    samples: Arrays,
    settings: Prune,
    training: Training | None,
    update: Update,
) -> tuple[KerasModel, Pruning]:
    """Return a model with the smallest weights set to zero, and how it came about.

    ``load`` gives the model anew: training changes the layers that it is given. With ``training``
    weights go on TFMOT's schedule while the model is fine-tuned; without, all at once. The same
    arguments give the same weights.

    A Keras 3 model is carried to tf-keras first (:func:`~edgepack.compress.carry.carry`), and
    compared with the original on ``samples``. Where that fails, or no graph of layers can be
    wrapped, TFMOT's schedules and masks act on the model itself.

    Raises :class:`ModelError` if nothing can be pruned, or training fails.
    """
    import tensorflow as tf
    import tf_keras
    from tensorflow_model_optimization.sparsity.keras import strip_pruning

    tf_keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()

    loaded = load()
    plan = Plan(settings, training.steps(batch_of(loaded)) if training else None)
    plan.check_patterns([name for name, _ in kernels(loaded.model)])
    if settings.threshold is not None:
        zero_below(loaded.model, settings.threshold, plan)
        return loaded, Pruning(way="threshold", runtime=loaded.runtime, trained=None, left_out={})
    strategy = training.settings.strategy if training else None
    with _scope(strategy):
        candidate, why = _wrappable(load() if strategy else loaded, samples)
        wrapped = candidate and wrappers.wrap(candidate.model, plan)
    if candidate is None:
        if strategy:
            raise ModelError(
                f"{loaded.path}: a strategy of tf.distribute needs a model that TFMOT can wrap;"
                f" this one cannot be: {why}"
            )
        weights, trained = _prune_by_callback(loaded, plan, training, update)
        way, result = "callback", loaded
    else:
        weights, trained = _prune_by_wrappers(candidate, wrapped, plan, training, update)
        way = "wrappers" if loaded.is_legacy else "carried"
        result = KerasModel(strip_pruning(wrapped), candidate.keras, candidate.path)
    left_out = _left_out(result, plan, weights)
    if strategy:
        # The variables of a strategy live on its devices: the rest goes on with plain ones.
        plain, _ = _wrappable(load(), samples)
        assert plain is not None  # noqa: S101 (it was above)
        plain.model.set_weights(result.model.get_weights())
        result = plain
    return result, Pruning(
        way=way, runtime=result.runtime, trained=trained, left_out=left_out, why_not_carried=why
    )


def _wrappable(loaded: KerasModel, samples: Arrays) -> tuple[KerasModel | None, str | None]:
    """Find the model of tf-keras that TFMOT can wrap, or why there is none."""
    if not loaded.is_graph:
        return None, "code, not a graph, calls its layers"
    if loaded.is_legacy:
        return loaded, None
    try:
        return carry(loaded, samples), None
    except ModelError as error:
        return None, str(error).removeprefix(f"{loaded.path}: ")


def _prune_by_wrappers(
    loaded: KerasModel, wrapped: Any, plan: Plan, training: Training | None, update: Update
) -> tuple[list[Any], Trained | None]:
    """Prune the wrapped layers; returns the weights under masks, and how they were trained."""
    from tensorflow_model_optimization.sparsity.keras import UpdatePruningStep

    weights = wrappers.pruned_weights(wrapped)
    if not weights:
        raise nothing_to_prune(loaded.path, plan)
    if training is None:
        wrappers.mask(wrapped)
        return weights, None
    trained = _train(
        Trainer(loaded, wrapped, training, _scope(training.settings.strategy)),
        loaded,
        callbacks=[UpdatePruningStep()],
        final_step=plan.final_step,
        variables=wrapped.variables,
        sparsity=lambda: _zeros(weights),
        update=update,
    )
    return weights, trained


def _prune_by_callback(
    loaded: KerasModel, plan: Plan, training: Training | None, update: Update
) -> tuple[list[Any], Trained | None]:
    """Prune a model's own variables; returns those under masks, and how they were trained."""
    masks = Masks(loaded.model, plan)
    if not masks.weights:
        raise nothing_to_prune(loaded.path, plan)
    if training is None:
        masks.advance()
        return masks.weights, None
    trained = _train(
        Trainer(loaded, loaded.model, training, nullcontext()),
        loaded,
        callbacks=[callback(loaded.keras, masks)],
        final_step=plan.final_step,
        variables=masks.variables,
        sparsity=lambda: _zeros(masks.weights),
        update=update,
    )
    masks.apply()
    return masks.weights, trained


def _train(trainer: Trainer, loaded: KerasModel, **arguments: Any) -> Trained:
    try:
        return trainer.run(**arguments)
    except EdgepackError:
        raise
    except Exception as error:
        raise ModelError(f"{loaded.path}: cannot be fine-tuned: {reason(error)}") from error


def nothing_to_prune(path: Path, plan: Plan) -> ModelError:
    """Say why no layer of a model is pruned."""
    why = next(iter(plan.left_out.values()), "the model has no layer that TFMOT can prune")
    return ModelError(f"{path}: {why}, so there is nothing to prune")


def _left_out(loaded: KerasModel, plan: Plan, pruned: list[Any]) -> dict[str, str]:
    """Name the layers that keep all their weights though nobody said so."""
    ids = {id(weight) for weight in pruned}
    return {
        name: plan.left_out.get(name, UNKNOWN)
        for name, weights in kernels(loaded.model)
        if plan.sparsity(name) and ids.isdisjoint(id(variable(weight)) for weight in weights)
    }


def _zeros(weights: list[Any]) -> float:
    zeros = sum(int(weight.shape.num_elements()) - _nonzeros(weight) for weight in weights)
    return zeros / sum(int(weight.shape.num_elements()) for weight in weights)


def _nonzeros(weight: Any) -> int:
    return int(np.count_nonzero(np.asarray(weight)))


def _scope(strategy: str | None) -> AbstractContextManager[Any]:
    """Enter one of TensorFlow's strategies for several devices or hosts."""
    if strategy is None:
        return nullcontext()
    scope: AbstractContextManager[Any] = _strategy(strategy).scope()
    return scope


@cache
def _strategy(name: str) -> Any:
    import tensorflow as tf

    if name == "multi-worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])
