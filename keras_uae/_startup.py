"""How the command `keras-uae` imports the library, which takes seconds: late, and in silence."""

import contextlib
import importlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from keras_uae._processor import ONEDNN

INTERRUPTED = 130  # as shells have it
_stderr = 2  # where it is to be found; another file descriptor while there is silence


def is_command() -> bool:
    """Whether this process is the command, not a program that imports the library."""
    path = Path(sys.argv[0] if sys.argv else "")
    if path.stem in ("-m", "__main__"):  # the second one once its package is imported
        return "keras_uae.cli" in sys.orig_argv
    return path.stem == "keras-uae" and path.suffix != ".py"  # a program of that name


def import_library() -> ModuleType:
    """All of the library: what the command does before it needs any of it."""
    if "keras_uae._library" not in sys.modules:
        end_on_interruption()
        # before TensorFlow is imported: afterwards it is not read
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault(ONEDNN, "1")
        with _silence():
            importlib.import_module("tensorflow")
        importlib.import_module("keras_uae._library")
        raise_interruption()
        # modules of --import may take any of its names
        library, package = sys.modules["keras_uae._library"], sys.modules["keras_uae"]
        names = {name: getattr(library, name) for name in library.__all__}
        vars(package).update(names, __all__=library.__all__)
    return sys.modules["keras_uae._library"]


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep the notes on processor features that TensorFlow always writes, unless it fails."""
    global _stderr
    with tempfile.TemporaryFile() as notes:
        _stderr = os.dup(2)
        os.dup2(notes.fileno(), 2)
        try:
            yield
        except BaseException:
            notes.seek(0)
            os.write(_stderr, notes.read())
            raise
        finally:
            os.dup2(_stderr, 2)
            os.close(_stderr)
            _stderr = 2


def end_on_interruption() -> None:
    """From now on Ctrl-C ends the command with a line, until `raise_interruption`.

    As an exception it would get lost in the extension modules that are being imported.
    """
    if is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def raise_interruption() -> None:
    """From now on Ctrl-C is a KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(*_: Any) -> None:
    os.write(_stderr, b"keras-uae: interrupted.\n")
    os._exit(INTERRUPTED)
