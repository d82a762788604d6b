"""Training while pruning, for models of either Keras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.compression.training import optimizers
from edgepack.compression.training.checkpoint import Checkpoint, TrainingState
from edgepack.compression.training.losses import name_of, training_targets
from edgepack.compression.training.task import Trained, Training
from edgepack.core.progress import Update
from edgepack.load.keras_model import KerasModel

SEED = 0
_BATCH = 32
_MEASUREMENTS = 100  # of the sparsity, over all steps


def batch_of(loaded: KerasModel) -> int:
    """Tell how many samples a step takes."""
    return loaded.batch or _BATCH


class Trainer:
    """Trains a Keras model, a batch a step.

    ``loaded`` is the model as it was given, ``model`` the one to train: the same, or one whose
    layers TFMOT wrapped; ``teacher`` is a copy of the first, to learn from by distillation. The
    same arguments give the same weights.

    Raises :class:`~edgepack.core.errors.ConfigError` for a loss or an optimizer that Keras does not
    know.
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
        self._batch = batch_of(loaded)
        self._steps = training.steps(self._batch)
        self._train, self._held_out = self._split()
        self._lessons = training_targets(loaded, training)
        keras = loaded.keras
        kind, config = optimizers.choose_optimizer(keras, training)
        rate = config["learning_rate"]
        with strategy_scope:
            self._model = self._taught(model) if loaded.is_graph else model
            decay = keras.optimizers.schedules.CosineDecay(rate, self._steps)
            self._optimizer = kind(**(config | {"learning_rate": decay}))
            losses = {name: lesson.loss for name, lesson in self._lessons.items()}
            self._model.compile(optimizer=self._optimizer, loss=self._arranged(losses))
            self._optimizer.build(self._model.trainable_variables)
        self._said = Trained(
            losses={name: name_of(lesson.loss) for name, lesson in self._lessons.items()},
            optimizer=kind.__name__,
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
        """Train all epochs, or until held-out samples say that it is enough.

        ``final_step`` is the step from which on the sparsity is final; ``variables`` are saved
        with the model's, and ``sparsity`` measures how far pruning is.
        """
        settings = self._training.settings
        checkpoint = self._training.checkpoint and Checkpoint(
            self._training.checkpoint,
            fingerprint=self._training.fingerprint,
            resume=self._training.resume,
        )
        # An optimizer of tf-keras gives its variables as a list that can be called.
        state = [*self._model.variables, *list(self._optimizer.variables), *variables]
        state = list({id(variable): variable for variable in state}.values())
        standing = TrainingState()
        best: list[NDArray[Any]] = []
        if checkpoint and (restored := checkpoint.restore()):
            standing, values, best = restored
            for variable, value in zip(state, values, strict=True):
                variable.assign(value)
        begun = standing.epochs * self._per_epoch
        ticker = _ticker(self._loaded.keras, begun, self._steps, sparsity, update)
        while standing.epochs < settings.epochs and not self._is_enough(standing):
            self._epoch(standing.epochs, [*callbacks, ticker])
            standing.epochs += 1
            if settings.patience and standing.epochs * self._per_epoch >= final_step:
                loss = self._held_out_loss()
                standing.waited += 1
                if standing.best_loss is None or loss < standing.best_loss:
                    standing.best_loss, standing.waited = loss, 0
                    best = _values(self._model.variables)
            if checkpoint:
                checkpoint.save(standing, _values(state), best)
        for variable, value in zip(self._model.variables if best else (), best, strict=True):
            variable.assign(value)
        return replace(self._said, epochs=standing.epochs)

    @property
    def _per_epoch(self) -> int:
        return -(-len(self._train) // self._batch)

    def _is_enough(self, standing: TrainingState) -> bool:
        patience = self._training.settings.patience
        return patience is not None and standing.waited >= patience

    def _split(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Choose the samples to train on, and those to hold out."""
        order = np.random.default_rng(SEED).permutation(len(self._training))
        held_out = self._training.held_out
        return order[held_out:], order[:held_out]

    def _epoch(self, epoch: int, callbacks: list[Any]) -> None:
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
        found = self._model.evaluate(x, y, batch_size=self._batch, verbose=0)
        return float(np.ravel(found)[0])

    def _taught(self, model: Any) -> Any:
        """Take the part of a graph that leads to the outputs that are taught."""
        names = [output.name for output in self._loaded.signature.outputs]
        outputs = [model.outputs[names.index(name)] for name in self._lessons]
        return self._loaded.keras.Model(_lone_or_all(model.inputs), _lone_or_all(outputs))

    def _arrays(
        self, order: NDArray[Any], random: np.random.Generator | None = None
    ) -> tuple[Any, Any]:
        """Take samples, and what is wanted for them, as the model's training takes them."""
        inputs = [array[order] for array in self._training.inputs.values()]
        if not self._training.is_distillation:
            wanted = {
                name: lesson.wanted[order]
                for name, lesson in self._lessons.items()
                if lesson.wanted is not None
            }
        else:
            if random is not None:
                inputs = _mixed(inputs, random)
            wanted = dict(zip(self._lessons, self._teacher.predict(inputs), strict=True))
        x = _lone_or_all(inputs) if self._loaded.is_graph else self._loaded.pack(inputs)
        return x, self._arranged(wanted)

    def _arranged(self, by_output: dict[str, Any]) -> Any:
        """Give what belongs to outputs the structure in which the trained model gives them."""
        if self._loaded.is_graph or len(self._loaded.signature.outputs) == 1:
            return _lone_or_all(list(by_output.values()))
        return by_output


def _lone_or_all(values: Sequence[Any]) -> Any:
    """Give one value as it is, several as a list, as Keras takes them."""
    return values[0] if len(values) == 1 else values


def _mixed(inputs: list[NDArray[Any]], random: np.random.Generator) -> list[NDArray[Any]]:
    """Mix each sample with another, so that a few samples show more of what a teacher knows.

    Mixup, as Beyer and others distill in "A good teacher is patient and consistent", 2022. Whole
    numbers, such as tokens, cannot be mixed.
    """
    if any(array.dtype.kind != "f" for array in inputs):
        return inputs
    other = random.permutation(len(inputs[0]))
    share = random.uniform(0.5, 1.0, len(other))
    shares = [share.reshape(-1, *[1] * (array.ndim - 1)).astype(array.dtype) for array in inputs]
    return [
        part * array + (1 - part) * array[other] for part, array in zip(shares, inputs, strict=True)
    ]


def _values(variables: Sequence[Any]) -> list[NDArray[Any]]:
    return [np.array(variable) for variable in variables]


def _ticker(
    keras: Any, begun: int, total: int, sparsity: Callable[[], float], update: Update
) -> Any:
    """Make the callback that tells the progress, and measures the sparsity now and then.

    ``begun`` of the ``total`` steps are done already.
    """

    class Ticker(keras.callbacks.Callback):  # type: ignore[misc]  # untyped base
        """Counts steps."""

        def __init__(self) -> None:
            super().__init__()
            self._done = begun
            self._sparsity = 0.0
            self._every = max(1, total // _MEASUREMENTS)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            self._done += 1
            if self._done % self._every in (0, 1) or self._done == total:
                self._sparsity = sparsity()
            loss = float((logs or {}).get("loss", float("nan")))
            update(self._done, total, f"loss {loss:.3f}, sparsity {self._sparsity:.1%}")

    return Ticker()
