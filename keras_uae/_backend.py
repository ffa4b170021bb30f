"""Refuses, on import, to go on with another backend of Keras than TensorFlow."""

import os
import sys

from keras_uae._startup import is_command


def check_backend() -> None:
    """Raise ImportError unless Keras computes with TensorFlow."""
    backend = os.environ.get("KERAS_BACKEND")
    if not backend or "keras" in sys.modules:
        # not before: with a backend that is not installed Keras itself cannot be imported
        import keras

        backend = keras.backend.backend()
    if backend != "tensorflow":
        raise ImportError(
            "keras_uae needs the TensorFlow backend of Keras: set KERAS_BACKEND=tensorflow before "
            f"Keras is imported. Received: backend={backend!r}."
        )


try:
    check_backend()
except ImportError as error:
    if is_command():
        sys.exit(f"keras-uae: {error}")
    raise
