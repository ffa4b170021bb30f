"""Standard output and error as they are: of any encoding, full, or read by nobody."""

import codecs
import contextlib
import os
import sys
from typing import Any

_PLAIN = {
    "−": "-",
    "…": "...",
    "·": "|",
    "█": "#",
    "×": "x",
    "α": "alpha",
    "δ": "delta",
    "∞": "inf",
}
_ERRORS = "keras_uae.plain"


def plain_streams() -> None:
    """Let what an encoding does not have be printed in another way, not end the command."""
    codecs.register_error(_ERRORS, _replace)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_ERRORS)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    plain = (_PLAIN.get(each) or each.encode("ascii", "backslashreplace").decode() for each in text)
    return "".join(plain), error.end


def shown(text: Any) -> str:
    """`text` without what would move the cursor or colour the terminal of whoever reads it."""
    return "".join(
        each if each.isprintable() or each == "\n" else repr(each)[1:-1] for each in str(text)
    )


def discard(stream: Any) -> None:
    """Send to nowhere what a stream still holds, so that it cannot fail again at the end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # of a test, it has no file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
