"""What the command `keras-uae` says while the library is being imported, before it can run itself.

The imports take seconds, in which Ctrl-C would end in a traceback.
"""

import os
import sys
from pathlib import Path
from types import TracebackType

INTERRUPTED = 130  # as shells have it


def is_command() -> bool:
    """Whether this process is the command, not a program that imports the library."""
    name = Path(sys.argv[0]).stem if sys.argv else ""
    return name == "keras-uae" or (name == "-m" and "keras_uae.cli" in sys.orig_argv)


def short_interruption() -> None:
    """From now on Ctrl-C that nobody handles is one line of the command."""
    if is_command():
        sys.excepthook = _one_line


def _one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    print("keras-uae: interrupted.", file=sys.stderr, flush=True)
    os._exit(INTERRUPTED)
