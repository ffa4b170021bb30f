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
    """Let what an encoding does not have be printed in another way, not end the command.

    A stream that was closed before the command began goes to nowhere.
    """
    codecs.register_error(_ERRORS, _replace)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_ERRORS)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    plain = (_PLAIN.get(each) or each.encode("ascii", "backslashreplace").decode() for each in text)
    return "".join(plain), error.end


def patient_consoles() -> None:
    """Whoever read a console of rich's (`| head`) has seen enough, which is no reason to end."""
    from rich.console import Console  # may not be installed

    def on_broken_pipe(console: Any) -> None:
        console.quiet = True
        discard(sys.stderr if console.stderr else sys.stdout)

    Console.on_broken_pipe = on_broken_pipe  # type: ignore[assignment, method-assign]


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
