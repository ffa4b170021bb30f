"""How a command ends: what it prints, and with which exit code."""

import contextlib
import enum
import json
from collections.abc import Iterator
from typing import Any

import typer
from rich.console import Console

from keras_uae.sharding import DiskFullError, ManifestError


class ExitCode(enum.IntEnum):
    """What the shell is told."""

    DONE = 0
    FAILED = 1  # the model, the data or a file cannot be read or written
    USAGE = 2  # an option is not valid
    NOT_VERIFIED = 3  # a shard is missing or damaged, or belongs to other data
    OTHER_RUN = 4  # the directory holds another run; the differences are shown
    DISK_FULL = 5  # make space, then --resume
    INTERRUPTED = 130  # Ctrl-C; --resume goes on


class UsageError(ValueError):
    """An option is not valid."""


class Outcome:
    """Prints results for people, or with `as_json` for programs: one object on standard output."""

    def __init__(self, as_json: bool = False, quiet: bool = False):
        self.as_json, self.quiet = as_json, quiet
        self.results = Console(highlight=False, soft_wrap=True)
        self.errors = Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, content: Any) -> None:
        """Something for people."""
        if not self.as_json and not self.quiet:
            self.results.print(content, markup=False)  # a name may look like markup

    def finish(self, values: dict[str, Any], code: ExitCode = ExitCode.DONE) -> None:
        """The result for programs, and the end."""
        if self.as_json:
            typer.echo(json.dumps({"exit_code": int(code), **values}, indent=1))
        raise typer.Exit(int(code))

    def fail(self, code: ExitCode, message: str) -> None:
        """An error, and the end."""
        self.errors.print(f"keras-uae: {message}", style="red", markup=False)
        self.finish({"error": message}, code)


@contextlib.contextmanager
def exit_codes(outcome: Outcome) -> Iterator[None]:
    """Turn errors within the block into one line on standard error and an exit code."""
    try:
        yield
    except typer.Exit:  # a RuntimeError, too
        raise
    except KeyboardInterrupt:
        outcome.fail(
            ExitCode.INTERRUPTED, "interrupted. What is complete is kept: go on with --resume."
        )
    except UsageError as error:
        outcome.fail(ExitCode.USAGE, str(error))
    except ManifestError as error:
        outcome.fail(ExitCode.OTHER_RUN, str(error))
    except DiskFullError as error:
        outcome.fail(ExitCode.DISK_FULL, str(error.strerror))
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        outcome.fail(ExitCode.FAILED, str(error) or type(error).__name__)
