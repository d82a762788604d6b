"""Training while pruning, for models of either Keras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.compression.training import optimizers
from edgepack.compression.training.checkpoint import Checkpoint, TrainingState
from edgepack.compression.training.losses import loss_name, training_targets
from edgepack.compression.training.task import Trained, Training
from edgepack.core.progress import Update
from edgepack.load.keras_model import KerasModel

SEED = 0
_BATCH = 32
_MEASUREMENTS = 100  # of the sparsity, over all steps


def batch_size(loaded: KerasModel) -> int:
    """Return the number of samples per training step."""
    return loaded.batch or _BATCH


class Trainer:
    """Trains a Keras model, one batch per step.

    ``loaded`` is the loaded model, ``model`` the one to train: the same, or a copy with layers
    wrapped by TFMOT; ``teacher`` is a copy of ``loaded`` for distillation. The same arguments
    always result in the same weights.

    Raises :class:`~edgepack.core.errors.ConfigError` for a loss or an optimizer that is not one of
    Keras's.
    """

    def __init__(
        self,
        loaded: KerasModel,
        model: Any,
        teacher: KerasModel,
        training: Training,
        strategy_scope: Any,
    ) -> None:
        self._training = training
        self._teacher = teacher
        self._loaded = loaded
        self._batch = batch_size(loaded)
        self._steps = training.steps(self._batch)
        self._train, self._held_out = self._split()
        self._targets = training_targets(loaded, training)
        keras = loaded.keras
        optimizer, config = optimizers.choose_optimizer(keras, training)
        rate = config["learning_rate"]
        with strategy_scope:
            self._model = self._trained_part(model) if loaded.is_graph else model
            decay = keras.optimizers.schedules.CosineDecay(rate, self._steps)
            self._optimizer = optimizer(**(config | {"learning_rate": decay}))
            losses = {name: target.loss for name, target in self._targets.items()}
            self._model.compile(optimizer=self._optimizer, loss=self._structured(losses))
            self._optimizer.build(self._model.trainable_variables)
        self._record = Trained(
            losses={name: loss_name(target.loss) for name, target in self._targets.items()},
            optimizer=optimizer.__name__,
            learning_rate=rate,
            epochs=training.settings.epochs,
        )

    def run(
        self,
        *,
        callbacks: Sequence[Any],
        final_step: int,
        variables: Sequence[Any],
        sparsity: Callable[[], float],
        update: Update,
    ) -> Trained:
        """Train all epochs, or until the loss on held-out samples stops improving.

        ``final_step`` is the first step with the final sparsity; ``variables`` are saved in
        checkpoints along with the model's; ``sparsity`` returns the current sparsity, 0 to 1.
        """
        settings = self._training.settings
        checkpoint = self._training.checkpoint and Checkpoint(
            self._training.checkpoint,
            fingerprint=self._training.fingerprint,
            resume=self._training.resume,
        )
        # The variables of a tf-keras optimizer are a list that can also be called.
        saved = [*self._model.variables, *list(self._optimizer.variables), *variables]
        saved = list({id(variable): variable for variable in saved}.values())
        state = TrainingState()
        best: list[NDArray[Any]] = []
        if checkpoint and (restored := checkpoint.restore()):
            state, values, best = restored
            for variable, value in zip(saved, values, strict=True):
                variable.assign(value)
        done = state.epochs * self._steps_per_epoch
        reporter = _progress_callback(self._loaded.keras, done, self._steps, sparsity, update)
        while state.epochs < settings.epochs and not self._should_stop(state):
            self._train_epoch(state.epochs, [*callbacks, reporter])
            state.epochs += 1
            if settings.patience and state.epochs * self._steps_per_epoch >= final_step:
                loss = self._held_out_loss()
                state.waited += 1
                if state.best_loss is None or loss < state.best_loss:
                    state.best_loss, state.waited = loss, 0
                    best = _values(self._model.variables)
            if checkpoint:
                checkpoint.save(state, _values(saved), best)
        for variable, value in zip(self._model.variables if best else (), best, strict=True):
            variable.assign(value)
        return replace(self._record, epochs=state.epochs)

    @property
    def _steps_per_epoch(self) -> int:
        return -(-len(self._train) // self._batch)

    def _should_stop(self, state: TrainingState) -> bool:
        patience = self._training.settings.patience
        return patience is not None and state.waited >= patience

    def _split(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the indices of the samples to train on, and of those to hold out."""
        order = np.random.default_rng(SEED).permutation(len(self._training))
        held_out = self._training.held_out_count
        return order[held_out:], order[:held_out]

    def _train_epoch(self, epoch: int, callbacks: list[Any]) -> None:
        random = np.random.default_rng((SEED, epoch))
        x, y = self._arrays(random.permutation(self._train), random)
        self._model.fit(
            x,
            y,
            batch_size=self._batch,
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )

    def _held_out_loss(self) -> float:
        x, y = self._arrays(self._held_out)
        losses = self._model.evaluate(x, y, batch_size=self._batch, verbose=0)
        return float(np.ravel(losses)[0])

    def _trained_part(self, model: Any) -> Any:
        """Return the part of a graph that leads to the outputs with training targets."""
        names = [output.name for output in self._loaded.signature.outputs]
        outputs = [model.outputs[names.index(name)] for name in self._targets]
        return self._loaded.keras.Model(_unpacked(model.inputs), _unpacked(outputs))

    def _arrays(
        self, order: NDArray[Any], random: np.random.Generator | None = None
    ) -> tuple[Any, Any]:
        """Return samples and their targets in the structures that ``fit`` accepts.

        ``order`` are indices of samples; ``random`` enables mixup in distillation.
        """
        inputs = [array[order] for array in self._training.inputs.values()]
        if not self._training.is_distillation:
            targets = {
                name: target.labels[order]
                for name, target in self._targets.items()
                if target.labels is not None
            }
        else:
            if random is not None:
                inputs = _mixup(inputs, random)
            targets = dict(zip(self._targets, self._teacher.predict(inputs), strict=True))
        x = _unpacked(inputs) if self._loaded.is_graph else self._loaded.pack(inputs)
        return x, self._structured(targets)

    def _structured(self, by_output: dict[str, Any]) -> Any:
        """Return values by output in the structure of the trained model's outputs."""
        if self._loaded.is_graph or len(self._loaded.signature.outputs) == 1:
            return _unpacked(list(by_output.values()))
        return by_output


def _unpacked(values: Sequence[Any]) -> Any:
    """Return a single value by itself and several as a list, as Keras expects them."""
    return values[0] if len(values) == 1 else values


def _mixup(inputs: list[NDArray[Any]], random: np.random.Generator) -> list[NDArray[Any]]:
    """Blend each sample with another, so that few samples reveal more of a teacher's function.

    Mixup, as used for distillation by Beyer et al. in "Knowledge distillation: A good teacher is
    patient and consistent", 2022. Integers, such as tokens, are returned unchanged.
    """
    if any(array.dtype.kind != "f" for array in inputs):
        return inputs
    other = random.permutation(len(inputs[0]))
    weight = random.uniform(0.5, 1.0, len(other))
    weights = [weight.reshape(-1, *[1] * (array.ndim - 1)).astype(array.dtype) for array in inputs]
    return [
        weight * array + (1 - weight) * array[other]
        for weight, array in zip(weights, inputs, strict=True)
    ]


def _values(variables: Sequence[Any]) -> list[NDArray[Any]]:
    return [np.array(variable) for variable in variables]


def _progress_callback(
    keras: Any, done: int, total: int, sparsity: Callable[[], float], update: Update
) -> Any:
    """Return a callback that reports the progress, and measures the sparsity periodically.

    ``done`` of the ``total`` steps are completed already.
    """

    class Progress(keras.callbacks.Callback):  # type: ignore[misc]  # untyped base
        """Counts steps."""

        def __init__(self) -> None:
            super().__init__()
            self._done = done
            self._sparsity = 0.0
            self._every = max(1, total // _MEASUREMENTS)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            self._done += 1
            if self._done % self._every in (0, 1) or self._done == total:
                self._sparsity = sparsity()
            loss = float((logs or {}).get("loss", float("nan")))
            update(self._done, total, f"loss {loss:.3f}, sparsity {self._sparsity:.1%}")

    return Progress()
