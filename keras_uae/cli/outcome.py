"""How a command ends: what it prints, and with which exit code."""

import contextlib
import enum
import json
import os
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import typer
from rich.console import Console

from keras_uae._errors import ClusterTooSmallError, DiskFullError, OtherRunError
from keras_uae._files import is_no_space
from keras_uae.cli.streams import discard, shown

_BY_KERAS = "Exception encountered when calling"  # a layer; a page comes after it
_COLOUR = re.compile(r"\x1b\[[\d;]*m")


class ExitCode(enum.IntEnum):
    """What the shell is told: the code, its meaning in a word, and in a sentence."""

    meaning: str
    details: str

    def __new__(cls, code: int, meaning: str, details: str) -> Self:
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning, member.details = meaning, details
        return member

    DONE = 0, "done", "All that was asked for is there."
    FAILED = (
        1,
        "failed",
        "The model, the data, a manifest or a file cannot be read or written, or the model failed.",
    )
    USAGE = 2, "usage", "An option is not valid; no shard was made."
    NOT_VERIFIED = (
        3,
        "not verified",
        "`verify`: a shard is missing, damaged or of another run, or model or data are not those "
        "that were attacked.",
    )
    OTHER_RUN = (
        4,
        "the directory holds another run",
        "The directory holds another run, of which the differences are shown, this one without "
        "`--resume`, or other files.",
    )
    DISK_FULL = 5, "the disk is full", "Make space, then go on with `--resume`."
    INTERRUPTED = (
        130,
        "interrupted",
        "Ctrl-C. `generate`: what is complete is kept, go on with `--resume`. `compare`: the same "
        "command goes on.",
    )


class UsageError(ValueError):
    """An option is not valid."""


@contextlib.contextmanager
def options() -> Iterator[None]:
    """A ValueError within the block comes from an option, if it does not come from the model."""
    try:
        yield
    except ValueError as error:
        if _BY_KERAS in str(error):
            raise
        raise UsageError(str(error)) from error


class _Console(Console):
    """Prints what it is given: names of files, data and attacks may look like markup."""

    def __init__(self, stderr: bool = False):
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def _standard_output() -> Iterator[None]:
    """Say which file cannot be written, where the system says only why."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"Standard output: {error.strerror}") from error


class Outcome:
    """Prints results for people, or with `as_json` for programs: one object on standard output."""

    def __init__(self, as_json: bool = False, quiet: bool = False):
        self.as_json, self.quiet = as_json, quiet
        self.results, self.errors = _Console(), _Console(stderr=True)

    def say(self, content: Any) -> None:
        """Something for people."""
        if not self.as_json and not self.quiet:
            with _standard_output():
                self.results.print(shown(content) if isinstance(content, str) else content)

    def warn(self, message: Warning | str, *where: Any, **line: Any) -> None:
        """A warning, in a line: `warnings.showwarning` has the code that it comes from, too."""
        del where, line
        with contextlib.suppress(OSError):
            self.errors.print(shown(f"keras-uae: warning: {message}"), style="yellow")

    def finish(self, values: dict[str, Any], code: ExitCode = ExitCode.DONE) -> None:
        """The result for programs, and the end."""
        if self.as_json:
            with _standard_output():
                self.results.out(json.dumps({"exit_code": int(code), **values}, indent=1))
        raise typer.Exit(int(code))

    def fail(self, code: ExitCode, message: str) -> None:
        """An error, and the end."""
        with contextlib.suppress(OSError):  # nobody would hear of it
            self.errors.print(shown(f"keras-uae: {message}"), style="red")
        try:
            self.finish({"error": message}, code)
        except OSError as error:  # standard output is what failed
            discard(sys.stdout)
            raise typer.Exit(int(code)) from error


@contextlib.contextmanager
def exit_codes(outcome: Outcome, after_ctrl_c: str = "Nothing is kept.") -> Iterator[None]:
    """Turn errors and warnings within the block into one line on standard error each.

    Args:
        outcome: What tells them; of an error it ends the command, with its exit code.
        after_ctrl_c: What is left after Ctrl-C.
    """
    try:
        with warnings.catch_warnings():
            warnings.showwarning = outcome.warn
            yield
    except typer.Exit:  # a RuntimeError, too
        raise
    except KeyboardInterrupt:
        outcome.fail(ExitCode.INTERRUPTED, f"interrupted. {after_ctrl_c}")
    except Exception as error:  # an operation of the model raises whatever it likes
        outcome.fail(code_of(error), in_a_line(error))


def code_of(error: Exception) -> ExitCode:
    """The exit code of an error."""
    if isinstance(error, (UsageError, ClusterTooSmallError)):
        return ExitCode.USAGE
    if isinstance(error, OtherRunError):
        return ExitCode.OTHER_RUN
    if isinstance(error, OSError) and is_no_space(error):
        return ExitCode.DISK_FULL
    return ExitCode.FAILED


def in_a_line(error: Exception) -> str:
    """What an error says, and of one that is none of ours where it came from."""
    if isinstance(error, DiskFullError):
        return str(error.strerror)
    if isinstance(error, OSError) and error.strerror:
        where = f": {os.fspath(error.filename)!r}" if error.filename else ""
        remedy = ". Make space, then give the command again." if is_no_space(error) else ""
        return error.strerror + where + remedy
    if isinstance(error, MemoryError):
        return "There is not enough memory: a smaller --batch-size or --shard-size takes less."
    text = _COLOUR.sub("", str(error))
    by_keras = _BY_KERAS in text
    if isinstance(error, (ValueError, OSError, RuntimeError)) and not by_keras:
        return text or type(error).__name__
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code if trace is not None else None
    place = f" ({code.co_name} in {Path(code.co_filename).name})" if code is not None else ""
    lines = [line for line in text.splitlines() if line.strip()]
    first = " ".join(lines[: 2 if by_keras else 1])[:500]  # Keras says where it was, then why
    return f"The model or the data brought about a {type(error).__name__}: {first}{place}"
