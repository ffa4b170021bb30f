"""What identifies a model, samples and the environment: SHA-256 sums and versions."""

import hashlib
import json
import os
import platform
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_uae._processor import takes_onednn
from keras_uae._version import __version__


def model_fingerprint(model: keras.Model) -> dict[str, str]:
    """SHA-256 of the weights and of the architecture."""
    weights = hashlib.sha256()
    for weight in model.weights:
        value = np.ascontiguousarray(weight.numpy())
        weights.update(f"{weight.name} {value.dtype} {value.shape}\n".encode())
        weights.update(value.reshape(-1).view(np.uint8).data)
    config = json.dumps(model.get_config(), sort_keys=True, default=repr)
    # where the layer was when the first sums were taken
    config = config.replace('"keras_uae.selection.layer"', '"keras_uae.layers"')
    return {
        "weights": weights.hexdigest(),
        "architecture": hashlib.sha256(config.encode()).hexdigest(),
    }


class SampleHash:
    """SHA-256 of samples as they are attacked, in any number of pieces."""

    def __init__(self, sample_shape: tuple[int, ...], dtype: str):
        self._dtype = tf.as_dtype(dtype).as_numpy_dtype
        self._sum = hashlib.sha256(f"{dtype} {sample_shape}\n".encode())

    def update(self, x: np.ndarray) -> None:
        """Add samples."""
        x = np.ascontiguousarray(x, self._dtype)
        self._sum.update(x.reshape(-1).view(np.uint8).data)

    def hexdigest(self) -> str:
        """The sum over everything so far."""
        return self._sum.hexdigest()


class LabelHash(SampleHash):
    """SHA-256 of labels, in any number of pieces."""

    def __init__(self) -> None:
        super().__init__((), "int64")


def environment() -> dict[str, Any]:
    """Versions and hardware on which the last bits of a result may depend."""
    gpus = tf.config.list_physical_devices("GPU")
    details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
    return {
        "keras_uae": __version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
        "device": details.get("device_name", "GPU") if gpus else "CPU",
        "threads": intra_op_threads(),
        "onednn": takes_onednn(),
    }


def intra_op_threads() -> int:
    """Threads that TensorFlow takes for one operation; some sums depend on it in the last bit."""
    set_by_user = tf.config.threading.get_intra_op_parallelism_threads()
    return set_by_user or int(os.environ.get("TF_NUM_INTRAOP_THREADS", 0)) or available_cores()


def available_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def set_intra_op_threads(count: int) -> None:
    """Let TensorFlow take `count` threads for one operation.

    Raises:
        ValueError: It has begun to work with another number.
    """
    if intra_op_threads() == count and tf.config.threading.get_intra_op_parallelism_threads():
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(count)
    except RuntimeError:
        if intra_op_threads() != count:
            raise ValueError(
                f"`threads` must be set before TensorFlow begins to work. Received: "
                f"threads={count} where it has {intra_op_threads()}."
            ) from None
