"""One script per claim of the paper; run them with `python -m experiments.NAME`."""

import os
import tempfile

# before TensorFlow is imported: afterwards it is not read
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # see keras_uae/_processor.py


def _import_tensorflow() -> None:
    """Import TensorFlow without the notes on processor features that it always writes to stderr."""
    with tempfile.TemporaryFile() as notes:
        stderr = os.dup(2)
        os.dup2(notes.fileno(), 2)
        try:
            import tensorflow  # noqa: F401
        except BaseException:
            notes.seek(0)
            os.write(stderr, notes.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


_import_tensorflow()
