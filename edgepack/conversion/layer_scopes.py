"""Names the operations of a Keras 3 model after its layers, as those of tf-keras are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from edgepack.load.layer_settings import nested_layers

_OPEN = "_open_name_scope"
"""The method of Keras 3's layers that opens the scope of a call. tf-keras has none."""


@contextmanager
def scopes_named_after_layers(model: Any) -> Iterator[None]:
    """Trace the layers of a Keras model within a context in scopes of exactly their names.

    Keras 3 opens a layer's scope twice: to build the layer, and to call it. TensorFlow numbers a
    scope that is opened again, so ``conv2d`` becomes ``conv2d_1``, which may be the name of another
    layer. Here, as in tf-keras, a scope opened again is continued: the calls of a shared layer have
    the same scope, and only their operations are numbered.
    """
    layers = {id(layer): layer for layer in (model, *nested_layers(model))}
    # Set by edgepack.compression.keras_port; the layer around it has the same name.
    wrapped = {id(getattr(layer, "wrapped_operation", None)) for layer in layers.values()}
    with ExitStack() as stack:
        for key, layer in layers.items():
            if hasattr(layer, _OPEN):
                own = vars(layer)
                own[_OPEN] = _opening(layer, continues=key in wrapped)  # hides the class's method
                stack.callback(own.pop, _OPEN)
        yield


def _opening(layer: Any, *, continues: bool) -> Callable[[], AbstractContextManager[None]]:
    """Return what opens a layer's scope; ``continues`` if that is the scope around it."""
    import tensorflow as tf

    opened = getattr(layer, _OPEN)

    @contextmanager
    def opening() -> Iterator[None]:
        around = tf.get_current_name_scope()
        parts = [around] if around else []
        path = "/".join(parts if continues else [*parts, layer.name])
        with opened(), tf.name_scope(f"{path}/"):  # a name with a final slash is not numbered
            yield

    return opening
