"""What the command `keras-uae` says while the library is being imported, before it can run itself.

The imports take seconds, in which Ctrl-C would end in a traceback.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

INTERRUPTED = 130  # as shells have it


def is_command() -> bool:
    """Whether this process is the command, not a program that imports the library."""
    name = Path(sys.argv[0]).stem if sys.argv else ""
    return name == "keras-uae" or (name == "-m" and "keras_uae.cli" in sys.orig_argv)


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
    print("keras-uae: interrupted.", file=sys.stderr, flush=True)
    os._exit(INTERRUPTED)
