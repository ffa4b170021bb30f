"""The allocator of programs of ours: keep memory that was freed, in place of giving it back."""

import ctypes
import os
import sys

# By default glibc maps every tensor above 128 KiB to 32 MiB anew and unmaps it again: 2700 page
# faults a training step of a small autoencoder, half of its time.
_PARAMETERS = {
    -3: 64 << 20,  # M_MMAP_THRESHOLD
    -1: 512 << 20,  # M_TRIM_THRESHOLD
    -2: 64 << 20,  # M_TOP_PAD
}
SWITCH = "KERAS_UAE_DEFAULT_ALLOCATOR"


def keep_freed_memory() -> None:
    """Let glibc keep what is freed for the next tensor, unless the environment has `SWITCH`.

    For programs, at their start; a library leaves the process of others alone. Elsewhere than on
    glibc it does nothing.
    """
    if sys.platform != "linux" or os.environ.get(SWITCH):
        return
    try:
        libc = ctypes.CDLL("libc.so.6")
        for parameter, value in _PARAMETERS.items():
            libc.mallopt(parameter, value)
    except (OSError, AttributeError):  # musl has no mallopt
        pass
