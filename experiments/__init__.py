"""One script per claim of the paper; run them with `python -m experiments.NAME`."""

import os
import tempfile

# before TensorFlow is imported: afterwards it is not read
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


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

from keras_uae._allocator import keep_freed_memory  # noqa: E402

keep_freed_memory()
