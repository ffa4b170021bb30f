"""The layers of any model: list them, and read what one of them returns."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

_CAPTURING = threading.RLock()


def flat_layers(model: keras.Model) -> list[keras.Layer]:
    """The layers of a model in order, those of nested models in their place."""
    layers: list[keras.Layer] = []
    for layer in model.layers:
        layers += flat_layers(layer) if isinstance(layer, keras.Model) else [layer]
    return layers


@contextlib.contextmanager
def capture(layer: keras.Layer | None) -> Iterator[list[tf.Tensor]]:
    """Collect what `layer` returns while the context is open.

    This is how the estimator reads the features of the very forward pass that evaluates the
    criterion, for any model (functional, nested or subclassed): a second pass would cost as much
    again. It acts while a graph is traced, and leaves nothing behind in the layer. Threads that
    capture wait for one another, and calls of other threads are not collected.
    """
    outputs: list[tf.Tensor] = []
    if layer is None:
        yield outputs
        return
    thread = threading.get_ident()
    with _CAPTURING:
        call = layer.call

        def recording(*args: Any, **kwargs: Any) -> Any:
            output = call(*args, **kwargs)
            if threading.get_ident() == thread:
                outputs.append(output)
            return output

        # past Keras' own __setattr__, which would track the function as part of the layer
        before = vars(layer).get("call")
        vars(layer)["call"] = recording
        try:
            yield outputs
        finally:
            del vars(layer)["call"]
            if before is not None:  # someone else's patch
                vars(layer)["call"] = before


def output_of(layer: keras.Layer | None, model: keras.Model, x: tf.Tensor, owner: str) -> tf.Tensor:
    """What `layer` returns when `model` is called on `x`; `x` itself for `None`.

    Raises:
        ValueError: The layer does not run, which `owner` is told.
    """
    if layer is None:
        return x
    with capture(layer) as seen, keras.StatelessScope():
        model(x, training=False)
    if not seen:
        raise ValueError(
            f"`similarity` of {owner} reads a layer that does not run when the model is called. "
            f"Received: layer {layer.name!r} of model {model.name!r}."
        )
    return seen[0]
