"""How an experiment ends: its exit codes, which are those of `keras-uae`."""

from rich.console import Console

from keras_uae._files import is_no_space

DONE, FAILED, REFUSED, DISK_FULL, INTERRUPTED = 0, 1, 2, 5, 130


def fail(errors: Console, error: Exception, code: int) -> int:
    """Say in a line what went wrong; returns the exit code, that of a full disk if it is one."""
    full = isinstance(error, OSError) and is_no_space(error)
    way_out = ": make space, and the same command goes on" * full
    errors.print(f"error: {error}{way_out}", style="red", markup=False)
    return DISK_FULL if full else code
